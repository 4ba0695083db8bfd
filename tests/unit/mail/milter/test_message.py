"""A message that milters see: what is sent to the worker, and what its edits become."""

from typing import Any

import pytest

from opensmtpd.filter import Disconnect, Reject
from opensmtpd.filter.field import Field
from opensmtpd.mail.milter import message as module
from opensmtpd.mail.milter.client import MilterClient
from opensmtpd.mail.milter.message import MilterMail, value_of
from opensmtpd.mail.milter.process import orders
from opensmtpd.testing import run_message
from opensmtpd.worker.frames import pack
from unit.support.milter_mail import MESSAGE, NEW_SESSION, below, front, make, talk
from unit.support.scripted_milter import CONTINUE, REJECT, ScriptedMilter, added, large, said

NOTHING: list[Any] = [[], [], [], None, [], []]


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b"A: 1", b" 1"),
        (b"A:", b""),
        (b"A:b:c", b"b:c"),
        (b"A : 1\n 2", b" 1\n 2"),
        (b"A:" + b"x" * 70_000, b"x" * 65_535),
    ],
)
def test_values(raw: bytes, value: bytes) -> None:
    assert value_of(Field(raw, 1, 2)) == value


# --- fields on top --------------------------------------------------------------------------------


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[list[Any]]:
    """The requests to the worker, without the numbers of chains."""
    found: list[list[Any]] = []
    ask = MilterClient.ask

    def watched(self: Any, order: int, *arguments: Any) -> Any:
        found.append([order, *arguments])
        return ask(self, order, *arguments)

    monkeypatch.setattr(MilterClient, "ask", watched)
    return found


def sent(asked: list[list[Any]], order: int) -> list[list[Any]]:
    return [request[1:] for request in asked if request[0] == order]


def send(message: bytes = MESSAGE, replies: Any = None, line: str = "", **client: Any) -> Any:
    with ScriptedMilter(replies) as milter:
        filter = make(milter, line=line)
        outcome = run_message(filter, message, **client)
        filter.stop()
    return outcome


def test_smtpds_own_field_is_not_shown(asked: list[list[Any]]) -> None:
    outcome = send(b"Received: from old\nSubject: x\n")
    assert outcome.accepted
    assert sent(asked, orders.FIELDS) == [
        [[[b"Received", b" from old"], [b"Subject", b" x"]], 1, True]
    ]


class Top(MilterMail):
    """A message on which filters and smtpd have put fields, above smtpd's own."""

    tops: tuple[bytes, ...] = ()

    async def shown(self) -> Any:
        for each in reversed(self.tops):
            self.prepend(*each.split(b": "))
        return await super().shown()


def test_fields_above_are_not_shown(
    asked: list[list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("opensmtpd_filters.milter.MilterMail", Top)
    monkeypatch.setattr(Top, "tops", (b"X-Spam: Yes", b"Subject: forged"))
    edits = b"".join(large(b"i", at.to_bytes(4) + b"I%d\0x\0" % at) for at in (3, 2, 1, 0)) + large(
        b"m", (1).to_bytes(4) + b"Subject\0new\0"
    )
    outcome = send(b"Subject: x\nTo: y\n\ntext\n", {b"E": edits + CONTINUE})
    assert sent(asked, orders.FIELDS) == [[[[b"Subject", b" x"], [b"To", b" y"]], 3, True]]
    assert front(outcome) == b"X-Spam: Yes\nSubject: forged\n"
    assert below(outcome) == b"I0: x\nI1: x\nSubject: new\nI2: x\nTo: y\nI3: x\n\ntext\n"


@pytest.mark.parametrize("name", [b"received", b"RECEIVED"])
def test_names_in_any_case(name: bytes, asked: list[list[Any]]) -> None:
    assert send(name + b": x\n").accepted
    assert sent(asked, orders.FIELDS)[0][0] == [[name, b" x"]]


# --- parts ----------------------------------------------------------------------------------------


def test_fields_in_parts(asked: list[list[Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PART", 10)
    assert send(b"A: 1\nB: 23456789\nC: 3\n").accepted
    assert sent(asked, orders.FIELDS) == [
        [[[b"A", b" 1"], [b"B", b" 23456789"]], 1, False],
        [[[b"C", b" 3"]], 1, True],
    ]


@pytest.mark.parametrize(
    ("message", "parts"),
    [
        (b"A: 1\n\nab\ncd\nef\n", b"ab\ncd\nef\n"),
        (b"A: 1\n\n", b""),
        (b"A: 1\n", b""),
        (b"", b""),
        (b"\n.\n..\n", b".\n..\n"),
        (b"A: 1\n\n\n\n", b"\n\n"),
    ],
)
@pytest.mark.parametrize("size", [1, 7, 100, 1000])
def test_the_body_in_parts(
    message: bytes,
    parts: bytes,
    size: int,
    asked: list[list[Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However the boundary between header and body lies to the parts."""
    monkeypatch.setattr(module, "PART", size)
    outcome = send(message)
    assert below(outcome) == message
    found = [part for _, _, part in sent(asked, orders.BODY)]
    assert b"".join(found) == parts
    assert all(found)


# --- the end --------------------------------------------------------------------------------------


def test_edits_in_parts(monkeypatch: pytest.MonkeyPatch, asked: list[list[Any]]) -> None:
    whole = pack([[], [], [[1, b"X", b" 1"]], None, [], []])
    asked_of = MilterClient.ask

    def cut(self: Any, order: int, *arguments: Any) -> Any:
        reply = asked_of(self, order, *arguments)
        if order != orders.EDITS:
            return reply
        return reply.then(lambda _: [len(whole), whole[arguments[0] :][:3]])

    monkeypatch.setattr(MilterClient, "ask", cut)
    assert below(send(b"A: 1\n\n")) == b"A: 1\nX: 1\n\n"
    assert [each for (each,) in sent(asked, orders.EDITS)] == [*range(0, len(whole), 3)]


@pytest.mark.parametrize("line", ["", "--fail open"])
def test_edits_that_are_lost(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message is refused with --fail open, too: the milters have decided."""
    asked_of = MilterClient.ask

    def lose(self: Any, order: int, *arguments: Any) -> Any:
        reply = asked_of(self, order, *arguments)
        return reply if order != orders.EDITS else reply.then(lambda _: [100, b""])

    monkeypatch.setattr(MilterClient, "ask", lose)
    outcome = send(replies={b"E": added(b"X", b"1") + CONTINUE}, line=line)
    assert outcome.log[0] == f'{NEW_SESSION}milter-lost reason="the changes of milters are lost"'
    assert outcome.reply == b"451 4.7.1 Service unavailable, please try again later"


def test_decisions_of_the_end() -> None:
    for reply, kind in ((REJECT, Reject), (said(b"421 4.7.1 x"), Disconnect)):
        with ScriptedMilter({b"E": reply}) as milter, talk(milter) as mta:
            client = mta.greeted()
            mta.mail(client)
            assert client.connected is (kind is Reject)
            assert client.transactions[0].fate == "rejected"
