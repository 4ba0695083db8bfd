"""The worker's side: orders come in, and milters are talked to."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from math import inf
from pathlib import Path
from typing import Any

import pytest

from opensmtpd.backends.network import names
from opensmtpd.errors import LocalError, ServerLate, ServerLost, Unavailable
from opensmtpd.mail.milter.process import orders
from opensmtpd.mail.milter.process import worker as module
from opensmtpd.mail.milter.process.worker import MilterWorker, UnknownChain
from opensmtpd.mail.place import place
from opensmtpd.needs import Needs
from opensmtpd.worker.frames import LOADED_MAX, FrameBuffer
from unit.support.processes import until
from unit.support.scripted_milter import (
    CONTINUE,
    PROGRESS,
    Heard,
    Last,
    ScriptedMilter,
    added,
    body,
)

FEW, MANY = 0.1, 60.0
GOES_ON = [0, 0, "", -1, True, False, []]
CONNECT = [inf, b"client.example", "192.0.2.5", 40721, {}]
Act = Callable[[], Coroutine[Any, Any, None]]


def worker(*places: str, opens: bool = False, seconds: float = MANY) -> MilterWorker:
    made = MilterWorker()
    plain = [each if isinstance(each, str) else list(each) for each in map(place, places)]
    made.load([plain, [seconds] * 3, opens])
    return made


def done(act: Act) -> None:
    asyncio.run(act())


async def seen(happens: Callable[[], bool]) -> None:
    """Wait for something that the milter sees."""
    await asyncio.to_thread(until, happens)


async def lead(made: MilterWorker, number: int = 1) -> None:
    """Lead a chain to where the content begins."""
    for order, *arguments in (
        [orders.CONNECT, *CONNECT],
        [orders.HELO, inf, b"client.example", {}],
        [orders.MAIL, inf, b"a@example.org", {}],
        [orders.RCPT, inf, b"b@example.net", {}],
        [orders.DATA, inf, {}],
    ):
        assert await made.answer([order, number, *arguments]) == GOES_ON
    assert await made.answer([orders.FIELDS, number, [[b"From", b" a"]], 1, False]) is True
    assert await made.answer([orders.FIELDS, number, [[b"To", b" b"]], 1, True]) is True


@contextmanager
def held(letter: bytes) -> Iterator[tuple[ScriptedMilter, threading.Event]]:
    """Have a milter that waits for the test at a command."""
    on = threading.Event()

    def wait(heard: Heard) -> bytes:
        on.wait()
        return CONTINUE

    with ScriptedMilter({letter: wait}) as milter:
        try:
            yield milter, on
        finally:
            on.set()


# --- setup ----------------------------------------------------------------------------------------


def test_a_unix_socket_is_all_that_it_needs() -> None:
    assert worker("unix:/run/a", "/run/b").needs == Needs(sockets=("/run/a", "/run/b"))


def test_the_needs_of_hosts() -> None:
    made = worker("inet:1@h.example", "/run/a")
    assert made.needs == Needs(sockets=("/run/a",)) | names.NEEDS
    assert worker("inet:1@192.0.2.1").needs == names.NEEDS


# --- steps ----------------------------------------------------------------------------------------


def test_two_chains_at_the_same_time() -> None:
    with ScriptedMilter() as milter:
        made = worker(milter.place)

        async def act() -> None:
            await asyncio.gather(lead(made, 1), lead(made, 2))
            for number in (2, 1):
                for order, *arguments in (
                    [orders.CONTENT, inf, 0, {}],
                    [orders.BODY, inf, 0, b"%d\n" % number],
                    [orders.EOM, inf, 0, {}],
                ):
                    assert await made.answer([order, number, *arguments]) == GOES_ON
                length, part = await made.answer([orders.EDITS, number, 0])
                assert (length, list(FrameBuffer().feed(part))) == (
                    len(part),
                    [[[], [], [], None, [], []]],
                )
                assert await made.answer([orders.QUIT, number]) is True
            await seen(lambda: len(milter.ends) == 2)

        done(act)
    assert [milter.letters(number) for number in (0, 1)] == [b"OCHMRTLLNBEQ"] * 2
    assert milter.data(b"B") == [b"2\r\n", b"1\r\n"]
    assert milter.fields() == [b"From:a", b"To:b"] * 2


def test_a_second_connect_closes_the_first() -> None:
    with ScriptedMilter() as milter:
        made = worker(milter.place)

        async def act() -> None:
            for _ in range(2):
                assert await made.answer([orders.CONNECT, 1, *CONNECT]) == GOES_ON
            await seen(lambda: milter.ends == [0])
            assert await made.answer([orders.HELO, 1, inf, b"x", {}]) == GOES_ON

        done(act)
    assert [milter.letters(number) for number in (0, 1)] == [b"OCQ", b"OCH"]


@pytest.mark.parametrize(
    "request_",
    [
        [orders.HELO, 7, inf, b"x", {}],
        [orders.MAIL, 7, inf, b"x", {}],
        [orders.CONTENT, 7, inf, 0, {}],
        [orders.FIELDS, 7, [], 1, True],
        [orders.EDITS, 7, 0],
        [orders.WAIT, 7],
    ],
)
def test_a_chain_that_is_not_there(request_: list[Any]) -> None:
    """This process has taken the place of another one."""
    made = worker("/run/x")

    async def act() -> None:
        with pytest.raises(UnknownChain, match=r"^the connections to the milters are gone$"):
            await made.answer(request_)
        for order in (orders.ABORT, orders.QUIT):
            assert await made.answer([order, 7]) is True

    done(act)
    assert issubclass(UnknownChain, Unavailable)


# --- BEAT and WAIT --------------------------------------------------------------------------------


def test_a_milter_that_takes_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BEAT", 0.01)
    with held(b"M") as (milter, on):
        made = worker(milter.place)

        async def act() -> None:
            monkeypatch.setattr(module, "BEAT", MANY)
            await made.answer([orders.CONNECT, 1, *CONNECT])
            await made.answer([orders.HELO, 1, inf, b"x", {}])
            monkeypatch.setattr(module, "BEAT", 0.01)
            assert await made.answer([orders.MAIL, 1, inf, b"a", {}]) is None
            for _ in range(3):
                assert await made.answer([orders.WAIT, 1]) is None
            with pytest.raises(LocalError, match=r"^a step to milters that are not done with the"):
                await made.answer([orders.MAIL, 1, inf, b"a", {}])
            on.set()
            monkeypatch.setattr(module, "BEAT", MANY)
            assert await made.answer([orders.WAIT, 1]) == GOES_ON
            with pytest.raises(UnknownChain):
                await made.answer([orders.WAIT, 1])
            assert await made.answer([orders.RCPT, 1, inf, b"b", {}]) == GOES_ON

        done(act)
    assert milter.letters() == b"OCHMR"


def test_a_reply_that_comes_before_the_front_asks_again(monkeypatch: pytest.MonkeyPatch) -> None:
    with held(b"H") as (milter, on):
        made = worker(milter.place)

        async def act() -> None:
            await made.answer([orders.CONNECT, 1, *CONNECT])
            monkeypatch.setattr(module, "BEAT", 0.01)
            assert await made.answer([orders.HELO, 1, inf, b"x", {}]) is None
            task = made._tasks[1]
            on.set()
            await asyncio.wait([task])
            assert await made.answer([orders.WAIT, 1]) == GOES_ON

        done(act)


def test_a_failure_that_comes_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is an outcome as any other."""
    with held(b"H") as (milter, _):
        made = worker(milter.place)

        async def act() -> None:
            await made.answer([orders.CONNECT, 1, *CONNECT])
            monkeypatch.setattr(module, "BEAT", 0.01)
            assert await made.answer([orders.HELO, 1, inf, b"x", {}]) is None
            milter.drop()
            monkeypatch.setattr(module, "BEAT", MANY)
            assert await made.answer([orders.WAIT, 1]) == [
                *(2, 0, "", 0, False, False, [[0, "it has closed the connection"]])
            ]

        done(act)


# --- ABORT and QUIT -------------------------------------------------------------------------------


def test_an_abort_between_steps() -> None:
    with ScriptedMilter() as milter:
        made = worker(milter.place)

        async def act() -> None:
            await lead(made)
            assert await made.answer([orders.ABORT, 1]) is True
            assert await made.answer([orders.MAIL, 1, inf, b"", {}]) == GOES_ON
            await made.answer([orders.QUIT, 1])
            await seen(lambda: milter.ends == [0])

        done(act)
    assert milter.letters() == b"OCHMRTAMQ"


@pytest.mark.parametrize("order", [orders.ABORT, orders.QUIT])
@pytest.mark.parametrize("waits", [False, True])
def test_the_end_amid_a_step(order: int, waits: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A milter that works on something cannot be told of an abort: it is left."""
    with held(b"M") as (milter, on):
        made = worker(milter.place)

        async def act() -> None:
            await made.answer([orders.CONNECT, 1, *CONNECT])
            await made.answer([orders.HELO, 1, inf, b"x", {}])
            if waits:
                monkeypatch.setattr(module, "BEAT", 0.01)
                assert await made.answer([orders.MAIL, 1, inf, b"a", {}]) is None
                monkeypatch.setattr(module, "BEAT", MANY)
                waiting = asyncio.create_task(made.answer([orders.WAIT, 1]))
            else:
                waiting = asyncio.create_task(made.answer([orders.MAIL, 1, inf, b"a", {}]))
            await seen(lambda: b"M" in milter.letters())
            assert await made.answer([order, 1]) is True
            with pytest.raises(UnknownChain):
                await waiting
            with pytest.raises(UnknownChain):
                await made.answer([orders.RCPT, 1, inf, b"b", {}])
            on.set()
            await seen(lambda: milter.ends == [0])

        done(act)
    assert milter.letters() == b"OCHMQ"


@pytest.mark.parametrize("letter", [b"O", b"C"])
def test_the_end_while_it_connects(letter: bytes) -> None:
    with held(letter) as (milter, on):
        made = worker(milter.place)

        async def act() -> None:
            waiting = asyncio.create_task(made.answer([orders.CONNECT, 1, *CONNECT]))
            await seen(lambda: letter in milter.letters())
            await made.answer([orders.QUIT, 1])
            with pytest.raises(UnknownChain):
                await waiting
            on.set()
            await seen(lambda: milter.ends == [0])

        done(act)


def test_the_end_before_it_connects() -> None:
    with ScriptedMilter() as milter:
        made = worker(milter.place)

        async def act() -> None:
            waiting = asyncio.create_task(made.answer([orders.CONNECT, 1, *CONNECT]))
            await asyncio.sleep(0)
            await made.answer([orders.QUIT, 1])
            with pytest.raises(UnknownChain):
                await waiting

        done(act)


# --- EDITS ----------------------------------------------------------------------------------------


def test_edits_in_parts() -> None:
    text = b"".join(b"%07d\r\n" % number for number in range(300_000))
    with ScriptedMilter({b"E": added(b"X", b"1") + body(text) + CONTINUE}) as milter:
        made = worker(milter.place)

        async def act() -> None:
            await lead(made)
            await made.answer([orders.CONTENT, 1, inf, 0, {}])
            assert await made.answer([orders.EOM, 1, inf, 0, {}]) == GOES_ON
            found, length, parts = b"", 1, 0
            while len(found) < length:
                length, part = await made.answer([orders.EDITS, 1, len(found)])
                assert 0 < len(part) <= 1 << 19
                found += part
                parts += 1
            assert parts == 5
            ((_, _, inserted, changed, _, _),) = FrameBuffer(LOADED_MAX).feed(found)
            assert inserted == [[2, b"X", b" 1"]]
            assert changed == text.replace(b"\r", b"")
            assert await made.answer([orders.EDITS, 1, 5]) == [0, b""]

        done(act)


def test_edits_that_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are refused; the front takes that for a failure."""
    monkeypatch.setattr(module, "LOADED_MAX", 1000)
    with ScriptedMilter({b"E": body(b"x" * 1000) + CONTINUE}) as milter:
        made = worker(milter.place)

        async def act() -> None:
            await lead(made)
            await made.answer([orders.CONTENT, 1, inf, 0, {}])
            assert await made.answer([orders.EOM, 1, inf, 0, {}]) == GOES_ON
            with pytest.raises(LocalError):
                await made.answer([orders.EDITS, 1, 0])

        done(act)


# --- PING -----------------------------------------------------------------------------------------


def test_ping(tmp_path: Path) -> None:
    with ScriptedMilter() as milter:
        made = worker(f"unix:{tmp_path}/none", milter.place)

        async def act() -> None:
            assert await made.answer([orders.PING, 1, MANY]) is True
            with pytest.raises(ServerLost, match=r"^No such file or directory$"):
                await made.answer([orders.PING, 0, MANY])
            await seen(lambda: milter.ends == [0])

        done(act)
    assert milter.letters() == b"OQ"


@pytest.mark.parametrize(
    ("reply", "kind", "words"),
    [
        (b"220 mx.example ESMTP\r\n", ServerLost, "a frame of 842149920 bytes from the milter"),
        (Last(), ServerLost, "it has closed the connection"),
        (b"", ServerLate, "it does not answer in time"),
        (PROGRESS, ServerLost, "a reply b'p' from the milter to the offer"),
    ],
)
def test_ping_of_what_is_no_milter(reply: bytes, kind: type[Exception], words: str) -> None:
    with ScriptedMilter({b"O": reply}) as server:
        made = worker(server.place, seconds=MANY if reply else FEW)

        async def act() -> None:
            with pytest.raises(kind) as raised:
                await made.answer([orders.PING, 0, MANY])
            assert str(raised.value) == words
            await seen(lambda: server.ends == [0])

        done(act)
