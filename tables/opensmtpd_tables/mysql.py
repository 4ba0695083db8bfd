"""table-mysql: aliases, users, domains and the rest from MySQL or MariaDB.

In smtpd.conf::

    table aliases mysql:/etc/mail/mysql.conf

Takes the configuration files of the C table-mysql and gives the same answers. table-mysql(5)
describes them, what there is besides, and where the two differ.
"""

import argparse
from functools import partial

from opensmtpd import options, run
from opensmtpd.backends.mysql.config import read
from opensmtpd.backends.network.table import NetworkTable

EPILOG = """\
In smtpd.conf:

  table aliases mysql:/etc/mail/mysql.conf

and in /etc/mail/mysql.conf, where '?' stands for the key:

  host localhost
  username smtpd
  password secret
  database mail
  query_alias SELECT destination FROM aliases WHERE name = ?
"""


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    return options.table_parser("table-mysql", "Serve tables from MySQL or MariaDB.", EPILOG)


def main() -> None:
    """Run table-mysql."""
    run.table(partial(NetworkTable, read), parser())


if __name__ == "__main__":
    main()
