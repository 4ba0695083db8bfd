"""The set that is being made: filter-auth has written its results, the rest is to follow.

smtpd puts its Received field in front of all that a client sends, and filters stand above that: so
it is only there that a field of ours is looked for. Another one, lower down, is the client's.
"""

import re
from typing import NamedTuple

from opensmtpd.errors import PermError, Unsignable
from opensmtpd.mail.arc.chain import INSTANCE_MAX, MESSAGE, SEAL, Chain, find_chain
from opensmtpd.mail.arc.chain import results_instance as instance_of
from opensmtpd.mail.dkim.canonical_header import HeaderField
from opensmtpd.mail.dkim.verify.signed_data import Fields
from opensmtpd.mail.dkim.verify.tags import number, tag_list

# No two neighbouring repetitions match the same byte.
_FIRST = re.compile(
    rb"\n(received|arc-authentication-results)([ \t]*+):([^\n]*(?:\n[ \t][^\n]*)*)", re.IGNORECASE
)
# A quoted string, an escaped character, what ends results and comments, and all other text.
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"|\\.|[();]|[^"\\();]++', re.DOTALL)
_ARC = re.compile(rb"\s*arc\s*=\s*([a-z]+)(?![a-z0-9-])", re.IGNORECASE)


class BegunSet(NamedTuple):
    """The part of the set that is in the message already."""

    instance: int
    cv: str
    """The result of the chain for its seal: "none", "pass" or "fail" (RFC 8617 section 4.4)."""
    results: HeaderField
    message: HeaderField | None
    """Its ARC-Message-Signature, None where there is none yet."""
    older: Chain | None
    """The chain that it goes on, None where it begins one."""


def begun_set(header: bytes) -> BegunSet:
    """Return the set whose ARC-Authentication-Results stand on top, not yet sealed.

    ``header`` has each of its lines behind a line feed. Raises Unsignable where there is none, and
    where none may be added.
    """
    first = _FIRST.search(header)
    if first is None or first[1].lower() == b"received":
        raise Unsignable("no ARC-Authentication-Results on top")
    try:
        instance = instance_of(first[3])
    except PermError as error:
        raise Unsignable(f"ARC-Authentication-Results: {error}") from None
    arc = _arc_result(first[3])
    if arc is None:
        raise Unsignable("ARC-Authentication-Results without a result of arc")
    older = find_chain(Fields(header[first.end() :]))
    # Only these are as they should be; in the C filter, too, all others are failures.
    cv = arc if arc == ("pass" if instance > 1 else "none") else "fail"
    _check(instance, cv, older)
    above = Fields(header[: first.start()])
    if above.named(SEAL):
        raise Unsignable("a set that is sealed already")
    messages = above.named(MESSAGE)
    if messages and [_instance(field) for field in messages] != [instance]:
        raise Unsignable("an ARC-Message-Signature on top that is of another set")
    return BegunSet(
        instance, cv, (first[1], first[2], first[3]), messages[0] if messages else None, older
    )


def _instance(message: HeaderField) -> int | None:
    try:
        return number(tag_list(message[2]), b"i", 2)
    except PermError:
        return None


def _check(instance: int, cv: str, older: Chain | None) -> None:
    """Raise Unsignable for a set that must not be added to this chain (section 5.1)."""
    last = older.instance if older else 0
    if instance > INSTANCE_MAX or (older and older.ended):
        raise Unsignable("no set may be added to this chain of ARC")
    if instance <= last:
        raise Unsignable(f"instance {last} of ARC is there already")
    if cv == "fail":
        return
    if instance > last + 1:
        raise Unsignable(f"no instance {instance - 1} of ARC")
    if older and older.fault:
        raise Unsignable(f"arc={cv}, but {older.fault}")


def _arc_result(value: bytes) -> str | None:
    """Return the first result of the method arc in results (RFC 8601 section 2.2), lower case."""
    text = []
    depth = 0
    for match in _TOKEN.finditer(value):
        token = match[0]
        if token == b"(":
            depth += 1
        elif token == b")":
            depth -= depth > 0
        elif not depth:
            text.append(b'""' if token.startswith(b'"') else token)
    for result in b"".join(text).split(b";"):
        found = _ARC.match(result)
        if found:
            return found[1].lower().decode("ascii")
    return None
