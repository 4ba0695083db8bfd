"""A field as others wrote it (RFC 8601 section 2.2), read in linear time.

It may be a little more than the grammar allows, as it is in the wild: 8-bit text (RFC 6532), base64
and IPv6 addresses without quotes, addresses in angle brackets, properties without a type
(``action=none``). What is not clear is not read.
"""

import re
from typing import NamedTuple

from opensmtpd.mail.authres.write import Result

ITEMS_MAX = 1000
"""Results and properties of a field, together. One with more is not read, nor is one with more
pieces of comments in one place."""

_WHITE = re.compile(rb"[ \t\n]*+")
_IN_COMMENT = re.compile(rb"(?:[^()\\]++|\\.)++|\(++|\)++", re.DOTALL)
_KEYWORD = re.compile(rb"[0-9A-Za-z][0-9A-Za-z-]*+")
_NUMBER = re.compile(rb"[0-9]++")
_QUOTED = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_PLAIN = re.compile(rb'[^\x00-\x20\x7f"(),;@\\]++')
_NO_ID = re.compile(rb"[=<>]")
_PAIR_OR_FOLD = re.compile(rb"\\(.)|\n(?=[ \t])", re.DOTALL)


class AuthResults(NamedTuple):
    """The content of a field. Quoted text may hold any characters."""

    authserv_id: str
    results: tuple[Result, ...]
    """In their order; methods, results and the names of properties in lower case."""
    version: int = 1


def read(value: bytes) -> AuthResults | None:
    """Return what a field says, None where it cannot be read.

    ``value`` is what follows the colon, folded lines joined by line feeds.
    """
    try:
        return _Reader(value).field()
    except _Unreadable:
        return None


def read_id(value: bytes) -> str | None:
    """Return the id at the front of a field, None where it cannot be read or there is none."""
    try:
        return _Reader(value).start()[0]
    except _Unreadable:
        return None


class _Unreadable(Exception):
    pass


class _Reader:
    def __init__(self, text: bytes) -> None:
        self._text = text
        self._at = 0
        self._items = 0

    def field(self) -> AuthResults:
        name, version = self.start()
        results: list[Result] = []
        none = False
        while self._take(b";"):
            self._skip()
            if self._ends():
                continue  # a semicolon too many
            if none:
                raise _Unreadable
            method = self._match(_KEYWORD)
            self._skip()
            if method == b"none" and not results and self._ends():
                none = True
            else:
                results.append(self._result(method))
        if not (results or none):
            raise _Unreadable
        return AuthResults(name, tuple(results), version)

    def start(self) -> tuple[str, int]:
        """Read up to the first semicolon."""
        self._skip()
        quoted = self._text[self._at : self._at + 1] == b'"'
        name = self._value()
        if not quoted and _NO_ID.search(name):
            raise _Unreadable  # a result, and no id in front of it
        self._skip()
        version = b"1" if self._ends() else self._match(_NUMBER)[:9]
        self._skip()
        if not self._ends():
            raise _Unreadable
        return _text(name), int(version)

    def _result(self, method: bytes) -> Result:
        if self._take(b"/"):  # the version of the method
            self._skip()
            self._match(_NUMBER)
            self._skip()
        self._expect(b"=")
        found = self._match(_KEYWORD)
        self._count()
        reason = b""
        properties = []
        self._skip()
        while not self._ends():
            self._count()
            name = self._match(_KEYWORD).lower()
            self._skip()
            if self._take(b"."):
                self._skip()
                name += b"." + self._match(_KEYWORD).lower()
                self._skip()
            self._expect(b"=")
            value = self._value()
            if name == b"reason":
                reason = value
            else:
                properties.append((_text(name), _text(value)))
            self._skip()
        return Result(_text(method).lower(), _text(found).lower(), _text(reason), tuple(properties))

    def _count(self) -> None:
        self._items += 1
        if self._items > ITEMS_MAX:
            raise _Unreadable

    def _value(self) -> bytes:
        """Read a token, a quoted string, or an address with its quotes."""
        quoted = _QUOTED.match(self._text, self._at)
        plain = None if quoted else _PLAIN.match(self._text, self._at)
        word = quoted or plain
        self._at = word.end() if word else self._at
        if self._take(b"@"):
            domain = self._match(_PLAIN)
            return (word[0] if word else b"") + b"@" + domain
        if word is None:
            raise _Unreadable
        return _PAIR_OR_FOLD.sub(rb"\1", word[0][1:-1]) if quoted else word[0]

    def _skip(self) -> None:
        """Skip white space and comments, which nest."""
        depth = 0
        for _ in range(ITEMS_MAX):
            if not depth:
                white = _WHITE.match(self._text, self._at)
                assert white is not None  # it takes nothing, too
                self._at = white.end()
                if self._text[self._at : self._at + 1] != b"(":
                    return
            token = self._match(_IN_COMMENT)
            if token[:1] == b"(":
                depth += len(token)
            elif token[:1] == b")":
                closed = min(depth, len(token))
                depth -= closed
                self._at += closed - len(token)
        raise _Unreadable

    def _ends(self) -> bool:
        """Return whether a result, or the field, ends here."""
        return self._text[self._at : self._at + 1] in (b"", b";")

    def _take(self, char: bytes) -> bool:
        found = self._text[self._at : self._at + 1] == char
        self._at += found
        return found

    def _expect(self, char: bytes) -> None:
        if not self._take(char):
            raise _Unreadable
        self._skip()

    def _match(self, pattern: re.Pattern[bytes]) -> bytes:
        match = pattern.match(self._text, self._at)
        if match is None:
            raise _Unreadable
        self._at = match.end()
        return match[0]


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")
