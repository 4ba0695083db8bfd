"""The sets of a chain, found in a header, and the rules for their structure (RFC 8617 section 5.2).

Sets are known by their instance, ``i=``. The place of a field in the header means nothing.
"""

import re
from typing import NamedTuple

from opensmtpd.errors import PermError
from opensmtpd.mail.dkim.canonical_header import HeaderField
from opensmtpd.mail.dkim.verify.signed_data import Fields
from opensmtpd.mail.dkim.verify.tags import number, required, tag_list

INSTANCE_MAX = 50
"""The last instance that there may be (section 4.2.1)."""
RESULTS, MESSAGE, SEAL = b"arc-authentication-results", b"arc-message-signature", b"arc-seal"
"""The fields of a set, in the order in which a seal covers them (section 5.1.1)."""
NAMES = {
    RESULTS: "ARC-Authentication-Results",
    MESSAGE: "ARC-Message-Signature",
    SEAL: "ARC-Seal",
}

# Ends at the semicolon: nothing of the results themselves is read here.
_INSTANCE = re.compile(rb"[ \t\n]*i[ \t\n]*=[ \t\n]*([0-9]{1,2})[ \t\n]*;")
_BEGINNING_MAX = 1000
"""Octets in which an instance must end: comments in front of it take time."""
_COMMENT = re.compile(rb"\\.?|[();]|[^()\\;]++", re.DOTALL)


class ArcField(NamedTuple):
    """One of the three fields of a set."""

    field: HeaderField
    tags: dict[bytes, bytes]
    """Its tags; {} for ARC-Authentication-Results, which has none."""


class ArcSet(NamedTuple):
    """The fields that one mail system has added."""

    results: ArcField
    message: ArcField
    seal: ArcField


class Chain(NamedTuple):
    """All sets of a header."""

    sets: list[ArcSet]
    """The sets from the oldest, 1, to the newest; [] where ``fault`` says what is wrong."""
    instance: int
    """The highest instance that a field has, 0 where none has one from 1 to 50."""
    fault: str = ""
    """The rule that is broken, "" for none."""
    ended: bool = False
    """True where no set may follow: the newest seal says ``cv=fail``, or there are 50 sets."""


def find_chain(fields: Fields) -> Chain | None:
    """Return the chain in a header, None where no field of ARC is there."""
    named = {kind: fields.named(kind) for kind in NAMES}
    if not any(named.values()):
        return None
    if max(map(len, named.values())) > INSTANCE_MAX:
        return Chain([], INSTANCE_MAX, f"more than {INSTANCE_MAX} sets", ended=True)
    known: dict[bytes, dict[int, ArcField]] = {kind: {} for kind in NAMES}
    fault = ""
    for kind, found in named.items():
        for field in found:
            try:
                instance, one = _read(kind, field)
                if instance in known[kind]:
                    raise PermError(f"two of instance {instance}")
                known[kind][instance] = one
            except PermError as error:
                fault = fault or f"{NAMES[kind]}: {error}"
    newest = max((instance for read in known.values() for instance in read), default=0)
    if newest > INSTANCE_MAX:
        return Chain([], INSTANCE_MAX, f"instance above {INSTANCE_MAX}", ended=True)
    last = known[SEAL].get(newest)
    if last is not None and last.tags.get(b"cv") == b"fail":
        return Chain([], newest, f"ARC-Seal of instance {newest} says cv=fail", ended=True)
    fault = fault or _fault(known, newest)
    sets = (
        []
        if fault
        else [
            ArcSet(*[read[instance] for read in known.values()])
            for instance in range(1, newest + 1)
        ]
    )
    return Chain(sets, newest, fault, ended=newest == INSTANCE_MAX)


def _fault(known: dict[bytes, dict[int, ArcField]], newest: int) -> str:
    """Return the rule that the sets break, "" for none (section 5.2 step 3)."""
    for instance in range(1, newest + 1):
        for kind, read in known.items():
            if instance not in read:
                return f"no {NAMES[kind]} of instance {instance}"
        expected = "pass" if instance > 1 else "none"
        if known[SEAL][instance].tags.get(b"cv") != expected.encode("ascii"):
            return f"cv= of instance {instance} is not {expected}"
    return ""


def _read(kind: bytes, field: HeaderField) -> tuple[int, ArcField]:
    """Return the instance of a field, and its tags. Raises PermError where it has none."""
    if kind == RESULTS:
        return results_instance(field[2]), ArcField(field, {})
    tags = tag_list(field[2])
    required(tags, b"i")
    return _positive(number(tags, b"i", 2) or 0), ArcField(field, tags)


def results_instance(value: bytes) -> int:
    """Return the instance of an ARC-Authentication-Results field (section 4.1.1).

    Raises PermError where its first 1000 octets do not begin with one.
    """
    match = _INSTANCE.match(_beginning(value[:_BEGINNING_MAX]))
    if match is None:
        raise PermError("no instance")
    return _positive(int(match[1]))


def _positive(instance: int) -> int:
    if not instance:
        raise PermError("instance 0")
    return instance


def _beginning(value: bytes) -> bytes:
    """Return the value up to its first semicolon, comments left out; they nest."""
    parts = []
    depth = 0
    for match in _COMMENT.finditer(value):
        token = match[0]
        if token == b"(":
            depth += 1
        elif token == b")" and depth:
            depth -= 1
        elif not depth:
            parts.append(token)
            if token == b";":
                break
    return b"".join(parts)
