"""LdapSearch filters with places for a key (RFC 4515).

The places are ``%s`` and ``%u``, the key; ``%n``, the part before its last ``@``, or all of it;
``%d``, the part behind that, or nothing; ``%h``, the name of the table. ``%%`` is ``%``, and any
other ``%`` is one, too. They stand in values only: no key can name an attribute, end a value, or be
a wildcard, not even by being empty. Source: ``parseval`` in ``aldap.c`` of table-ldap, 1.0 for
``%s`` and ``%%``, and what came after it for ``%u`` and ``%h``.
"""

import re
from collections.abc import Callable

from opensmtpd.table import to_bytes

NESTED_MAX = 50
"""Filters inside each other, at most."""

_TYPE = re.compile(r"[A-Za-z0-9.;_-]+")
"""An attribute description (RFC 4512 2.5), with the ``_`` that some servers take."""
_RULE = re.compile(r"[A-Za-z0-9.;_-]*(:dn)?(:[A-Za-z0-9.-]+)?:=")
"""All of an extensible match but for its value."""
_VALUE = re.compile(r"(?:[^()\\\0]|\\[0-9A-Fa-f]{2})*")
_PLACE = re.compile(r"%([%sundh])")
_WILD = re.compile(r"\([^()*%=]+=(?=[^()]*\*)(?=[^()]*%)((?:\*|%[sund])+)\)")
"""A comparison whose value would be a wildcard alone where its places are empty."""
_NEVER = "(!(objectClass=*))"
"""No entry is without classes (RFC 4512 2.4)."""
_SAFE = re.compile(r"[A-Za-z0-9@._+ -]*")
"""Keys that are written as they are."""
_BYTES = [
    chr(byte) if _SAFE.fullmatch(chr(byte)) and byte < 128 else f"\\{byte:02x}"
    for byte in range(256)
]


def escaped(key: str) -> str:
    """Return a key as a value in a filter: each byte that could mean anything is ``\\xx``."""
    if key.isascii() and _SAFE.fullmatch(key):
        return key
    return "".join([_BYTES[byte] for byte in to_bytes(key)])


def _user(key: str) -> str:
    user, at, domain = key.rpartition("@")
    return user if at else domain


def _domain(key: str) -> str:
    _, at, domain = key.rpartition("@")
    return domain if at else ""


_PARTS: dict[str, Callable[[str], str]] = {"s": str, "u": str, "n": _user, "d": _domain}
"""The part of a key that a place has, by its letter."""


class SearchFilter:
    """A filter of the configuration."""

    def __init__(self, text: str) -> None:
        """Raises ValueError for what is no filter, with the place in it."""
        end = _filter(text, 0, 0)
        if end != len(text):
            raise ValueError(f"something stands behind the filter: {text[end:]!r:.40}")
        self._text = text
        self._wild = _WILD.search(text) is not None
        literal, *rest = _PLACE.split(text)
        self._pieces: list[str] = [_ascii(literal)]
        """Text and places in turn; a place is the letter behind its ``%``."""
        for place, literal in zip(rest[::2], rest[1::2], strict=True):
            if place == "%":
                self._pieces[-1] += "%" + _ascii(literal)
            else:
                self._pieces += [place, _ascii(literal)]

    @property
    def keyed(self) -> bool:
        """Return whether it has a place for a key."""
        return not _PARTS.keys().isdisjoint(self._pieces[1::2])

    def fill(self, key: str, table: str = "") -> str:
        """Return the filter for a key and a table, in ASCII."""
        if self._wild:
            tamed = _WILD.sub(lambda wild: _tamed(wild, key), self._text)
            if tamed != self._text:
                return SearchFilter(tamed).fill(key, table)
        filled = self._pieces.copy()
        for at in range(1, len(filled), 2):
            part = _PARTS.get(filled[at])
            filled[at] = escaped(table if part is None else part(key))
        return "".join(filled)


def _tamed(wild: re.Match[str], key: str) -> str:
    """Return a comparison, or one that finds nothing where all of its places are empty."""
    places = wild[1].replace("*", "")[1::2]
    return wild[0] if any(_PARTS[place](key) for place in places) else _NEVER


def _ascii(literal: str) -> str:
    if literal.isascii():
        return literal
    return "".join([f"\\{byte:02x}" if byte > 127 else chr(byte) for byte in to_bytes(literal)])


def _filter(text: str, at: int, depth: int) -> int:
    """Return the place behind the filter that begins at ``at``. Raises ValueError."""
    if text[at : at + 1] != "(":
        raise ValueError(f"a filter begins with '(', and this does not: {text[at:]!r:.40}")
    if depth == NESTED_MAX:
        raise ValueError(f"more than {NESTED_MAX} filters inside each other")
    sign = text[at + 1 : at + 2]
    if sign in ("&", "|", "!"):
        end = _several(text, at + 2, depth, 1 if sign == "!" else None)
    else:
        end = _comparison(text, at + 1)
    if text[end : end + 1] != ")":
        raise ValueError(f"no ')' at the end of the filter that begins with {text[at:]!r:.40}")
    return end + 1


def _several(text: str, at: int, depth: int, count: int | None) -> int:
    found = 0
    while text[at : at + 1] == "(" and found != count:
        at = _filter(text, at, depth + 1)
        found += 1
    if not found:
        raise ValueError(f"a filter has to follow, and not {text[at:]!r:.40}")
    return at


def _comparison(text: str, at: int) -> int:
    rule = _RULE.match(text, at)
    if rule is not None and rule.group() != ":=":
        return _value(text, rule.end(), wildcards=False)
    kind = _TYPE.match(text, at)
    if kind is None:
        raise ValueError(f"no attribute stands at {text[at:]!r:.40}")
    sign = next((s for s in ("~=", "<=", ">=", "=") if text.startswith(s, kind.end())), None)
    if sign is None:
        raise ValueError(f"no comparison stands behind {kind.group()!r:.40}")
    return _value(text, kind.end() + len(sign), wildcards=sign == "=")


def _value(text: str, at: int, wildcards: bool) -> int:
    end = _VALUE.match(text, at).end()  # type: ignore[union-attr]  # it matches nothing, too
    if text[end : end + 1] == "\\":
        raise ValueError(f"behind '\\' belong two hexadecimal digits: {text[end:]!r:.40}")
    if not wildcards and "*" in text[at:end]:
        raise ValueError(f"'*' has no meaning in {text[at:end]!r:.40}; write '\\2a'")
    return end
