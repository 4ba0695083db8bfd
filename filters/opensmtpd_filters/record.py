"""filter-record: record what smtpd and a filter say to each other.

In smtpd.conf, in front of the command of a filter::

    filter "dkimsign" proc-exec "filter-record /var/log/dkimsign/capture -- \\
        filter-dkimsign -d example.com -s mail -k /etc/mail/dkim/private.key" user _dkimsign

The filter is run as it is; ``opensmtpd-plugins show`` and ``replay`` read the capture.
"""

import argparse
import sys
from typing import NoReturn

from opensmtpd import options
from opensmtpd.capture import programs
from opensmtpd.capture.format import CaptureKind
from opensmtpd.capture.recorder import record
from opensmtpd.capture.writer import CaptureSettings
from opensmtpd.errors import ConfigError

EPILOG = """\
In smtpd.conf, in front of the command of a filter, whose own line stays as it is:

  filter "dkimsign" proc-exec "filter-record /var/log/dkimsign/capture -- \\
      filter-dkimsign -d example.com -s mail -k /etc/mail/dkim/private.key" \\
      user _dkimsign group _dkimsign

The directory belongs to the user of the filter:

  install -d -o _dkimsign -m 0700 /var/log/dkimsign

Passwords are never recorded.
"""


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    flags, _ = options.common("filter-record", "Record a filter.", EPILOG, "program")
    flags.usage = "filter-record [options] CAPTURE -- COMMAND ..."
    add = flags.add_argument_group("what to record").add_argument
    # fmt: off
    add("--no-bodies", action="store_true", help="take out the bodies of messages; their headers"
        " stay")
    add("--no-addresses", action="store_true", help="take out addresses of mail and of clients,"
        " their names, and messages whole")
    add("--size", type=programs.capture_size, default=programs.SIZE, metavar="SIZE",
        help="bytes of a file, before the next one is begun (default 64M)")
    add("--files", type=programs.files, default=programs.FILES, metavar="NUMBER",
        help="files to keep, the one that is written to included (default 4)")
    # fmt: on
    flags.add_argument("capture", metavar="CAPTURE", help="the file to write")
    flags.add_argument("command", nargs="*", metavar="COMMAND", help="the filter, behind --")
    return flags


def parse(argv: list[str]) -> argparse.Namespace:
    """Return the namespace of a command line; what stands behind its first ``--`` is not read."""
    known = parser()
    at = argv.index("--") if "--" in argv else len(argv)
    flags: argparse.Namespace = known.parse_args(argv[:at])
    if flags.command or not argv[at + 1 :]:
        known.error("write the command of the filter behind the capture and --")
    flags.command = argv[at + 1 :]
    return flags


def settings(flags: argparse.Namespace) -> CaptureSettings:
    """Return what to record, and where."""
    return CaptureSettings(
        flags.capture,
        flags.size,
        flags.files,
        bodies=not flags.no_bodies,
        addresses=not flags.no_addresses,
    )


def main() -> NoReturn:
    """Run filter-record."""
    flags = parse(sys.argv[1:])
    try:
        program = programs.place(flags.command[0])
        if flags.check:
            programs.check("filter-record", settings(flags), program)
            sys.exit(0)
        record(CaptureKind.FILTER, [program, *flags.command[1:]], settings(flags))
    except ConfigError as error:
        print(f"filter-record: {error}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
