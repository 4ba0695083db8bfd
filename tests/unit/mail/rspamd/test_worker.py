"""The worker's side of an upload: orders come in, and rspamd is talked to."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from opensmtpd.backends.network import names
from opensmtpd.errors import LocalError, ServerLate, ServerLost, ServerRefused
from opensmtpd.mail.rspamd.url import url
from opensmtpd.mail.rspamd.worker import RspamdWorker, UnknownUpload
from opensmtpd.mail.rspamd.worker_orders import PING, SEND, STOP
from opensmtpd.needs import Needs
from unit.support.fake_rspamd import FakeRspamd, http
from unit.support.processes import until
from unit.support.rspamd_mail import verdict

FIELDS = [[b"Pass", b"All"]]
HEAD = [0, FIELDS]
FEW = 0.1
"""Seconds that a server has which says nothing."""
MANY = 60.0


def within(seconds: float) -> float:
    """Return the time limit of a part that has so many seconds."""
    return time.monotonic() + seconds


def worker(*urls: str) -> RspamdWorker:
    made = RspamdWorker()
    made.load([list(url(each)) for each in urls])
    return made


def done(act: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(act())


async def seen(happens: Callable[[], bool]) -> None:
    """Wait for something that the server sees."""
    await asyncio.to_thread(until, happens)


# --- setup ----------------------------------------------------------------------------------------


def test_a_unix_socket_is_all_that_it_needs() -> None:
    assert worker("/run/rspamd").needs == Needs(sockets=("/run/rspamd",))


def test_the_needs_of_hosts() -> None:
    made = worker("http://h.example", "/run/rspamd")
    assert made.needs == Needs(sockets=("/run/rspamd",)) | names.NEEDS


def test_the_needs_of_tls() -> None:
    made = worker("https://h.example").needs
    assert made is not None
    assert made.network
    assert set(made.reads) > set(names.NEEDS.reads)


# --- one message ----------------------------------------------------------------------------------


def test_a_message_in_one_part() -> None:
    with FakeRspamd() as server:
        made = worker(server.url)

        async def act() -> None:
            assert await made.answer([SEND, 1, HEAD, b"text", True, within(MANY)]) == verdict()

        done(act)
    [scanned] = server.scanned
    assert (scanned.first, scanned.body) == ("POST /checkv2 HTTP/1.1", b"text")
    assert scanned.fields[2:] == [(b"Content-Length", b"4"), (b"Pass", b"All")]


def test_messages_in_parts_at_the_same_time() -> None:
    with FakeRspamd() as server:
        made = worker(server.url)

        async def act() -> None:
            for part in range(3):
                for number in (1, 2):
                    head = None if part else HEAD
                    text = b"%d%d" % (number, part)
                    assert (
                        await made.answer([SEND, number, head, text, False, within(MANY)]) is None
                    )
            for number in (2, 1):
                assert await made.answer([SEND, number, None, b"", True, within(MANY)]) == verdict()

        done(act)
    assert [each.body for each in server.scanned] == [b"202122", b"101112"]
    assert server.connections == 2


def test_the_server_with_an_index() -> None:
    with FakeRspamd() as first, FakeRspamd() as second:
        made = worker(first.url, second.url)

        async def act() -> None:
            await made.answer([SEND, 1, [1, FIELDS], b"x", True, within(MANY)])

        done(act)
    assert (first.connections, second.connections) == (0, 1)


def test_a_part_of_an_unknown_upload() -> None:
    """This process has taken the place of another one."""
    made = worker("http://127.0.0.1:1")

    async def act() -> None:
        for last in (False, True):
            with pytest.raises(UnknownUpload, match="the parts before are not here"):
                await made.answer([SEND, 7, None, b"x", last, within(MANY)])

    done(act)


# --- faults ---------------------------------------------------------------------------------------


def failure(made: RspamdWorker, *request: Any) -> LocalError:
    """Return the error of a request; the upload that it was about is gone."""
    errors = []

    async def act() -> None:
        with pytest.raises(LocalError) as raised:
            await made.answer(list(request))
        errors.append(raised.value)
        with pytest.raises(UnknownUpload):
            await made.answer([SEND, request[1], None, b"x", False, within(MANY)])

    done(act)
    return errors[0]


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (http(b"{}"), ServerRefused, "its answer names no action"),
        (http(b"no"), ServerRefused, "its answer is no JSON"),
        (http(b"x", b"400 Bad"), ServerRefused, "it answers 400 Bad"),
        (b"220 smtp\r\n", ServerLost, "its answer is no HTTP"),
        (b"", ServerLost, "it has closed the connection without an answer"),
        (http(b"{}" * 9)[:-1], ServerLost, "it has closed the connection amid its answer"),
        (None, ServerLate, "it does not answer in time"),
    ],
)
def test_answers_that_are_none(answer: Any, kind: type, words: str) -> None:
    with FakeRspamd(answer) as server:
        seconds = FEW if answer is None else MANY
        error = failure(worker(server.url), SEND, 1, HEAD, b"x", True, within(seconds))
    assert (type(error), str(error)) == (kind, words)


def test_an_answer_without_end() -> None:
    endless = http(b"x" * 6_000_000)
    with FakeRspamd(endless) as server:
        error = failure(worker(server.url), SEND, 1, HEAD, b"x", True, within(MANY))
    assert (type(error), str(error)) == (ServerLost, "its answer has more than 4194304 bytes")


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    gone = FakeRspamd()
    gone.close()
    error = failure(worker(gone.url), SEND, 1, HEAD, b"x", False, within(MANY))
    assert (type(error), str(error)) == (ServerLost, "Connection refused")
    error = failure(worker(str(tmp_path / "none")), SEND, 1, HEAD, b"x", False, within(MANY))
    assert (type(error), str(error)) == (ServerLost, "No such file or directory")


def test_the_time_of_a_part_goes_on_while_nobody_has_it() -> None:
    """A part that has waited, in the front or for a new worker, gets no time of its own."""
    with FakeRspamd() as server:  # it would answer
        error = failure(worker(server.url), SEND, 1, HEAD, b"x", True, within(-1.0))
    assert (type(error), str(error)) == (ServerLate, "it does not answer in time")
    assert server.scanned == []


def test_a_server_that_takes_nothing() -> None:
    """The system has room for a part or two of what it does not read."""
    with FakeRspamd() as server:
        server.silent = True
        made = worker(server.url)

        async def act() -> None:
            await made.answer([SEND, 1, HEAD, b"x", False, within(MANY)])
            with pytest.raises(ServerLate):
                await made.answer([SEND, 1, None, b"x" * 50_000_000, False, within(FEW)])

        done(act)


# --- STOP -----------------------------------------------------------------------------------------


def test_stop_closes_the_connection() -> None:
    with FakeRspamd() as server:
        made = worker(server.url)

        async def act() -> None:
            await made.answer([SEND, 1, HEAD, b"x" * 1000, False, within(MANY)])
            await seen(lambda: server.received == 1000)
            assert await made.answer([STOP, 1]) is None
            await seen(lambda: server.cut_off == 1)
            assert await made.answer([STOP, 1]) is None
            assert await made.answer([STOP, 99]) is None
            with pytest.raises(UnknownUpload):
                await made.answer([SEND, 1, None, b"x", True, within(MANY)])

        done(act)
    assert server.scanned == []


def test_stop_while_the_verdict_is_waited_for() -> None:
    with FakeRspamd(None) as server:
        made = worker(server.url)

        async def act() -> None:
            waiting = asyncio.create_task(made.answer([SEND, 1, HEAD, b"x", True, within(MANY)]))
            await seen(lambda: len(server.scanned) == 1)
            await made.answer([STOP, 1])
            with pytest.raises(ServerLost):
                await waiting
            await seen(lambda: server.cut_off == 1)

        done(act)


def test_stop_while_it_connects() -> None:
    """The part that is being sent may go out; the connection is closed behind it."""
    with FakeRspamd() as server:
        made = worker(server.url)

        async def act() -> None:
            sending = asyncio.create_task(made.answer([SEND, 1, HEAD, b"x", False, within(MANY)]))
            await asyncio.sleep(0)
            await made.answer([STOP, 1])
            assert await sending is None
            with pytest.raises(UnknownUpload):
                await made.answer([SEND, 1, None, b"x", True, within(MANY)])
            await seen(lambda: server.cut_off == 1)

        done(act)


# --- PING -----------------------------------------------------------------------------------------


def test_ping() -> None:
    with FakeRspamd() as server:
        made = worker("http://127.0.0.1:1", server.url)

        async def act() -> None:
            assert await made.answer([PING, 1, MANY]) is None
            with pytest.raises(ServerLost, match="Connection refused"):
                await made.answer([PING, 0, MANY])

        done(act)
    assert (server.pings, server.scanned) == (1, [])


def test_ping_of_a_server_that_says_nothing() -> None:
    with FakeRspamd() as server:
        server.silent = True
        made = worker(server.url)

        async def act() -> None:
            with pytest.raises(ServerLate, match="it does not answer in time"):
                await made.answer([PING, 0, FEW])

        done(act)
