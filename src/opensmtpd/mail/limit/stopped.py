"""The note that a user is stopped: filter-limit puts it into its state, ``release`` takes it away.

It is ``state.put`` under ``stop_key``, for as long as the user is stopped.
"""

import re
import unicodedata

from opensmtpd.mail.client import text

PREFIX = "limit:"
"""The beginning of all keys of filter-limit on a server, where the URL has no other."""


_MARKS = re.compile("[\u0300-\u036f]")
"""Accents, where they stand alone."""


def user_name(raw: bytes) -> str:
    """Return the name of a user as keys and the log have it."""
    return folded(text(raw))


def folded(name: str) -> str:
    """Return a name without what directories and databases do not compare.

    That is case, blanks, accents, the width of letters, and characters that are not shown:
    ``alice`` logs in as ``"alice "`` and as ``àlice``, too, and would have as many limits.
    """
    if not (name.isascii() and name.isprintable()):
        bare = _MARKS.sub("", unicodedata.normalize("NFKD", name).casefold())
        name = "".join(char for char in bare if char.isspace() or not _hidden(char))
        name = unicodedata.normalize("NFC", name)
    return " ".join(name.lower().split())


def _hidden(char: str) -> bool:
    return unicodedata.category(char).startswith("C")


def stop_key(user: str) -> list[str]:
    """Return the key of the note that a user is stopped; the name is one of ``user_name``."""
    return ["stop", user]
