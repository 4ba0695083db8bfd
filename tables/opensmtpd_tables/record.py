"""table-record: record what smtpd and a table say to each other.

In smtpd.conf::

    table users record:/etc/mail/record.conf

and in that file, which names the table that answers::

    table sqlite:/etc/mail/sqlite.conf
    capture /var/log/smtpd/users.capture
"""

import argparse
import sys
from typing import NoReturn

from opensmtpd import log, options
from opensmtpd.capture import programs
from opensmtpd.capture.format import CaptureKind
from opensmtpd.capture.recorder import record
from opensmtpd.capture.table_conf import read
from opensmtpd.errors import ConfigError

EPILOG = """\
In smtpd.conf, in the place of a table of the type sqlite, say:

  table users record:/etc/mail/record.conf

In /etc/mail/record.conf, what stood there before, and where to write:

  table sqlite:/etc/mail/sqlite.conf
  capture /var/log/smtpd/users.capture

The directory belongs to the user of smtpd, _smtpd or opensmtpd. Logins are never recorded.
"""


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    return options.table_parser("table-record", "Record a table.", EPILOG)


def main() -> NoReturn:
    """Run table-record."""
    log.use_syslog("table-record")
    flags = parser().parse_args()
    try:
        program, argument, settings = read(flags.path)
        if flags.check:
            programs.check("table-record", settings, program)
            sys.exit(0)
        record(CaptureKind.TABLE, [program, argument], settings)
    except ConfigError as error:
        print(f"table-record: {error}", file=sys.stderr)
        log.to_syslog(str(error))
        sys.exit(1)


if __name__ == "__main__":
    main()
