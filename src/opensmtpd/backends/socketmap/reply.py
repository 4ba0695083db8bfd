"""The meaning of a reply of socketmap."""

from opensmtpd.errors import ServerRefused
from opensmtpd.table import to_str

REASON_MAX = 120
"""Characters of a server's reason that are logged."""
_FAILURES = frozenset([b"TEMP", b"TIMEOUT", b"PERM"])


def meaning(reply: bytes) -> str | None:
    """Return the value of ``OK VALUE``, None for ``NOTFOUND``. Raises ServerRefused.

    Case does not matter, and neither does a blank that is missing behind a word alone.
    """
    if reply.startswith(b"OK "):  # which it most often does
        return to_str(reply[3:])
    word, _, rest = reply.partition(b" ")
    status = word.upper()
    if status == b"OK":
        return to_str(rest)
    if status == b"NOTFOUND":
        return None
    if status in _FAILURES:
        said = f"{status.decode()} {to_str(rest)[:REASON_MAX]}".rstrip()
        raise ServerRefused(f"the server says {said}")
    raise ServerRefused("the server's reply is none of OK, NOTFOUND, TEMP, TIMEOUT, PERM")
