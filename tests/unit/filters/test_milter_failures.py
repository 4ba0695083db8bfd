"""filter-milter: milters that are away, hang, close or talk nonsense, and workers that die."""

import os
import signal
from contextlib import suppress
from pathlib import Path

import pytest

from opensmtpd.mail.milter import client as client_module
from opensmtpd.mail.milter.process import orders
from opensmtpd.worker import Pool
from unit.support.milter_mail import (
    HASTY,
    MESSAGE,
    NEW_SESSION,
    OPEN,
    UNAVAILABLE,
    below,
    front,
    send,
    talk,
)
from unit.support.processes import until
from unit.support.scripted_milter import (
    CONTINUE,
    DISCARD,
    PROGRESS,
    STAGES,
    Heard,
    Last,
    Reply,
    ScriptedMilter,
    added,
)

FAILED = f"{NEW_SESSION}milter-unavailable action=tempfail"
PASSED = f"{NEW_SESSION}milter-unavailable action=open"
CLOSED = '"it has closed the connection"'
LATE = '"it does not answer in time"'
NONSENSE: list[tuple[Reply, str]] = [
    (Last(), CLOSED),
    (Last(b"\0\0\0\1"), CLOSED),
    (b"\xff" * 9, '"a frame of 4294967295 bytes from the milter"'),
    (b"\0\0\0\1X", "\"an unknown reply b'X' from the milter\""),
    (b"\0\0\0\2cc", "\"data in a reply b'c' from the milter\""),
    (added(b"X", b"1")[:-1] + b"1" + CONTINUE, ""),
    (b"", LATE),
]
STEPS = [*STAGES.items()]


def lost(milter: ScriptedMilter, reason: str) -> str:
    return f"{NEW_SESSION}milter-lost milter={milter.place} reason={reason}"


# --- at each stage --------------------------------------------------------------------------------


@pytest.mark.parametrize(("reply", "reason"), NONSENSE)
@pytest.mark.parametrize(("step", "letter"), [("offer", b"O"), *STEPS])
class TestAt:
    """At each stage."""

    def test_mail_is_refused_for_now(
        self, step: str, letter: bytes, reply: Reply, reason: str
    ) -> None:
        with ScriptedMilter({letter: reply}) as milter, ScriptedMilter() as second:
            outcome = send(milter, second, line=HASTY if reply == b"" else "")
        assert (outcome.accepted, outcome.reply) == (False, UNAVAILABLE)
        assert outcome.log[-1] == FAILED
        if reason and step != "offer":
            assert outcome.log[0] == lost(milter, reason)
        phase = {"rcpt": "rcpt-to", "data": "data"}.get(step, "mail-from")
        if letter in b"LNBE":
            phase = "commit"
        refused = [each for each in outcome.decisions if each[1] != b"proceed"]
        assert refused[0] == (phase, b"reject|" + UNAVAILABLE)

    def test_mail_passes(self, step: str, letter: bytes, reply: Reply, reason: str) -> None:
        second_replies = {b"E": added(b"X-Second", b"2") + CONTINUE}
        with ScriptedMilter({letter: reply}) as milter, ScriptedMilter(second_replies) as second:
            line = f"{OPEN} {HASTY}" if reply == b"" else OPEN
            outcome = send(milter, second, line=line)
        assert outcome.accepted
        assert outcome.message == outcome.received + MESSAGE.replace(
            b"hello\n", b"hello\nX-Second: 2\n"
        )
        times = 2 if step == "mail" else 1  # MAIL begins it anew
        assert len(outcome.log) == times
        if reason and step != "offer":
            assert outcome.log == (lost(milter, reason),) * times


# --- away -----------------------------------------------------------------------------------------


def test_a_milter_that_is_away(tmp_path: Path) -> None:
    outcome = send(f"unix:{tmp_path}/none")
    assert (outcome.accepted, outcome.reply) == (False, UNAVAILABLE)
    reason = f'milter=unix:{tmp_path}/none reason="No such file or directory"'
    assert outcome.log == (
        f"{NEW_SESSION}milter-lost {reason}",
        f"{NEW_SESSION}milter-lost {reason}",
        FAILED,
    )
    assert dict(outcome.decisions)["connect"] == b"proceed"


def test_a_milter_that_is_away_and_mail_passes(tmp_path: Path) -> None:
    outcome = send(f"unix:{tmp_path}/none", line=OPEN)
    assert outcome.message == outcome.received + MESSAGE
    assert f'milter=unix:{tmp_path}/none reason="No such file or directory"' in outcome.log[0]


def test_one_of_three_is_away(tmp_path: Path) -> None:
    first = ScriptedMilter({b"E": added(b"X-First", b"1") + CONTINUE})
    third = ScriptedMilter({b"E": added(b"X-Third", b"3") + CONTINUE})
    with first, third:
        outcome = send(first, f"unix:{tmp_path}/none", third, line=OPEN)
        assert below(outcome) == MESSAGE.replace(b"hello\n", b"hello\nX-First: 1\nX-Third: 3\n")
        assert third.fields() == [b"From:bob@remote.example", b"Subject:hello", b"X-First:1"]
        assert len(outcome.log) == 1
        outcome = send(first, f"unix:{tmp_path}/none", third)
        assert outcome.reply == UNAVAILABLE


def test_a_milter_that_comes_back_between_two_messages(logged: list[str]) -> None:
    """The second message begins the connections anew, with HELO and all."""
    with ScriptedMilter() as milter, talk(milter) as mta:
        client = mta.greeted()
        assert mta.mail(client).startswith(b"250")
        milter.restart()
        assert mta.mail(client).startswith(b"250")
        assert [milter.letters(number) for number in (0, 1)] == [b"OCHMRTLLNBE"] * 2
        assert logged == [f"{NEW_SESSION}milter-lost milter={milter.place} reason={CLOSED}"]


def test_a_milter_that_comes_back_where_mail_passes(logged: list[str]) -> None:
    """It judges the next message: no more pass without it than have to."""
    with ScriptedMilter() as milter, ScriptedMilter() as other:
        with talk(milter, other, line=OPEN) as mta:
            client = mta.greeted()
            assert mta.mail(client).startswith(b"250")
            milter.restart()
            assert mta.mail(client).startswith(b"250")
            mta.say(client.mail)
            milter.restart()
            for step in (client.rcpt, client.data):
                mta.say(step)
            assert mta.say(client.send, MESSAGE).startswith(b"250")  # passes
            assert mta.mail(client).startswith(b"250")
        heard = [milter.letters(number).removesuffix(b"Q") for number in range(3)]
        assert heard == [b"OCHMRTLLNBE", b"OCHMRTLLNBEM", b"OCHMRTLLNBE"]
        assert other.letters().count(b"E") == 4
    assert len(logged) == 2


def test_all_are_away_and_come_back() -> None:
    with ScriptedMilter() as milter, talk(milter, line=OPEN) as mta:
        milter.close()
        client = mta.greeted()
        assert mta.mail(client).startswith(b"250")
        milter.back()
        assert mta.mail(client).startswith(b"250")
        assert milter.letters() == b"OCHMRTLLNBE"


def test_a_milter_that_is_away_between_two_messages(logged: list[str]) -> None:
    with ScriptedMilter() as milter, talk(milter) as mta:
        client = mta.greeted()
        assert mta.mail(client).startswith(b"250")
        milter.close()
        milter.gone()
        assert mta.mail(client) == UNAVAILABLE
        milter.back()
        assert mta.mail(client).startswith(b"250")
        assert milter.letters(1) == b"OCHMRTLLNBE"
    assert logged[-1] == FAILED


def test_a_milter_that_comes_back_behind_helo() -> None:
    """A failure at the connection, or at HELO, costs nothing where it is over at MAIL."""
    with ScriptedMilter() as milter, talk(milter) as mta:
        milter.close()
        client = mta.greeted()
        milter.back()
        assert mta.mail(client).startswith(b"250")
        assert milter.letters() == b"OCHMRTLLNBE"


def test_a_milter_that_is_lost_amid_a_message() -> None:
    with ScriptedMilter() as milter, talk(milter) as mta:
        client = mta.greeted()
        mta.say(client.mail)
        milter.restart()
        assert mta.say(client.rcpt) == UNAVAILABLE
        assert mta.say(client.rcpt) == UNAVAILABLE
        mta.say(client.rset)
        assert mta.mail(client).startswith(b"250")


def test_a_milter_that_is_lost_between_data_and_the_end() -> None:
    with ScriptedMilter() as milter, talk(milter) as mta:
        client = mta.greeted()
        for step in (client.mail, client.rcpt, client.data):
            mta.say(step)
        milter.restart()
        assert mta.say(client.send, MESSAGE) == UNAVAILABLE
        assert mta.mail(client).startswith(b"250")


def test_a_begun_chain_that_is_refused() -> None:
    with ScriptedMilter() as milter, talk(milter) as mta:
        client = mta.greeted()
        assert mta.mail(client).startswith(b"250")
        milter.replies[b"C"] = b"\0\0\0\1r"
        milter.restart()
        for _ in range(2):
            assert mta.mail(client) == b"550 5.7.1 Command rejected"
        assert milter.letters(1).startswith(b"OC")
        assert milter.connections == 2


# --- the worker -----------------------------------------------------------------------------------


def worker_of(milter: ScriptedMilter) -> int:
    """Return the process at the other end of a connection to the milter."""
    table = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    there = f":{milter.port:04X}"
    inodes = {f"socket:[{row[9]}]" for row in table if row[2].endswith(there)}
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended, or is another user's
            ends = {os.readlink(each) for each in (process / "fd").iterdir()}
            found |= {int(process.name)} if ends & inodes else set()
    (pid,) = found
    return pid


@pytest.mark.parametrize("line", ["", OPEN])
def test_the_worker_is_killed_between_two_messages(line: str, logged: list[str]) -> None:
    with ScriptedMilter() as milter, talk(milter, line=line) as mta:
        client = mta.greeted()
        assert mta.mail(client).startswith(b"250")
        os.kill(worker_of(milter), signal.SIGKILL)
        milter.gone()
        assert mta.mail(client).startswith(b"250")
        assert milter.letters(1) == b"OCHMRTLLNBE"
        assert "milter-lost" in logged[0]


@pytest.mark.parametrize("line", ["", OPEN])
@pytest.mark.parametrize("upto", ["mail", "rcpt", "data"])
def test_the_worker_is_killed_amid_a_message(line: str, upto: str, logged: list[str]) -> None:
    with ScriptedMilter() as milter, talk(milter, line=line) as mta:
        client = mta.greeted()
        replies = []
        for step in (client.mail, client.rcpt, client.data):
            replies.append(mta.say(step))
            if step.__name__ == upto:
                os.kill(worker_of(milter), signal.SIGKILL)
                milter.gone()
            if replies[-1].startswith(b"451"):
                break
        if client.in_data:
            replies.append(mta.say(client.send, MESSAGE))
        assert replies[-1].startswith(b"250" if line else b"451 4.7.1 Service unav")
        assert any("milter-lost" in each for each in logged)
        action = "open" if line else "tempfail"
        assert any(each.endswith(f"milter-unavailable action={action}") for each in logged)
        if client.transaction is not None:
            mta.say(client.rset)
        assert mta.mail(client).startswith(b"250")


@pytest.mark.parametrize("line", ["", OPEN])
def test_the_worker_is_killed_amid_the_content(line: str) -> None:
    """It is asked a second time of another process, which does not know the connections."""

    def kill(heard: Heard) -> bytes:
        os.kill(worker_of(milter), signal.SIGKILL)
        return b""

    with ScriptedMilter({b"N": kill}) as milter, talk(milter, line=line) as mta:
        client = mta.greeted()
        reply = mta.mail(client)
        assert reply.startswith(b"250") if line else reply == UNAVAILABLE
        milter.replies.clear()
        assert mta.mail(client).startswith(b"250")


@pytest.mark.parametrize("line", ["", OPEN])
@pytest.mark.parametrize("decided", [added(b"X-First", b"1") + CONTINUE, DISCARD])
def test_the_worker_is_killed_when_one_milter_has_decided(decided: bytes, line: str) -> None:
    """The message does not pass with --fail open, either: it would do so as if nobody had."""

    def kill(heard: Heard) -> bytes:
        os.kill(worker_of(second), signal.SIGKILL)
        return b""

    second = ScriptedMilter({b"N": kill})
    with ScriptedMilter({b"E": decided}) as first, second, talk(first, second, line=line) as mta:
        client = mta.greeted()
        assert mta.mail(client) == UNAVAILABLE
        second.replies.clear()
        assert mta.mail(client).startswith(b"250")


# --- patience -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("step", "letter"), STEPS)
def test_a_milter_that_takes_longer_than_a_beat(
    step: str, letter: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker says at each beat that it is at work."""
    monkeypatch.setattr(client_module, "WORKER", "unit.support.milter_beat:HastyMilterWorker")
    waits: list[int] = []

    def slowly(heard: Heard) -> bytes:
        before = len(waits)
        until(lambda: len(waits) >= before + 3)
        return (PROGRESS if letter == b"E" else b"") + CONTINUE

    ask = Pool.ask

    def watched(pool: Pool, request: list[int]) -> object:
        if request[0] == orders.WAIT:
            waits.append(request[1])
        return ask(pool, request)

    monkeypatch.setattr(Pool, "ask", watched)
    with ScriptedMilter({letter: slowly}) as milter:
        outcome = send(milter)
    assert outcome.accepted
    assert front(outcome) == b""
    assert len(waits) >= 3
