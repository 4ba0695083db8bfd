"""A DNS of plain data, a record a line as zone files have them, for tests of lookups."""

from collections.abc import Iterable
from typing import Any

from opensmtpd.dns import Failed, Found, Lookup, Question, RecordType, Reply, run_lookup
from opensmtpd.testing import Zone

SLOW = Failed("timed out")


def replies(*lines: str, slow: Iterable[str] = ()) -> dict[Question, Reply]:
    """Return the replies: lines are ``NAME TYPE TEXT``, those of ``slow`` are ``NAME TYPE``."""
    found: dict[Question, tuple[str, ...]] = {}
    for line in lines:
        name, kind, text = line.split(" ", 2)
        question = Question(name, RecordType(kind))
        found[question] = (*found.get(question, ()), text)
    told: dict[Question, Reply] = {question: Found(texts) for question, texts in found.items()}
    for line in slow:
        name, kind = line.split(" ")
        told[Question(name, RecordType(kind))] = SLOW
    return told


def result(lookup: Lookup[Any], *lines: str, slow: Iterable[str] = ()) -> Any:
    """Return the result of a lookup in such a DNS."""
    return run_lookup(lookup, Zone(replies(*lines, slow=slow)), 1.0)
