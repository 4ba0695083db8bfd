"""The note that a user is stopped: filter-limit puts it into its state, ``release`` takes it away.

It is ``state.put`` under ``stop_key``, for as long as the user is stopped.
"""

from opensmtpd.mail.client import text

PREFIX = "limit:"
"""The beginning of all keys of filter-limit on a server, where the URL has no other."""


def user_name(raw: bytes) -> str:
    """Return the name of a user as keys and the log have it: in lower case, and without blanks
    that directories and databases do not compare: ``alice`` logs in as ``"alice "``, too.
    """
    return " ".join(text(raw).lower().split())


def stop_key(user: str) -> list[str]:
    """Return the key of the note that a user is stopped; the name is one of ``user_name``."""
    return ["stop", user]
