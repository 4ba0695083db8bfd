"""A second reader of LDAP's filters, which judges ours: RFC 4515 section 3, one byte at a time.

It shares no idea with ours: there are no regular expressions and no places, and it returns what a
server would be sent.
"""

import string
from collections.abc import Iterator
from typing import Any, TypeAlias

FilterTree: TypeAlias = tuple[Any, ...]
"""``("&", tree, ...)``, ``("!", tree)``, ``(type, "=", [part, ...])`` with a ``*`` between each two
parts, or ``(type, "<=", value)`` and the like; parts and values are bytes, without escapes."""
_NAMES = frozenset((string.ascii_letters + string.digits + "-;._").encode())


class NoFilter(Exception):
    """Bytes that are none."""


class FilterJudge:
    """Reads a filter."""

    def __init__(self, text: bytes) -> None:
        self._bytes = list(text)
        self._at = 0

    def tree(self) -> FilterTree:
        """Return what it says. Raises NoFilter."""
        tree = self._filter()
        if self._at != len(self._bytes):
            raise NoFilter
        return tree

    def _next(self) -> int:
        return self._bytes[self._at] if self._at < len(self._bytes) else -1

    def _is(self, word: bytes) -> bool:
        """Return whether a word follows, and pass over it."""
        same = bytes(self._bytes[self._at : self._at + len(word)]) == word
        self._at += len(word) * same
        return same

    def _must(self, word: bytes) -> None:
        if not self._is(word):
            raise NoFilter

    def _filter(self) -> FilterTree:
        self._must(b"(")
        if self._is(b"!"):
            tree: FilterTree = ("!", self._filter())
        elif self._is(b"&"):
            tree = ("&", *self._filters())
        elif self._is(b"|"):
            tree = ("|", *self._filters())
        else:
            tree = self._item()
        self._must(b")")
        return tree

    def _filters(self) -> Iterator[FilterTree]:
        yield self._filter()
        while self._next() == ord("("):
            yield self._filter()

    def _name(self) -> bytes:
        start = self._at
        while self._next() in _NAMES:
            self._at += 1
        return bytes(self._bytes[start : self._at])

    def _item(self) -> FilterTree:
        name = self._name()
        if self._next() == ord(":"):
            return self._extensible(name)
        if not name:
            raise NoFilter
        for sign in (b"~=", b">=", b"<="):
            if self._is(sign):
                return (name, sign.decode(), self._value())
        self._must(b"=")
        parts = [self._value()]
        while self._is(b"*"):
            parts.append(self._value())
        return (name, "=", parts)

    def _extensible(self, name: bytes) -> FilterTree:
        dn = self._is(b":dn")
        rule = b""
        if not self._is(b":="):
            self._must(b":")
            rule = self._name()
            if not rule or rule.strip(b"_;") != rule:
                raise NoFilter
            self._must(b":=")
        if not name and not dn and not rule:
            raise NoFilter
        return (name, dn, rule, ":=", self._value())

    def _value(self) -> bytes:
        value = bytearray()
        while (byte := self._next()) not in (-1, 0, ord("("), ord(")"), ord("*")):
            self._at += 1
            if byte == ord("\\"):
                digits = bytes(self._bytes[self._at : self._at + 2])
                if len(digits) < 2 or not set(digits) <= set(string.hexdigits.encode()):
                    raise NoFilter
                self._at += 2
                byte = int(digits, 16)
            value.append(byte)
        return bytes(value)
