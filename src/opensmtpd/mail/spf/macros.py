"""Macros in SPF records and explanations (RFC 7208 section 7)."""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, TypeAlias

from opensmtpd.dns.names import NAME_MAX
from opensmtpd.mail.client import IPAddress

IN_RECORDS = "slodipvh"
"""The letters of macros in records."""
IN_EXPLANATIONS = IN_RECORDS + "crt"
"""The letters of macros in explanations."""

# A possessive repetition gives nothing back: each character is looked at once.
_EXPAND = re.compile(r"%(?:\{([a-zA-Z])([0-9]*+)([rR]?)([-.+,/_=]*+)\}|([%_-]))")
PLAIN = {"%": "%", "_": " ", "-": "%20"}
"""The values of ``%%``, ``%_`` and ``%-``; no other text in a record is equal to one of these."""
_RESERVED = re.compile(r"[^A-Za-z0-9._~-]")
"""Characters that are no unreserved ones of URIs (RFC 3986 section 2.3)."""
PARTS_MAX = 255
"""A macro may ask for more parts, and gets as many: no name has more."""

TEXT_MAX = 400
"""Characters of an expanded text that are enough."""


class Macro(NamedTuple):
    """A macro such as ``%{l2r-}``."""

    letter: str
    """Lower case."""
    escaped: bool
    """True for an upper case letter: the value is escaped as in URLs."""
    parts: int
    """The number of parts on the right to keep; 0 for all."""
    reverse: bool
    delimiters: str
    """The characters between parts."""

    def of(self, value: str) -> str:
        """Return what the macro makes of the value of its letter."""
        if self.parts or self.reverse or self.delimiters != ".":
            first = self.delimiters[0]
            for other in self.delimiters[1:]:
                value = value.replace(other, first)
            parts = value.split(first)
            if self.reverse:
                parts.reverse()
            value = ".".join(parts[-self.parts :])
        if self.escaped:
            value = _RESERVED.sub(lambda match: f"%{ord(match[0]):02X}", value)
        return value


MacroString: TypeAlias = tuple[str | Macro, ...]
"""Text and macros in turn."""


def parse(text: str, letters: str = IN_RECORDS) -> MacroString:
    """Return the parts of a text. Raises ValueError where a ``%`` begins no macro."""
    if "%" not in text:
        return (text,) if text else ()
    found: list[str | Macro] = []
    at = 0
    while (percent := text.find("%", at)) >= 0:
        if percent > at:
            found.append(text[at:percent])
        match = _EXPAND.match(text, percent)
        if match is None:
            raise ValueError("a % that begins no macro")
        found.append(PLAIN[match[5]] if match[5] else _macro(match, letters))
        at = match.end()
    if at < len(text):
        found.append(text[at:])
    return tuple(found)


def _macro(match: re.Match[str], letters: str) -> Macro:
    letter, digits, reverse, delimiters, _ = match.groups()
    if letter.lower() not in letters:
        raise ValueError(f"no macro %{{{letter}}} here")
    digits = digits.lstrip("0") if digits else "0"
    if not digits:
        raise ValueError("a macro of 0 parts")
    parts = int(digits) if len(digits) <= 3 else PARTS_MAX
    escaped = letter.isupper()
    return Macro(letter.lower(), escaped, parts, bool(reverse), delimiters or ".")


class MacroFacts(NamedTuple):
    """The facts about the client and its mail; text has a character for each octet."""

    address: IPAddress
    """Not IPv4-mapped."""
    local: str
    """The local part of the sender."""
    origin: str
    """The domain of the sender."""
    helo: str
    receiver: str
    timestamp: int
    """Seconds since 1970."""


def _dotted(address: IPAddress) -> str:
    return str(address) if address.version == 4 else ".".join(address.packed.hex().upper())


_VALUES: dict[str, Callable[[MacroFacts, str], str]] = {
    "s": lambda facts, domain: f"{facts.local}@{facts.origin}",
    "l": lambda facts, domain: facts.local,
    "o": lambda facts, domain: facts.origin,
    "d": lambda facts, domain: domain,
    "i": lambda facts, domain: _dotted(facts.address),
    "v": lambda facts, domain: "in-addr" if facts.address.version == 4 else "ip6",
    "h": lambda facts, domain: facts.helo,
    "c": lambda facts, domain: str(facts.address),
    "r": lambda facts, domain: facts.receiver,
    "t": lambda facts, domain: str(facts.timestamp),
}
"""From a letter, ``p`` apart, to its value in the record of a domain (section 7.2)."""

LetterValue: TypeAlias = Callable[[str], str]
"""Returns the value of a letter."""


def values(facts: MacroFacts, domain: str, client: str) -> LetterValue:
    """Return the values of letters in the record of a domain; ``client`` is the one of ``p``."""
    return lambda letter: client if letter == "p" else _VALUES[letter](facts, domain)


def asks(string: MacroString) -> bool:
    """Return whether there is ``%{p}`` in it, for which the DNS is asked."""
    return any(isinstance(part, Macro) and part.letter == "p" for part in string)


def text_of(string: MacroString, value: LetterValue) -> str:
    """Return the expanded text, at least its first 400 characters."""
    return _joined(_pieces(string, value), TEXT_MAX, "".join)


def name_of(string: MacroString, value: LetterValue) -> str:
    """Return the expanded text as a name, lower case, without a final dot.

    Labels on the left are left out where it is longer than 253 octets (RFC 7208 section 7.3); it is
    empty where its last label is as long.
    """
    # From the right: a name is short, and what stands before it may be long.
    name = _joined(_pieces(string[::-1], value), NAME_MAX + 2, lambda found: "".join(found[::-1]))
    name = lowered(name.removesuffix("."))
    return name if len(name) <= NAME_MAX else name[-NAME_MAX - 1 :].partition(".")[2]


def _pieces(string: Iterable[str | Macro], value: LetterValue) -> Iterator[str]:
    made: dict[Macro, str] = {}
    for part in string:
        if isinstance(part, str):
            yield part
            continue
        if part not in made:
            made[part] = part.of(value(part.letter))
        yield made[part]


def _joined(pieces: Iterator[str], enough: int, join: Callable[[list[str]], str]) -> str:
    """Join pieces until there are ``enough`` characters."""
    found, length = [], 0
    for piece in pieces:
        found.append(piece)
        length += len(piece)
        if length > enough:
            break
    return join(found)


def lowered(name: str) -> str:
    """Return a name with its ASCII letters in lower case; other octets stay (RFC 4343)."""
    return name.lower() if name.isascii() else name.encode("latin-1").lower().decode("latin-1")
