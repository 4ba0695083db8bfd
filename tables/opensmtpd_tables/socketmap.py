"""table-socketmap: aliases, users, domains and the rest from a server that speaks socketmap.

In smtpd.conf::

    table aliases socketmap:/run/maps/socket
    table domains socketmap:/etc/mail/socketmap.conf

Takes a socket like the C table-socketmap and gives the same answers, or a file that says where a
server is and which map of its is asked. table-socketmap(5) describes both, and where the two
programs differ.
"""

import argparse
from functools import partial

from opensmtpd import options, run
from opensmtpd.backends.network.table import NetworkTable
from opensmtpd.backends.socketmap.config import read

EPILOG = """\
In smtpd.conf, with a socket where each question is a line, "aliases KEY":

  table aliases socketmap:/run/maps/socket

or with a file for the socketmap of Postfix and Sendmail:

  table domains socketmap:/etc/mail/socketmap.conf

and in /etc/mail/socketmap.conf:

  host 127.0.0.1
  port 8461
  map domains
"""


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    return options.table_parser("table-socketmap", "Serve tables from a socketmap server.", EPILOG)


def main() -> None:
    """Run table-socketmap."""
    run.table(partial(NetworkTable, read), parser())


if __name__ == "__main__":
    main()
