"""The DNS of a published case: names with records, and the replies that follow."""

from typing import Any, NamedTuple, TypeVar

from opensmtpd.dns import Absent, Failed, Found, Lookup, Question, Reply
from opensmtpd.mail.dmarc.author import Authors
from opensmtpd.mail.dmarc.policy import DmarcResult, Organizational, evaluate

T = TypeVar("T")

Data = dict[str, Any]
"""A name, and either ``SERVFAIL`` or its records by their type."""


class Spf(NamedTuple):
    """The result of MAIL FROM."""

    result: str = "none"
    domain: str = ""


class Dkim(NamedTuple):
    """The result of a signature."""

    result: str
    domain: str
    partial: bool = False


def reply_to(question: Question, zone: Data) -> Reply:
    """Return what a name server of this zone would say."""
    found = zone.get(question.name)
    if isinstance(found, str):
        return Failed(found)
    if found is None:
        below = any(name.endswith("." + question.name) for name in zone)
        return Absent(nxdomain=not below)
    if "CNAME" in found:
        return reply_to(Question(found["CNAME"][0], question.kind), zone)
    records = found.get(question.kind.value, [])
    texts = tuple("".join(each) for each in records)
    return Found(texts) if texts else Absent()


def run(lookup: Lookup[T], zone: Data) -> tuple[T, list[list[Question]]]:
    """Return the result of a lookup, and the questions of each of its rounds."""
    rounds: list[list[Question]] = []
    replies: Any = None
    while True:
        try:
            step = lookup.send(replies)
        except StopIteration as end:
            return end.value, rounds
        assert isinstance(step, list)
        rounds.append(step)
        replies = [reply_to(question, zone) for question in step]


def judged(
    author: str,
    zone: dict[str, str | list[str]],
    *dkim: Dkim,
    spf: Spf | None = None,
    psl: Organizational | None = None,
) -> DmarcResult:
    """Return the result for a zone of TXT records only."""
    data: Data = {
        name: text if text == "SERVFAIL" else {"TXT": [text] if isinstance(text, str) else text}
        for name, text in zone.items()
    }
    return run(evaluate(Authors((author,)), spf or Spf(), dkim, psl), data)[0]
