"""The name that smtpd gives itself, where smtpd.conf does not say another (``getmailname``)."""

import re
import socket
from contextlib import suppress

from opensmtpd_cli.system import smtpd_binary

_FILES = ("/etc/mail/mailname", "/etc/mailname")
"""MAILNAME_FILE, when smtpd is built: that of OpenBSD, and that of Debian."""
_STRING = re.compile(rb"\0(/etc/(?:mail/)?mailname)\0")
_LENGTH = 256
"""Characters that smtpd has room for (SMTPD_MAXHOSTNAMELEN)."""


def file_of(smtpd: str) -> str:
    """Return the file in which a program looks for its name; "" where it does not say."""
    found = smtpd_binary.string_in(smtpd, _STRING) if smtpd else None
    return found.decode("ascii") if found else ""


def own_name(smtpd: str) -> tuple[str, str]:
    """Return the name of an smtpd, and the file that has it; "" where none has.

    The first line of the file counts, as it is, else the name of the machine. One without a dot is
    made a full one as the resolver does, which may ask the DNS.
    """
    named = file_of(smtpd)
    for path in (named,) if named else _FILES:
        with (
            suppress(OSError),
            open(path, encoding="utf-8", errors="replace", newline="\n") as file,
        ):
            line = file.readline(_LENGTH + 1)
            if line:
                return line.removesuffix("\n"), path
    name = socket.gethostname()
    if "." not in name:
        with suppress(OSError):
            name = socket.getaddrinfo(name, None, flags=socket.AI_CANONNAME)[0][3] or name
    return name, ""
