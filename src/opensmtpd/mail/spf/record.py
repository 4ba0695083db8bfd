"""SPF records: which TXT record is one, and what its terms are (RFC 7208 sections 4.5 and 12).

A record is parsed whole before anything of it is used: an error anywhere in it is one (section
4.6). All functions here raise ValueError for an error, with its description.
"""

import re
from collections.abc import Iterable
from socket import AF_INET, AF_INET6, inet_pton
from typing import NamedTuple

from opensmtpd.mail.spf import macros
from opensmtpd.mail.spf.macros import MacroString

_RESULTS = {"": "pass", "+": "pass", "-": "fail", "~": "softfail", "?": "neutral"}

_VERSION = "v=spf1"
_PRINTABLE = re.compile(r"[ -~]*+")
_MODIFIER = re.compile(r"([A-Za-z][A-Za-z0-9_.-]*+)=")
_MECHANISM = re.compile(
    r"([-+?~]?)(all|include|a|mx|ptr|ip4|ip6|exists)(?=[:/]|$)", re.ASCII | re.IGNORECASE
)
_LABEL = re.compile(r"[A-Za-z0-9-]++")


class Mechanism(NamedTuple):
    """A mechanism, and the result that it stands for where it matches (sections 4.6.1 and 5)."""

    text: str
    """As the record has it."""
    name: str
    """Lower case."""
    result: str
    target: MacroString = ()
    """The domain-spec; empty for the domain of the record."""
    network: int = 0
    """The address of ip4 and ip6."""
    ip4_prefix: int = 32
    """The bits that have to be equal; of ip6 and ip4, the other one is not used."""
    ip6_prefix: int = 128


class SpfRecord(NamedTuple):
    """A parsed record."""

    mechanisms: tuple[Mechanism, ...]
    redirect: MacroString = ()
    """Empty where there is no such modifier."""
    explanation: MacroString = ()
    """The same."""


def select(texts: Iterable[str]) -> str | None:
    """Return the SPF record among TXT records, None where there is none. Two are an error."""
    found = [text for text in texts if _is_record(text)]
    if len(found) > 1:
        raise ValueError("more than one SPF record")
    return found[0] if found else None


def _is_record(text: str) -> bool:
    return text[:6].lower() == _VERSION and text[6:7] in ("", " ")


def explanation(text: str) -> MacroString:
    """Return the text of an explanation (section 6.2)."""
    _check_printable(text)
    return macros.parse(text, macros.IN_EXPLANATIONS)


def _check_printable(text: str) -> None:
    if not _PRINTABLE.fullmatch(text):
        raise ValueError("a character that is not printable ASCII")


def parse(text: str) -> SpfRecord:
    """Return the record in a text that ``select`` has returned."""
    _check_printable(text)
    mechanisms = []
    modifiers: dict[str, MacroString] = {}
    for term in text[6:].split(" "):
        if not term:
            continue
        try:
            modifier = _MODIFIER.match(term)
            if modifier is None:
                mechanisms.append(_mechanism(term))
                continue
            name, value = modifier[1].lower(), term[modifier.end() :]
            if name not in ("redirect", "exp"):
                macros.parse(value)
            elif name in modifiers:
                raise ValueError("the modifier is there twice")
            else:
                modifiers[name] = _domain_spec(value)
        except ValueError as error:
            raise ValueError(f"{term}: {error}") from None
    return SpfRecord(tuple(mechanisms), modifiers.get("redirect", ()), modifiers.get("exp", ()))


def _mechanism(term: str) -> Mechanism:
    match = _MECHANISM.match(term)
    if match is None:
        raise ValueError("no such mechanism")
    result, name, rest = _RESULTS[match[1]], match[2].lower(), term[match.end() :]
    if name in ("ip4", "ip6"):
        return _network(term, name, result, rest)
    ip4_prefix, ip6_prefix = 32, 128
    if name in ("a", "mx"):
        rest, ip4_prefix, ip6_prefix = _dual_prefix(rest)
    target: MacroString = ()
    if rest[:1] == ":" and name != "all":
        target = _domain_spec(rest[1:])
    elif rest:
        raise ValueError("nothing of this kind may follow the mechanism")
    elif name in ("include", "exists"):
        raise ValueError("no domain")
    return Mechanism(term, name, result, target, 0, ip4_prefix, ip6_prefix)


def _network(term: str, name: str, result: str, rest: str) -> Mechanism:
    text, slash, digits = rest[1:].partition("/")
    family, bits = (AF_INET, 32) if name == "ip4" else (AF_INET6, 128)
    prefix = _prefix(digits, bits) if slash else bits
    try:
        if rest[:1] != ":":
            raise OSError
        network = int.from_bytes(inet_pton(family, text), "big")
    except OSError:
        raise ValueError("no address") from None
    return Mechanism(term, name, result, (), network, prefix, prefix)


def _dual_prefix(rest: str) -> tuple[str, int, int]:
    """Return what stands before ``/24//64``, and both numbers. Each of them may be missing."""
    ip4_prefix, ip6_prefix = 32, 128
    before, slash, digits = rest.rpartition("/")
    if slash and before[-1:] == "/" and digits.isdigit():
        rest, ip6_prefix = before[:-1], _prefix(digits, 128)
        before, slash, digits = rest.rpartition("/")
    if slash and digits.isdigit():
        rest, ip4_prefix = before, _prefix(digits, 32)
    return rest, ip4_prefix, ip6_prefix


def _prefix(digits: str, bits: int) -> int:
    # int() refuses thousands of digits.
    sound = digits.isdigit() and len(digits) <= 3 and (digits == "0" or digits[0] != "0")
    if not sound or int(digits) > bits:
        raise ValueError(f"no length of a prefix from 0 to {bits}")
    return int(digits)


def _domain_spec(text: str) -> MacroString:
    """Return a domain-spec: it ends in a macro, or in a dot and a top label (section 7.1)."""
    parts = macros.parse(text)
    if not parts:
        raise ValueError("no domain")
    end = parts[-1]
    if isinstance(end, macros.Macro) or end in macros.PLAIN.values():
        return parts
    _, dot, label = end.removesuffix(".").rpartition(".")
    sound = dot and _LABEL.fullmatch(label) and label[0] != "-" != label[-1]
    if not sound or label.isdigit():
        raise ValueError("the domain does not end in a top label")
    return parts
