"""table-redis: aliases, users, domains and the rest from Redis or Valkey.

In smtpd.conf::

    table aliases redis:/etc/mail/redis.conf

Takes the configuration files of the C table-redis and gives the same answers. table-redis(5)
describes them, what there is besides, and where the two differ.
"""

import argparse
from functools import partial

from opensmtpd import options, run
from opensmtpd.backends.network.table import NetworkTable
from opensmtpd.backends.redis.config import read

EPILOG = """\
In smtpd.conf:

  table aliases redis:/etc/mail/redis.conf

and in /etc/mail/redis.conf, where '%s' stands for the key:

  master unix:/run/valkey/valkey.sock
  query_alias LRANGE aliases:%s 0 -1
"""


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    return options.table_parser("table-redis", "Serve tables from Redis or Valkey.", EPILOG)


def main() -> None:
    """Run table-redis."""
    run.table(partial(NetworkTable, read), parser())


if __name__ == "__main__":
    main()
