"""The domains of the mailboxes in a From field (RFC 5322 section 3.4).

Everyday fields take one regular expression. For others a small reader follows the grammar where it
matters (comments, quoted strings, groups, obsolete routes, folding) and is lenient where mail in
the wild is sloppy and the domain is still clear: an ``@`` in an unquoted name, 8-bit names, a dot
at the end.
"""

import re
from collections.abc import Callable, Iterator

from opensmtpd.mail.dkim.a_label import mapped, to_a_labels

_ATOM = rb'[^\s"(),:;<>@\\\[\]]+'
_HOST = rb"([A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*)"

# Everywhere in this module: no two neighbouring repetitions can match the same byte, or a client
# could make the search run without end.
_EVERYDAY = re.compile(
    rb'(?:[ \t\n]*"[^"\\]*"[ \t\n]*|[^"(),:;<>@\\\[\]\r]*)<' + _ATOM + rb"@" + _HOST + rb">[ \t\n]*"
    rb"|[ \t\n]*" + _ATOM + rb"@" + _HOST + rb"[ \t\n]*"
)
_TOKEN = re.compile(
    rb"\\.?"  # a backslash and what it quotes
    rb'|"(?:[^"\\]++|\\.)*+"'  # a quoted string
    rb"|\[[^\[\]\\]*\]"  # a domain literal
    rb'|[()<>,:;@"\[\]]'
    rb'|[^()<>,:;@"\[\]\\]++',
    re.DOTALL,
)
_IN_COMMENT = re.compile(rb"\\.?|[()]|[^()\\]++", re.DOTALL)
_LABELS = re.compile(rb"\[[^\[\]@]*\]|[^\s@\"<>,\[\]]+")
_WHITE = b" \t\n\v\f\r"
_DOMAIN_MAX = 255
"""Octets of a domain name (RFC 1035 section 2.3.4). Names that are longer are refused: the search
for the parents of a name tries each of its labels, and a client chooses the name."""


def first_domain(value: bytes) -> bytes | None:
    """Return the domain of the first mailbox, None where it cannot be read or there is none.

    ``value`` is what follows the colon, folded lines joined by a line feed. The domain is in lower
    case. A domain literal has its brackets, a label in UTF-8 (RFC 6532) is an A-label.
    """
    everyday = _EVERYDAY.fullmatch(value)
    if everyday is None:
        return next(_domains(value), None)
    domain = (everyday[1] or everyday[2]).lower()
    return domain if len(domain) <= _DOMAIN_MAX else None


def all_domains(value: bytes) -> list[bytes | None]:
    """Return the domain of each mailbox as ``first_domain`` does, None for one without a domain.

    The list ends with the first mailbox behind which nothing is clear. Variants of characters are
    the plain ones: a mail program may show a domain that is not what it was written as.
    """
    if _EVERYDAY.fullmatch(value):
        return [first_domain(value)]
    return list(_domains(value, lambda name: to_a_labels(mapped(name).lower()).removesuffix(".")))


def _domains(value: bytes, convert: Callable[[str], str] = to_a_labels) -> Iterator[bytes | None]:
    """Yield the domain of each mailbox; ``convert`` makes A-labels of one in UTF-8."""
    mailbox = _Mailbox()
    angle = False  # inside <>
    for token in _without_comments(value):
        if token == b"<":
            if angle:
                yield None
                return
            angle = True
            mailbox = _Mailbox()
        elif token == b":":  # behind it: a group's members, or what the route leads to
            mailbox = _Mailbox()
        elif token == b">" or (token in (b",", b";") and not angle):
            if angle or mailbox.begun():  # the lists of old may have empty members
                yield mailbox.result(convert) if angle == (token == b">") else None
            angle = False
            mailbox = _Mailbox()
        else:
            mailbox.add(token)
    if angle:
        yield None
    elif mailbox.begun():
        yield mailbox.result(convert)


class _Mailbox:
    """The parts that were read of one mailbox."""

    def __init__(self) -> None:
        self.local = False  # was there anything in front of the @?
        self.domain: list[bytes] | None = None  # what follows it

    def begun(self) -> bool:
        return self.local or self.domain is not None

    def add(self, token: bytes) -> None:
        if token == b"@":
            # A second one leaves the domain unclear, unless a "<" or ":" begins it anew.
            self.domain = [] if self.domain is None else [b"@"]
        elif self.domain is not None:
            self.domain.append(token)
        else:
            self.local = self.local or bool(token.strip(_WHITE))

    def result(self, convert: Callable[[str], str]) -> bytes | None:
        if not self.domain or not self.local:
            return None
        domain = b"".join(self.domain).rstrip(_WHITE).removesuffix(b".")
        labels = [label.strip(_WHITE) for label in domain.split(b".")]
        if not all(labels) or not _LABELS.fullmatch(b".".join(labels)):
            return None
        return _as_in_the_dns(b".".join(labels).lower(), convert)


def _as_in_the_dns(domain: bytes, convert: Callable[[str], str]) -> bytes | None:
    if len(domain) > _DOMAIN_MAX:
        return None
    if domain.isascii():
        return domain
    try:
        name = convert(domain.decode())
    except UnicodeDecodeError:
        return None
    return name.encode("ascii") if len(name) <= _DOMAIN_MAX else None


def _without_comments(value: bytes) -> Iterator[bytes]:
    """Cut into tokens, with a space for each comment; comments nest and know no quotes."""
    depth = at = 0
    while at < len(value):
        match = (_IN_COMMENT if depth else _TOKEN).match(value, at)
        assert match is not None  # each pattern takes any byte
        token, at = match[0], match.end()
        depth += (token == b"(") - (token == b")" and depth > 0)
        yield b" " if depth or token == b")" else token
