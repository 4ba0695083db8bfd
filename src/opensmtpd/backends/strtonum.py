"""Numbers in the files of C programs."""

import re

_NUMBER = re.compile(r"[ \t\n\v\f\r]*\+?0*([0-9]{1,30})|[ \t\n\v\f\r]*-0+")


def strtonum(text: str, maximum: int) -> int | None:
    """Return a number from 0 to ``maximum`` as strtonum(3) of OpenBSD reads it, else None."""
    match = _NUMBER.fullmatch(text)
    value = int(match[1] or 0) if match else None
    return None if value is None or value > maximum else value
