"""Findings of DNS lists about a client: all lists are asked in one step."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from opensmtpd.dns import Failed, Found, Lookup, Question, RecordType, Reply
from opensmtpd.log import log
from opensmtpd.mail.client import Client
from opensmtpd.mail.dnsbl.health import Health
from opensmtpd.mail.dnsbl.lists import List
from opensmtpd.mail.dnsbl.return_codes import complaint, listed


class Asked(NamedTuple):
    """A list and the question to it."""

    list: List
    who: str
    """The address or name that it is asked for, for people."""
    question: Question


class Listed(NamedTuple):
    """A finding: the address or name is on the list."""

    asked: Asked
    codes: tuple[str, ...]
    """The return codes that count, at least one."""
    text: str = ""
    """The list's TXT record, where the text of the refusal has it; it may hold any characters."""

    @property
    def list(self) -> List:
        """Return the list."""
        return self.asked.list

    @property
    def words(self) -> str:
        """Return it for people."""
        return f"{self.asked.who} is listed at {self.list.shown} ({', '.join(self.codes)})"

    @property
    def fields(self) -> dict[str, str]:
        """Return the values of the fields that the text of a refusal may have in braces."""
        return {"list": self.list.shown, "code": ", ".join(self.codes), "txt": self.text}


class Unknown(NamedTuple):
    """A finding: the list could not be asked."""

    list: List
    reason: str

    @property
    def words(self) -> str:
        """Return it for people."""
        return f"{self.list.shown} could not be asked: {self.reason}"


ListFinding: TypeAlias = Listed | Unknown


def questions(lists: Iterable[List], client: Client) -> Iterator[Asked]:
    """Yield the questions to the lists; a list without a question for this client is left out."""
    for each in lists:
        who = each.subject_of(client)
        question = None if who is None else each.question(who)
        if question is not None:
            yield Asked(each, str(who), question)


def ask(asked: Sequence[Asked], health: Health) -> Lookup[Sequence[ListFinding]]:
    """Return the findings of the lists, in their order; all are asked at once.

    ``health`` decides which lists are asked, and learns from their replies.
    """
    probes = {each.list.probe: each.list for each in asked}
    healthy = [probe for probe, each in probes.items() if health.asks(each)]
    ready = [each for each in asked if each.list.probe in healthy]
    said: Mapping[Question, Reply] = {}
    if ready:
        said = yield from _replies([*(each.question for each in ready), *healthy])
    found = [finding for each in asked if (finding := _finding(each, said, health)) is not None]
    if not any(_wants_text(finding) for finding in found):
        return found
    return (yield from _with_texts(found))


def _replies(questions: Sequence[Question]) -> Lookup[Mapping[Question, Reply]]:
    """Return the replies by question; each question is asked once."""
    different = list(dict.fromkeys(questions))
    replies = yield different
    return dict(zip(different, replies, strict=True))


def _finding(asked: Asked, said: Mapping[Question, Reply], health: Health) -> ListFinding | None:
    each = asked.list
    if each.probe not in said:
        # A finding for the client would be missed, a finding against it is not.
        return Unknown(each, "it is left out for now") if each.spares else None
    reply, probe = said[asked.question], said[each.probe]
    for answer in (reply, probe):
        wrong = complaint(answer.records, each.allow) if isinstance(answer, Found) else None
        if wrong is not None:
            health.refused(each, wrong)
            return Unknown(each, wrong) if each.spares else None
    if not isinstance(probe, Failed):  # a failure leaves the last result of the probe
        health.probed(each, isinstance(probe, Found))
    if isinstance(reply, Failed):
        if reply.ours:
            return Unknown(each, reply.reason)
        health.failed(each, asked.question, reply.reason)
        return Unknown(each, reply.reason)
    health.answered(each, reply.received_at)
    codes = listed(reply.records, each.masks) if isinstance(reply, Found) else []
    return Listed(asked, tuple(codes)) if codes and health.believed(each) else None


def _wants_text(finding: ListFinding) -> bool:
    return isinstance(finding, Listed) and finding.list.wants_text


def _with_texts(found: Sequence[ListFinding]) -> Lookup[Sequence[ListFinding]]:
    """Return the findings with their texts; only lists with a finding are asked for theirs."""
    questions = [_text(each) for each in found if isinstance(each, Listed) and _wants_text(each)]
    said = yield from _replies(questions)
    # Without the text, ``-`` stands in its place.
    return [
        each._replace(text=reply.records[0])
        if isinstance(each, Listed) and isinstance(reply := said.get(_text(each)), Found)
        else each
        for each in found
    ]


def _text(finding: Listed) -> Question:
    return finding.asked.question._replace(kind=RecordType.TXT)


def log_findings(session: str, asked: Sequence[Asked], findings: Sequence[ListFinding]) -> None:
    """Log each listing, or that no list had a finding."""
    for each in findings:
        if isinstance(each, Listed):
            codes, score = ",".join(each.codes), each.list.score
            name, who = each.list.shown, each.asked.who
            log("listed", session, list=name, who=who, code=codes, score=score)
    if asked and not findings:
        who = ",".join(dict.fromkeys(each.who for each in asked))
        log("not-listed", session, who=who, lists=",".join(each.list.shown for each in asked))
