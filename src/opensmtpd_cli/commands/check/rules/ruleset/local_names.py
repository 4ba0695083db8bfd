"""The names that smtpd takes for its machine's own: ``getmailname`` in util.c, ``config.c``."""

import socket
from pathlib import Path

from opensmtpd_cli.errors import Unsure

_FILES = ("/etc/mail/mailname", "/etc/mailname")
"""Which of them smtpd reads was decided when it was built."""
_SIZE_MAX = 1024


def is_local(domain: str) -> bool:
    """Return whether ``for local`` means a domain. Raises Unsure.

    The DNS is not asked, where smtpd may find the full name of a host without a domain.
    """
    if domain == "localhost":
        return True
    names = {name.lower() for name in (*_written(), socket.gethostname()) if name}
    if domain in names and len(names) == 1:
        return True
    if domain in names or domain.partition(".")[0] in names:
        raise Unsure
    return False


def _written() -> list[str]:
    found = []
    for path in _FILES:
        try:
            with Path(path).open(encoding="utf-8", errors="replace") as file:
                found += file.readline(_SIZE_MAX).split()
        except OSError:
            continue
    return found
