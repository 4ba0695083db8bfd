"""filter-rspamd over a session: uploads while a message arrives, and what interrupts them."""

import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from opensmtpd._protocol.filter.spool import Budget
from opensmtpd.mail.rspamd.scan import PART
from unit.support.fake_rspamd import HAM, FakeRspamd, Scanned
from unit.support.processes import PATIENCE, until
from unit.support.rspamd_mail import TEMPFAIL, make
from unit.support.talk import M, S, Talk, data, datalines, report, request, result
from unit.support.workers import processes, pump, whole

OTHER = b"1718c5e591926d29"
HEADER = (b"Received: from client.example", b"From: bob@remote.example", b"")
BODY = tuple(b"%07d" % number + b"x" * 92 for number in range(10_000))
"""A megabyte."""
PASSES = result(b"proceed")
TEMPFAILED = result(b"reject|" + TEMPFAIL)


def begin(session: bytes = S) -> bytes:
    return b"".join(
        [
            report(b"link-connect", b"mx", b"pass", b"192.0.2.5:4711", b"192.0.2.1:25",
                   session=session),
            report(b"link-greeting", b"mx.example.com", session=session),
            report(b"link-identify", b"EHLO", b"mx.remote.example", session=session),
            mail(session),
        ]
    )  # fmt: skip


def mail(session: bytes = S, msgid: bytes = b"0123abcd", *recipients: bytes) -> bytes:
    return b"".join(
        [
            report(b"tx-begin", msgid, session=session),
            report(b"tx-mail", msgid, b"ok", b"bob@remote.example", session=session),
            *(
                report(b"tx-rcpt", msgid, b"ok", each, session=session)
                for each in recipients or (b"alice@example.com",)
            ),
        ]
    )


RESET = report(b"tx-reset", b"0123abcd")
GONE = report(b"link-disconnect")


class Stage:
    """smtpd's end of a filter, and the filter's loop."""

    def __init__(self, *urls: str, line: str = "--timeout 50", memory: int = 4 << 20) -> None:
        self.filter = make(*urls, line=line)
        self.talk = Talk(self.filter, budget=Budget(each=memory))
        pump(self.pool, lambda: whole(self.pool))

    @property
    def pool(self) -> Any:
        return self.filter.scanner.pool

    def say(self, *lines: bytes) -> bytes:
        return self.talk.say(*lines)

    def until(self, done: Callable[[], object]) -> None:
        """Do what the loop does until something is so."""
        end = time.monotonic() + PATIENCE
        while not done():
            assert time.monotonic() < end, "it did not come to that"
            self.pool.flush()
            self.pool._catch_up(0.01)

    def answer(self, end: bytes) -> bytes:
        """Return what is said until it ends with something."""
        found = bytearray(self.talk.drain())

        def ended() -> bool:
            found.extend(self.talk.drain())
            return found.endswith(end)

        self.until(ended)
        return bytes(found)

    def kill_worker(self) -> None:
        """Kill it, and wait for its successor."""
        pid = processes(self.pool)[2]
        os.kill(pid, signal.SIGKILL)
        self.until(lambda: pid not in processes(self.pool) and whole(self.pool))


def text(*lines: bytes) -> bytes:
    """Return the message in lines of smtpd's."""
    return b"".join(line.removeprefix(b".") + b"\n" for line in lines)


# --- one message ----------------------------------------------------------------------------------


@pytest.mark.parametrize("memory", [0, 300_000, 4 << 20], ids=["file", "both", "memory"])
def test_a_large_message_is_uploaded_while_it_arrives(memory: int) -> None:
    with FakeRspamd() as server:
        stage = Stage(server.url, memory=memory)
        assert stage.say(begin(), data(*HEADER, *BODY[:5000])) == b""
        # All but what is less than a part, and one part that may have been cut short.
        stage.until(lambda: server.received > 500_000 - 2 * PART)
        assert (server.scanned, server.connections) == ([], 1)
        assert stage.say(data(*BODY[5000:], b".")) == b""
        sent = stage.answer(datalines(b"."))
    assert sent == datalines(*HEADER, *BODY, b".")
    [request_] = server.scanned
    assert request_.body == text(*HEADER, *BODY)
    assert request_.values(b"Transfer-Encoding") == [b"chunked"]
    assert stage.say(request(b"commit")) == PASSES
    assert stage.talk.left() == (1, 0, 0, 0)
    assert stage.filter.scanner.on_their_way == 0


@pytest.mark.parametrize("size", [1, 7, 4096, 100_000])
def test_any_cut_gives_the_same_bytes(size: int) -> None:
    lines = [*HEADER, b"..", b"..dot", b"", b"x" * 60_000, b"\xff\x00\r", *BODY[:30]]
    with FakeRspamd() as server:
        stage = Stage(server.url)
        assert stage.talk.say(begin(), data(*lines, b"."), size=size) == b""
        assert stage.answer(datalines(b".")) == datalines(*lines, b".")
    assert [each.body for each in server.scanned] == [text(*lines)]


def test_two_messages_in_one_session() -> None:
    verdicts = iter([{**HAM, "action": "reject"}, HAM])
    with FakeRspamd(lambda _: next(verdicts)) as server:
        stage = Stage(server.url)
        stage.say(begin(), data(*HEADER, b"one", b"."))
        assert stage.answer(datalines(b".")) == datalines(b".")
        assert stage.say(request(b"commit")) == result(b"reject|550 message rejected")
        assert stage.say(report(b"tx-rollback", b"0123abcd"), RESET) == b""
        others = (b"x@example.com", b"y@example.com")
        stage.say(mail(S, b"0123abce", *others), data(*HEADER, b"two", b"."))
        assert stage.answer(datalines(b".")) == datalines(*HEADER, b"two", b".")
        assert stage.say(request(b"commit")) == PASSES
    assert [each.body for each in server.scanned] == [text(*HEADER, b"one"), text(*HEADER, b"two")]
    assert [each.values(b"Queue-Id") for each in server.scanned] == [[b"0123abcd"], [b"0123abce"]]
    assert [each.values(b"Rcpt") for each in server.scanned] == [
        [b"alice@example.com"],
        [b"x@example.com", b"y@example.com"],
    ]


def test_several_sessions_at_the_same_time() -> None:
    """The verdict on one does not wait for that on another."""
    later = threading.Event()

    def answer(request_: Scanned) -> Any:
        if b"slow" in request_.body:
            assert later.wait(PATIENCE)
        return HAM

    with FakeRspamd(answer) as server:
        stage = Stage(server.url)
        stage.say(begin(), data(*HEADER, b"slow", b"."))
        stage.until(lambda: len(server.scanned) == 1)
        stage.say(begin(OTHER), data(*HEADER, b"quick", b".", session=OTHER))
        expected = datalines(*HEADER, b"quick", b".", session=OTHER)
        assert stage.answer(datalines(b".", session=OTHER)) == expected
        later.set()
        assert stage.answer(datalines(b".")) == datalines(*HEADER, b"slow", b".")


def test_two_places_of_a_chain_scan_the_same_message() -> None:
    token = b"1f083015d732b8de"
    with FakeRspamd() as server:
        stage = Stage(server.url)
        stage.say(begin(), data(*HEADER), data(*HEADER, token=token))
        stage.say(data(b"one", b"."), data(b"two", b".", token=token))
        stage.until(lambda: len(server.scanned) == 2 and not stage.filter.scanner.on_their_way)
        out = stage.talk.drain()
    for each, line in ((M, b"one"), (token, b"two")):
        assert datalines(*HEADER, line, b".", token=each) in out


# --- the client goes ------------------------------------------------------------------------------


@pytest.mark.parametrize("lines", [(RESET,), (GONE,), (RESET, GONE)])
def test_a_client_that_goes_amid_an_upload(lines: tuple[bytes, ...]) -> None:
    with FakeRspamd() as server:
        stage = Stage(server.url)
        stage.say(begin(), data(*HEADER, *BODY[:5000]))
        stage.until(lambda: server.received > 0)
        assert stage.say(report(b"tx-rollback", b"0123abcd"), *lines) == b""
        stage.until(lambda: server.cut_off == 1 and not stage.filter.scanner.on_their_way)
        assert (server.scanned, server.connections) == ([], 1)
        assert stage.talk.left()[1:] == (0, 0, 0)
        if GONE not in lines:
            stage.say(mail(), data(*HEADER, b"."))
            assert stage.answer(datalines(b".")) == datalines(*HEADER, b".")


def test_a_client_that_goes_while_the_verdict_is_waited_for() -> None:
    with FakeRspamd(None) as server:
        stage = Stage(server.url)
        stage.say(begin(), data(*HEADER, b"."))
        stage.until(lambda: len(server.scanned) == 1)
        assert stage.say(GONE) == b""
        stage.until(lambda: server.cut_off == 1 and not stage.filter.scanner.on_their_way)
    assert (stage.talk.drain(), stage.talk.logged) == (b"", [])
    assert stage.talk.left() == (0, 0, 0, 0)


def test_a_message_that_becomes_too_large_is_uploaded_no_more() -> None:
    with FakeRspamd() as server:
        stage = Stage(server.url, line="--max-size 600000")
        stage.say(begin(), data(*HEADER, *BODY[:5000]))
        stage.until(lambda: server.received > 0)
        stage.say(data(*BODY[5000:]))
        stage.until(lambda: server.cut_off == 1)
        out = stage.say(data(b"."))
    unscanned = b"X-Rspamd-Unscanned: larger than 600000 bytes"
    assert out == datalines(unscanned, *HEADER, *BODY, b".")
    assert server.scanned == []


# --- the worker dies ------------------------------------------------------------------------------


@pytest.mark.parametrize("memory", [0, 4 << 20], ids=["file", "memory"])
def test_a_worker_that_dies_amid_an_upload(memory: int, logged: list[str]) -> None:
    """All is uploaded anew, from where the message is kept."""
    with FakeRspamd() as server:
        stage = Stage(server.url, memory=memory)
        stage.say(begin(), data(*HEADER, *BODY[:5000]))
        stage.until(lambda: server.received > 300_000)
        stage.kill_worker()
        stage.say(data(*BODY[5000:], b"."))
        assert stage.answer(datalines(b".")) == datalines(*HEADER, *BODY, b".")
        assert stage.say(request(b"commit")) == PASSES
    assert [each.body for each in server.scanned] == [text(*HEADER, *BODY)]
    assert (server.cut_off, server.connections) == (1, 2)
    assert [line for line in logged if "server-away" in line or "failed" in line] == []


def test_a_worker_that_dies_while_the_verdict_is_waited_for() -> None:
    answers = iter([None, {**HAM, "action": "soft reject"}])
    with FakeRspamd(lambda _: next(answers)) as server:
        stage = Stage(server.url)
        stage.say(begin(), data(*HEADER, b"."))
        stage.until(lambda: len(server.scanned) == 1)
        stage.kill_worker()
        assert stage.answer(datalines(b".")) == datalines(b".")
        assert stage.say(request(b"commit")) == result(b"reject|451 try again later")
    assert [each.body for each in server.scanned] == [text(*HEADER)] * 2


def test_a_worker_that_dies_of_a_message(logged: list[str]) -> None:
    """It is not tried a third time."""
    with FakeRspamd(None) as server:
        stage = Stage(server.url)
        stage.say(begin(), data(*HEADER, b"."))
        for count in (1, 2):
            stage.until(lambda count=count: len(server.scanned) == count)  # type: ignore[misc]  # its type is known
            stage.kill_worker()
        assert stage.answer(datalines(b".")) == datalines(b".")
        assert stage.say(request(b"commit")) == TEMPFAILED
        [line] = [each for each in logged if "rspamd-failed" in each]
        assert 'reason="a worker died of this request, twice"' in line
        server.answer = HAM
        stage.say(RESET, mail(), data(*HEADER, b"."))
        assert stage.answer(datalines(b".")) == datalines(*HEADER, b".")


def test_the_filter_stops_amid_an_upload() -> None:
    with FakeRspamd() as server:
        stage = Stage(server.url)
        stage.say(begin(), data(*HEADER, *BODY[:5000]))
        stage.until(lambda: server.received > 0)
        stage.filter.stop()
        until(lambda: server.cut_off == 1)
    assert stage.filter.scanner.on_their_way == 0


# --- registration ---------------------------------------------------------------------------------


def test_what_is_registered() -> None:
    registered = Stage("/none").talk.registered.split(b"\n")
    assert sorted(line.rpartition(b"|")[2] for line in registered) == [
        *(b"", b"commit", b"data-line", b"link-auth", b"link-connect", b"link-disconnect"),
        *(b"link-greeting", b"link-identify", b"link-tls", b"ready", b"tx-begin", b"tx-mail"),
        *(b"tx-rcpt", b"tx-reset"),
    ]
