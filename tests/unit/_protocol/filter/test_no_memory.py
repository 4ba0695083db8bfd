"""No memory, at any line of the engine: no answer is lost or doubled, and no lines of a message."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from opensmtpd import _protocol
from opensmtpd._protocol.filter.data_lines import Policy, Transfers
from opensmtpd._protocol.filter.message import Message
from opensmtpd._protocol.filter.spool import Budget
from opensmtpd.filter import (
    PROCEED,
    Commit,
    CommitDecision,
    EditedMessage,
    Filter,
    HeldMessage,
    MailFrom,
    MessageHandler,
    ParameterDecision,
    Session,
    StreamedMessage,
)
from unit.support.handlers import POLICIES
from unit.support.no_memory import failing_at
from unit.support.talk import M, Talk, data, report, request

ENGINE = str(Path(next(iter(_protocol.__path__))))
LINES = (b"From: a@b.example", b"Subject: x", b"", b"..dot", b"body %s" % (b"x" * 200), b"end")
PLACES, STEP = 400, 7
"""Allocations in the longest read and more, and the share of them that each case strikes."""
SESSIONS = tuple(b"%016x" % number for number in (1, 2, 3))


class Front(HeldMessage):
    def end(self) -> list[bytes]:
        return [b"X-Front: yes"]


class Seen(Filter):
    """Has the handlers that make a filter take part in all that is sent here."""

    def __init__(self, make: Callable[[], MessageHandler]) -> None:
        self._make = make

    def on_mail_from(self, session: Session, request: MailFrom) -> ParameterDecision:
        return PROCEED

    def on_message(self, session: Session) -> MessageHandler:
        return self._make()

    def on_commit(self, session: Session, request: Commit) -> CommitDecision:
        return PROCEED


KINDS = pytest.mark.parametrize(
    ("make", "front"),
    [(StreamedMessage, []), (Front, [b"X-Front: yes"]), (EditedMessage, [])],
    ids=lambda value: getattr(value, "__name__", ""),
)


def token(session: bytes, number: int) -> bytes:
    return b"%015x%x" % (number, int(session, 16))


def conversation() -> list[bytes]:
    """Return reads of a filter: three sessions whose lines come in turn, cut anywhere."""
    mail = [request(b"mail-from", b"a@b", session=s, token=token(s, 1)) for s in SESSIONS]
    half = [data(*LINES[:3], session=s) for s in SESSIONS]
    rest = [data(*LINES[3:], b".", session=s) for s in SESSIONS]
    commit = [request(b"commit", session=s, token=token(s, 2)) for s in SESSIONS]
    over = [
        report(b"tx-reset", session=s) + report(b"link-disconnect", session=s) for s in SESSIONS
    ]
    first, second = b"".join(mail + half), b"".join(rest)
    return [first[:700], first[700:], second[:50], second[50:], b"".join(commit), b"".join(over)]


def heard(out: bytes, session: bytes) -> tuple[list[bytes], dict[bytes, list[bytes]]]:
    """Return the lines of a session's message, and the decisions of each of its requests."""
    lines, decisions = [], dict[bytes, list[bytes]]()
    for line in out.splitlines():
        kind, whose, mark, rest = line.split(b"|", 3)
        if whose != session:
            continue
        if kind == b"filter-dataline":
            assert mark == M
            lines.append(rest)
        else:
            decisions.setdefault(mark, []).append(rest)
    return lines, decisions


@KINDS
@pytest.mark.parametrize("memory", [10_000, 40])
@POLICIES
def test_no_memory_at_any_line(
    make: Callable[[], MessageHandler], front: list[bytes], memory: int, policy: Policy
) -> None:
    number, failed = 0, []
    while True:
        talk = Talk(Seen(make), on_failure=policy, budget=Budget(memory, memory))
        out = b""
        with failing_at(number, ENGINE) as struck:
            for read in conversation():
                try:
                    talk.protocol.receive(read, 0.0)
                except MemoryError:
                    talk.protocol.receive(read, 0.0)  # nothing was taken
                for _ in range(4):
                    try:
                        out += talk.protocol.data_to_send()
                    except MemoryError:
                        continue  # the loop asks again
        out += talk.drain()
        if not struck:
            break
        number += 1
        failed += [f"{struck[0]}: {fault}" for fault in faults(out, front)]
    assert not failed
    assert number > 100


@KINDS
@pytest.mark.parametrize("window", [1, 3, 40])
@POLICIES
def test_no_memory_for_some_allocations_in_a_row(
    make: Callable[[], MessageHandler], front: list[bytes], window: int, policy: Policy
) -> None:
    """Real allocations fail in one read, from each STEP-th on: another one first in each read."""
    interpreter = pytest.importorskip("_testcapi")
    failed = []
    reads = conversation()
    for struck in range(len(reads)):
        for start in range((struck + len(policy) + window) % STEP, PLACES, STEP):
            talk = Talk(Seen(make), on_failure=policy, budget=Budget(10_000, 10_000))
            out = []
            for number, read in enumerate(reads):
                taken = True
                if number == struck:
                    interpreter.set_nomemory(start, start + window)
                try:
                    talk.protocol.receive(read, 0.0)
                except MemoryError:
                    taken = False
                interpreter.remove_mem_hooks()
                if not taken:
                    talk.protocol.receive(read, 0.0)
                out.append(talk.drain())
            found = faults(b"".join(out), front, refusals=min(window, len(SESSIONS)))
            failed += [f"read {struck}, allocation {start}: {fault}" for fault in found]
    assert not failed


def test_no_memory_again_and_again_at_the_last_run_of_a_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The read was taken: given again, its request would be answered twice."""
    first, second, third = SESSIONS
    talk = Talk(Seen(StreamedMessage))
    for session in SESSIONS[:2]:
        talk.protocol.receive(data(b"From: a", b"", session=session), 0.0)
    talk.drain()
    with monkeypatch.context() as patch:
        left = 3

        def fail(*_: object) -> None:
            nonlocal left
            left -= 1
            if not left:
                patch.undo()
            raise MemoryError

        patch.setattr(Message, "_receive", fail)
        patch.setattr(Transfers, "_fail", fail)
        mail = request(b"mail-from", b"a@b", session=third, token=token(third, 1))
        read = data(b"a", session=first) + mail + data(b"b", session=second)
        talk.protocol.receive(read, 0.0)
    assert talk.drain().count(b"filter-result|") == 1
    assert not left


def faults(out: bytes, front: list[bytes], refusals: int = 1) -> Iterator[str]:
    """Yield the faults in what smtpd was sent; so many messages may be refused."""
    refused = 0
    for session in SESSIONS:
        lines, decisions = heard(out, session)
        if any(len(given) != 1 for given in decisions.values()) or len(decisions) != 2:
            yield f"answers: {decisions}"
        elif lines.count(b".") != 1 or lines[-1] != b".":
            yield f"dots: {lines}"
        elif decisions[token(session, 2)] == [b"proceed"]:
            if lines not in ([*front, *LINES, b"."], [*LINES, b"."]):
                yield f"accepted, and lines are lost: {lines}"
        else:
            refused += 1
    if refused > refusals:
        yield f"{refused} messages were refused"
