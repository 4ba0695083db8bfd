"""table-postgres: aliases, users, domains and the rest from a PostgreSQL database.

In smtpd.conf::

    table users postgres:/etc/mail/postgres.conf

Takes the configuration files of the C table-postgres and gives the same answers. table-postgres(5)
describes them, what there is besides, and where the two differ.
"""

import argparse
from functools import partial

from opensmtpd import options, run
from opensmtpd.backends.network.table import NetworkTable
from opensmtpd.backends.postgres.config import PostgresBackend

EPILOG = """\
In smtpd.conf:

  table aliases postgres:/etc/mail/postgres.conf

and in /etc/mail/postgres.conf, where $1 stands for the key:

  conninfo host=/var/run/postgresql dbname=mail user=_smtpd
  query_alias SELECT destination FROM aliases WHERE name = $1
"""


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    return options.table_parser("table-postgres", "Serve tables from PostgreSQL.", EPILOG)


def main() -> None:
    """Run table-postgres."""
    run.table(partial(NetworkTable, PostgresBackend), parser())


if __name__ == "__main__":
    main()
