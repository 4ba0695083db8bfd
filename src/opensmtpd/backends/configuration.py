"""The configuration files of the C tables: one ``key value`` a line, and what values may be.

The key ends at the first space, tab or colon; lines that begin with ``#`` and unknown keys are
passed over. Source: ``table_sqlite_update`` in ``table_sqlite.c`` 1.0.1; the others read theirs
alike.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias

from opensmtpd.backends.strtonum import strtonum
from opensmtpd.errors import ConfigError
from opensmtpd.files import reading
from opensmtpd.log import log
from opensmtpd.table import to_str

INT_MAX = 2**31 - 1

Setter: TypeAlias = Callable[[str, str, int], bool]
"""Takes a key, its value and its line; returns False for a key that it does not know.

Raises ValueError, whose text has nothing of a secret, and ConfigError.
"""


def take(path: str, *setters: Setter) -> None:
    """Give each line of a file to the first setter that knows its key. Raises ConfigError.

    A key without a value, and one that nobody knows, are logged.
    """
    with reading(path) as file:
        for number, key, value in _lines(file):
            _take(path, number, key, value, setters)


def once(path: str, lines: dict[str, int]) -> Setter:
    """Return a setter that knows no key, and raises ConfigError for one that stands there twice.

    ``lines`` gets the line of each key.
    """

    def note(key: str, _value: str, line: int) -> bool:
        if key in lines:
            fault = f"{key} stands in line {lines[key]}, too"
            raise ConfigError(fault, path=path, line=line, remedy="remove one")
        lines[key] = line
        return False

    return note


def _take(path: str, number: int, key: str, value: str, setters: Iterable[Setter]) -> None:
    where = f"{path}:{number}"
    if not value:
        name, sign, _ = key.partition("=")  # and what follows that may be a password
        reason = "a blank belongs behind it, not '='" if sign else "it has no value"
        log("key-ignored", key=name, at=where, reason=reason)
        return
    try:
        known = any(set(key, value, number) for set in setters)
    except ValueError as error:
        message = f"bad value for {key}: {error}"
        raise ConfigError(message, path=path, line=number) from None
    if not known:
        log("key-ignored", key=key.partition("=")[0], at=where, reason="it is unknown")


def _lines(file: Iterable[bytes]) -> Iterator[tuple[int, str, str]]:
    for number, raw in enumerate(file, 1):
        # C's strings end at a NUL.
        line = to_str(raw.partition(b"\0")[0]).strip(_SPACE)
        if not line or line.startswith("#"):
            continue
        key, value = _SEPARATED.fullmatch(line).groups()  # type: ignore[union-attr]  # matches all
        yield number, key, value


_SPACE = " \t\n\v\f\r"
"""isspace(3)."""
_SEPARATED = re.compile(r"([^ \t:]*)(?:[ \t:](?:[ \t\v\f\r]|:(?=[ \t\v\f\r]))*)?(.*)", re.DOTALL)


def whole(text: str) -> int:
    """Return a number from 0 to INT_MAX. Raises ValueError."""
    number = strtonum(text, INT_MAX)
    if number is None:
        raise ValueError(f"{text!r:.40} is no number from 0 to {INT_MAX}")
    return number


def seconds(least: float, most: float) -> Callable[[str], float]:
    """Return a reader of seconds from ``least`` to ``most``, which raises ValueError."""

    def read(text: str) -> float:
        if not re.fullmatch(r"[0-9]{1,7}(\.[0-9]{1,6})?", text) or not least <= float(text) <= most:
            raise ValueError(f"{text!r:.40} is no number of seconds from {least:g} to {most:g}")
        return float(text)

    return read


def absolute(text: str) -> str:
    """Return a path that begins at the root. Raises ValueError, which has nothing of the value.

    A password may stand where the name of its file belongs.
    """
    if not text.startswith("/"):
        raise ValueError("a path begins with '/'")
    return text


def character(text: str) -> str:
    """Return one character. Raises ValueError."""
    if len(text) != 1:
        raise ValueError(f"{text!r:.40} is not one character")
    return text


def yes(text: str) -> bool:
    """Return whether it says ``yes``. Raises ValueError for anything but ``yes`` and ``no``."""
    if text not in ("yes", "no"):
        raise ValueError(f"{text!r:.40} is neither yes nor no")
    return text == "yes"
