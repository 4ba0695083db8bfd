"""table-dovecot: passwords checked by Dovecot, and users that it knows.

In smtpd.conf::

    table logins dovecot:/run/dovecot/auth-smtpd
    listen on 0.0.0.0 tls pki mail auth <logins>

Whatever Dovecot can check smtpd accepts: PAM, LDAP, SQL, and hashes that crypt(3) does not know.
smtpd before 7.9 lower-cases passwords, and there ``auth`` is not offered. table-dovecot(5) says how
Dovecot is set up.
"""

import argparse
from functools import partial

from opensmtpd import options, run
from opensmtpd.backends.dovecot.config import read
from opensmtpd.backends.network.table import NetworkTable

EPILOG = """\
In smtpd.conf 7.9 or later, with the socket of Dovecot's clients:

  table logins dovecot:/run/dovecot/auth-smtpd
  listen on 0.0.0.0 tls pki mail auth <logins>

or with a file for users, too:

  table users dovecot:/etc/mail/dovecot.conf

and in /etc/mail/dovecot.conf:

  auth /run/dovecot/auth-smtpd
  userdb /run/dovecot/auth-userdb
"""


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    does = "Have Dovecot look up users, and check passwords."
    return options.table_parser("table-dovecot", does, EPILOG)


def main() -> None:
    """Run table-dovecot."""
    run.table(partial(NetworkTable, read), parser())


if __name__ == "__main__":
    main()
