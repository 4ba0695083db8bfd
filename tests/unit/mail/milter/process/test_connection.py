"""A connection to one milter, before a milter that a test has made."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Coroutine
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from opensmtpd.errors import LocalError, ProtocolError, ServerLate, ServerLost
from opensmtpd.mail.milter.process.connection import MilterConnection, Timeouts
from opensmtpd.mail.milter.replies import AddHeader, MilterReply, PlainReply, ReplaceBody
from opensmtpd.mail.milter.reply_text import ReplyCode
from opensmtpd.mail.place import place
from unit.support.processes import until
from unit.support.scripted_milter import (
    CONTINUE,
    PROGRESS,
    REJECT,
    SKIP,
    STAGES,
    Heard,
    Last,
    Reply,
    ScriptedMilter,
    added,
    body,
    said,
)

FEW, MANY = 0.1, 60.0
NO_REPLIES = 0xDF080
"""The steps of a milter that replies to EOM only."""
PATIENT = Timeouts(MANY, MANY, MANY)
Act = Callable[[MilterConnection], Coroutine[Any, Any, None]]


def done(milter: ScriptedMilter, act: Act, timeouts: Timeouts = PATIENT) -> None:
    """Have a test of a connection, and close it."""

    async def run() -> None:
        made = MilterConnection(place(milter.place), timeouts)
        try:
            await act(made)
        finally:
            made.close()

    asyncio.run(run())


async def lead(made: MilterConnection, upto: str = "eom") -> MilterReply | None:
    """Lead a connection through the steps, and return the reply to the last."""
    session = made.session
    steps: dict[str, Callable[[], Any]] = {
        "connect": lambda: session.connect(b"", ip_address("192.0.2.5"), 25),
        "helo": lambda: session.helo(b"client.example"),
        "mail": lambda: session.mail(b"a@example.org"),
        "rcpt": lambda: session.rcpt(b"b@example.net"),
        "data": session.data,
        "header": lambda: session.header(b"From", b" a@example.org"),
        "eoh": session.eoh,
        "body": lambda: session.body(b"text\r\n"),
        "eom": session.eom,
    }
    await made.open()
    reply = None
    for name, step in steps.items():
        reply = await made.step(step())
        if name == upto:
            break
    return reply


def failure(
    replies: dict[bytes, Reply], upto: str = "eom", timeouts: Timeouts = PATIENT
) -> tuple[type[Exception], str]:
    """Return the error of the last step."""
    found: list[tuple[type[Exception], str]] = []

    async def act(made: MilterConnection) -> None:
        with pytest.raises((LocalError, ProtocolError)) as raised:
            await lead(made, upto)
        found.append((type(raised.value), str(raised.value)))

    with ScriptedMilter(replies) as milter:
        done(milter, act, timeouts)
        milter.gone()
    return found[0]


# --- replies --------------------------------------------------------------------------------------


@pytest.mark.parametrize("unix", [True, False])
def test_a_message(unix: bool, tmp_path: Path) -> None:
    async def act(made: MilterConnection) -> None:
        assert await lead(made) is PlainReply.CONTINUE
        assert made.modifications == []

    with ScriptedMilter(path=str(tmp_path / "s") if unix else "") as milter:
        done(milter, act)
        milter.gone()
    assert milter.letters() == b"OCHMRTLNBEQ"


def test_steps_without_a_reply() -> None:
    async def act(made: MilterConnection) -> None:
        assert await lead(made, "body") is None
        assert await made.step(made.session.eom()) is PlainReply.CONTINUE

    silent: dict[bytes, Reply] = dict.fromkeys(
        (b"C", b"H", b"M", b"R", b"T", b"L", b"N", b"B"), b""
    )
    with ScriptedMilter(silent, steps=NO_REPLIES) as milter:
        done(milter, act)
        milter.gone()
    assert milter.letters() == b"OCHMRTLNBEQ"


def test_steps_that_are_not_wanted() -> None:
    async def act(made: MilterConnection) -> None:
        assert await lead(made) is PlainReply.CONTINUE

    with ScriptedMilter(steps=0x37F) as milter:
        done(milter, act)
        milter.gone()
    assert milter.letters() == b"OEQ"


def test_modifications_are_kept_in_their_order() -> None:
    replies = {b"E": added(b"X", b"1") + PROGRESS + body(b"new") + added(b"Y", b"2") + CONTINUE}

    async def act(made: MilterConnection) -> None:
        assert await lead(made) is PlainReply.CONTINUE
        assert made.modifications == [
            AddHeader(b"X", b"1"),
            ReplaceBody(b"new"),
            AddHeader(b"Y", b"2"),
        ]
        made.abort()
        assert made.modifications == []

    with ScriptedMilter(replies) as milter:
        done(milter, act)


@pytest.mark.parametrize(
    ("reply", "found"),
    [
        (PROGRESS * 3 + CONTINUE, PlainReply.CONTINUE),
        (SKIP, PlainReply.SKIP),
        (said(b"451 4.7.1 Later"), ReplyCode(451, "4.7.1 Later")),
    ],
)
def test_replies(reply: bytes, found: object) -> None:
    async def act(made: MilterConnection) -> None:
        assert await lead(made, "header") == found

    with ScriptedMilter({b"L": reply}) as milter:
        done(milter, act)


def test_an_abort() -> None:
    async def act(made: MilterConnection) -> None:
        await lead(made, "rcpt")
        made.abort()
        await made.step(made.session.mail(b""))
        made.abort()
        made.abort()

    with ScriptedMilter() as milter:
        done(milter, act)
        milter.gone()
    assert milter.letters() == b"OCHMRAMAQ"


def test_a_close_amid_a_step() -> None:
    async def act(made: MilterConnection) -> None:
        await lead(made, "helo")
        waiting = asyncio.create_task(made.step(made.session.mail(b"")))
        await asyncio.to_thread(until, lambda: b"M" in milter.letters())
        waiting.cancel()
        made.close()
        made.close()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    with ScriptedMilter({b"M": b""}) as milter:
        done(milter, act)
        milter.gone()
    assert milter.letters() == b"OCHMQ"


def test_a_close_of_what_was_never_open() -> None:
    MilterConnection("/nowhere", PATIENT).close()


# --- failures -------------------------------------------------------------------------------------


def test_a_milter_that_is_not_there(tmp_path: Path) -> None:
    with ScriptedMilter() as milter:
        gone = milter.place
    for text, words in (
        (gone, "Connection refused"),
        (f"unix:{tmp_path}/none", "No such file or directory"),
        (f"unix:{tmp_path}", "Connection refused"),
        (f"unix:/{'x' * 200}", "AF_UNIX path too long"),
    ):

        async def act(where: str = text, why: str = words) -> None:
            made = MilterConnection(place(where), PATIENT)
            with pytest.raises(ServerLost) as raised:
                await made.open()
            assert str(raised.value) == why
            made.close()

        asyncio.run(act())


CLOSED = (ServerLost, "it has closed the connection")


@pytest.mark.parametrize(("step", "letter"), [("offer", b"O"), *STAGES.items()])
class TestAt:
    """At each stage."""

    def test_it_closes(self, step: str, letter: bytes) -> None:
        assert failure({letter: Last()}, step) == CLOSED

    def test_it_closes_amid_a_reply(self, step: str, letter: bytes) -> None:
        assert failure({letter: Last(b"\0\0\0\1")}, step) == CLOSED

    def test_it_says_nothing(self, step: str, letter: bytes) -> None:
        few = Timeouts(MANY, FEW, MANY)
        if step in ("header", "eoh", "body", "eom"):
            few = Timeouts(MANY, MANY, FEW)
        assert failure({letter: b""}, step, few) == (ServerLate, "it does not answer in time")

    @pytest.mark.parametrize(
        ("reply", "words"),
        [
            (b"220 mx.example ESMTP\r\n", "a frame of 842149920 bytes from the milter"),
            (b"\0\0\0\0", "a frame of 0 bytes from the milter"),
            (b"\xff" * 9, "a frame of 4294967295 bytes from the milter"),
        ],
    )
    def test_it_talks_garbage(self, step: str, letter: bytes, reply: bytes, words: str) -> None:
        assert failure({letter: reply}, step) == (ProtocolError, words)

    def test_a_reply_that_does_not_exist(self, step: str, letter: bytes) -> None:
        words = "an unknown reply b'X' from the milter"
        if step == "offer":
            words = "a reply b'X' from the milter to the offer"
        assert failure({letter: b"\0\0\0\1X"}, step) == (ProtocolError, words)


def test_progress_begins_the_wait_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    timeout_at = asyncio.timeout_at

    def watched(when: float) -> asyncio.Timeout:
        waits.append(when)
        return timeout_at(when)

    monkeypatch.setattr(asyncio, "timeout_at", watched)
    go_on = [threading.Event() for _ in range(3)]

    def slowly(heard: Heard) -> bytes:
        for each in go_on:
            milter.tell(heard, PROGRESS)
            each.wait()
        return CONTINUE

    async def act(made: MilterConnection) -> None:
        await lead(made, "body")
        waits.clear()
        waiting = asyncio.create_task(made.step(made.session.eom()))
        for count, each in enumerate(go_on):
            while len(waits) < count + 3:  # to write, to read the PROGRESS, to read what follows
                await asyncio.sleep(0.001)
            each.set()
        assert await waiting is PlainReply.CONTINUE

    with ScriptedMilter({b"E": slowly}) as milter:
        done(milter, act, Timeouts(MANY, MANY, MANY + 1))
    assert waits == sorted(waits)
    assert len(waits) == len(set(waits)) == 5


def test_all_that_smtpd_waits_for_has_an_end() -> None:
    """However often the milter says that it is at work."""

    async def act(made: MilterConnection) -> None:
        await lead(made, "body")
        made.until = time.monotonic()
        with pytest.raises(ServerLate, match=r"^it does not answer in time$"):
            await made.step(made.session.eom())

    with ScriptedMilter({b"E": PROGRESS}) as milter:
        done(milter, act)


def test_a_milter_that_is_at_work_and_then_silent() -> None:
    found = failure({b"E": PROGRESS}, timeouts=Timeouts(MANY, MANY, FEW))
    assert found == (ServerLate, "it does not answer in time")


def test_replies_that_nobody_asked_for() -> None:
    assert failure({b"M": CONTINUE + CONTINUE}) == (
        ProtocolError,
        "a reply from the milter that nobody asked for",
    )


@pytest.mark.parametrize("words", [CONTINUE, REJECT, CONTINUE[:3]])
def test_what_comes_between_two_steps_is_no_reply(words: bytes) -> None:
    """Else a message would get the verdict on the one before."""
    more = threading.Event()

    def end(heard: Heard) -> bytes:
        def say_more() -> None:
            more.wait()
            milter.tell(heard, words)

        threading.Thread(target=say_more).start()
        return CONTINUE

    async def act(made: MilterConnection) -> None:
        assert await lead(made) is PlainReply.CONTINUE
        more.set()
        while not made._bytes.waiting:
            await asyncio.sleep(0.001)
        with pytest.raises(ProtocolError, match=r"^the milter said something that nobody asked"):
            await made.step(made.session.mail(b"a@example.org"))

    with ScriptedMilter({b"E": end}) as milter:
        done(milter, act)


def test_a_milter_that_takes_nothing() -> None:
    """The system has room for some of what it does not read."""
    on = threading.Event()

    def stop(heard: Heard) -> bytes:
        on.wait()
        return b""

    async def act(made: MilterConnection) -> None:
        await lead(made, "eoh")

        async def pour() -> None:
            for _ in range(10_000):
                await made.step(made.session.body(b"x" * 65_535))

        with pytest.raises(ServerLate, match=r"^it does not answer in time$"):
            await pour()

    with ScriptedMilter({b"N": stop}, steps=0xC0000) as milter:  # no reply to EOH and BODY
        done(milter, act, Timeouts(MANY, MANY, 1.0))
        on.set()


def test_a_connection_that_is_never_made() -> None:
    """A server that has no room for another connection leaves it waiting."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        at = server.getsockname()
        fillers = [socket.socket() for _ in range(4)]
        for each in fillers:
            each.setblocking(False)
            each.connect_ex(at)

        async def act() -> None:
            made = MilterConnection((at[0], at[1]), Timeouts(FEW, MANY, MANY))
            with pytest.raises(ServerLate, match=r"^no connection in time$"):
                await made.open()

        asyncio.run(act())
        for each in fillers:
            each.close()
