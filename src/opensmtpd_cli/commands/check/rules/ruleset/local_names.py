"""The names that smtpd takes for its machine's own: ``getmailname`` in util.c, config.c."""

import socket
from pathlib import Path

from opensmtpd_cli.commands.check.rules.ruleset.tables import Unsure

_FILES = ("/etc/mail/mailname", "/etc/mailname")
"""Which of them smtpd reads was decided when it was built."""
_SIZE_MAX = 1024


def is_local(domain: str) -> bool:
    """Return whether ``for local`` means a domain. Raises Unsure."""
    if domain == "localhost":
        return True
    names = {name.lower() for name in (*_written(), *_of_the_host()) if name}
    if domain in names and len(names) > 1:
        raise Unsure
    return domain in names


def _written() -> list[str]:
    found = []
    for path in _FILES:
        try:
            with Path(path).open(encoding="utf-8", errors="replace") as file:
                found += file.readline(_SIZE_MAX).split()
        except OSError:
            continue
    return found


def _of_the_host() -> list[str]:
    name = socket.gethostname()
    try:
        found = socket.getaddrinfo(name, None, flags=socket.AI_CANONNAME)
    except OSError:
        return [name]
    return [name, found[0][3]]
