"""table-ldap: aliases, users, domains and the rest from a directory, by LDAP.

In smtpd.conf::

    table users ldap:/etc/mail/ldap.conf

Takes the configuration files of the C table-ldap and gives the same answers, but for its faults; it
also checks passwords by a bind, and speaks TLS. table-ldap(5) describes them, what there is
besides, and where the two differ.
"""

import argparse
from functools import partial

from opensmtpd import options, run
from opensmtpd.backends.ldap.config import read
from opensmtpd.backends.network.table import NetworkTable

EPILOG = """\
In smtpd.conf:

  table users ldap:/etc/mail/ldap.conf

and in /etc/mail/ldap.conf, where '%s' stands for the key:

  url ldap://ldap.example.org
  basedn ou=people,dc=example,dc=org
  alias_filter (&(objectClass=inetOrgPerson)(mail=%s))
  alias_attributes uid
"""


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    return options.table_parser("table-ldap", "Serve tables from an LDAP directory.", EPILOG)


def main() -> None:
    """Run table-ldap."""
    run.table(partial(NetworkTable, read), parser())


if __name__ == "__main__":
    main()
