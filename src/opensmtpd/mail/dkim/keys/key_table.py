"""The key table: a file with ``domain selector keyfile [algorithm]`` a line.

Only the lines are read here; ``keyring`` reads the keys that they name.
"""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from opensmtpd.errors import ConfigError
from opensmtpd.files import reading
from opensmtpd.mail.dkim import record
from opensmtpd.mail.dkim.keys import names
from opensmtpd.mail.dkim.keys.key import ALGORITHMS

LINE_END = re.compile(r"\r\n?|\n")
"""Ends of lines, those that Python, too, knows in a text file."""

FORM = "write lines of the form: domain selector keyfile [algorithm]"

_SAVE = "save it as text in UTF-8, without a byte order mark"

_FILE_MAX = 64 << 20


class KeyTableEntry(NamedTuple):
    """A line that names a key."""

    line: int
    domain: str
    selector: str
    file: str
    """The path of the key, from the directory that the table's own path begins in."""
    algorithm: str | None

    @property
    def name(self) -> tuple[str, str]:
        """Domain and selector as the DNS compares them."""
        return self.domain.lower(), self.selector.lower()


def read(path: str, opener: Callable[[str, int], int] | None = None) -> str:
    """Return a file's text, with its line ends as they are. Raises ConfigError."""
    with reading(path, opener=opener) as file:
        data = file.read(_FILE_MAX)
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError("not text in UTF-8", path=path, line=line, remedy=_SAVE) from None
    if text.startswith("\ufeff"):
        raise ConfigError("a byte order mark", path=path, line=1, remedy=_SAVE)
    if "-----BEGIN " in text:
        remedy = "name another file; a key is named with -k, or in a key table"
        raise ConfigError("a key in PEM, not a list", path=path, remedy=remedy)
    return text


def lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield lines with their numbers, without the white space around them.

    Blank lines and those that begin with ``#`` are left out.
    """
    for number, line in enumerate(LINE_END.split(text), 1):
        words = line.strip()
        if words and not words.startswith("#"):
            yield number, words


def entries(text: str, path: str) -> Iterator[KeyTableEntry]:
    """Yield the lines of a table that was read from ``path``. Raises ConfigError, with the line."""
    found = set()
    for number, line in lines(text):
        entry = _entry(line, path, number)
        if entry.name in found:
            raise ConfigError(
                f"{entry.selector}._domainkey.{entry.domain} stands here twice",
                path=path,
                line=number,
                remedy="give each key a selector of its own",
            )
        found.add(entry.name)
        yield entry
    if not found:
        raise ConfigError("no key in the key table", path=path, remedy=FORM)


def _entry(line: str, path: str, number: int) -> KeyTableEntry:
    words = line.split()
    if not 3 <= len(words) <= 4:
        fault = f"{len(words)} words where 3 or 4 belong"
        raise ConfigError(fault, path=path, line=number, remedy=FORM)
    domain, selector, file, *rest = words
    domain = names.check("domain", domain, path, number)
    selector = names.check("selector", selector, path, number)
    record.name(domain, selector, path, number)
    if "\0" in file:
        raise ConfigError("a NUL byte", path=path, line=number, remedy="remove it")
    if rest and rest[0] not in ALGORITHMS:
        raise ConfigError(
            "unknown algorithm",
            path=path,
            line=number,
            remedy="use " + " or ".join(ALGORITHMS),
        )
    return KeyTableEntry(number, domain, selector, beside(path, file), rest[0] if rest else None)


def beside(path: str, file: str) -> str:
    """Return the path of a file that a table at ``path`` names."""
    directory = path.rpartition("/")
    return file if file.startswith("/") else directory[0] + directory[1] + file
