"""Where this system's smtpd.conf is."""

import os

PATHS = ("/etc/mail/smtpd.conf", "/etc/smtpd.conf")
"""On OpenBSD, and on Debian."""


def usual_path() -> str:
    """Return the path of this system's smtpd.conf; the first where there is none."""
    return next((path for path in PATHS if os.path.exists(path)), PATHS[0])
