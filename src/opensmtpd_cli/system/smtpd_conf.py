"""The path of this system's smtpd.conf.

It is ``CONF_FILE`` when smtpd is built, and stands in the program as a string of its own.
"""

import os
import re

from opensmtpd_cli.system import smtpd_binary

PATHS = (
    "/etc/mail/smtpd.conf",  # OpenBSD
    "/etc/smtpd.conf",  # Debian
    "/etc/smtpd/smtpd.conf",  # Alpine, Arch
    "/usr/local/etc/mail/smtpd.conf",  # FreeBSD
)
"""Where smtpd.conf is, on systems that are known here."""

_STRING = re.compile(rb"\0((?:/[A-Za-z0-9_+-][A-Za-z0-9._+-]*)*/smtpd\.conf)\0")


def usual_path() -> str:
    """Return the path that this system's smtpd reads, or the first of those known that is there."""
    named = (smtpd_binary.string_in(smtpd, _STRING) for smtpd in smtpd_binary.paths())
    own = [os.fsdecode(path) for path in named if path]
    candidates = [*own, *PATHS]
    return next((path for path in candidates if os.path.exists(path)), candidates[0])
