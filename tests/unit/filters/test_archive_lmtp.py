"""filter-archive hands copies on: what has come to the server, and what is tried again."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.peers import lmtp as says
from lab.peers.copies import Copies
from lab.peers.lmtp import CLOSE, HANG, ScriptedLmtp
from unit.support.archive_mail import MESSAGE, Talk, talk
from unit.support.processes import until
from unit.support.workers import processes

RECIPIENT = "archive@example.com"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "archive"


@pytest.fixture
def copies(folder: Path) -> Copies:
    return Copies(folder)


@pytest.fixture
def server() -> Iterator[ScriptedLmtp]:
    with ScriptedLmtp() as made:
        yield made


@pytest.fixture
def mta(folder: Path, server: ScriptedLmtp) -> Iterator[Talk]:
    with talk(folder, "--lmtp", server.place, "--lmtp-recipient", RECIPIENT) as made:
        yield made


def take(mta: Talk) -> bool:
    """Take what the workers have said."""
    for pool in (mta.filter.pool, mta.filter.lmtp):
        if pool is not None:
            pool._catch_up(0.01)
    return True


def come(mta: Talk, server: ScriptedLmtp, count: int) -> None:
    """Wait for messages, and for the end of what hands them on."""

    def done() -> bool:
        take(mta)
        return len(server.accepted()) >= count and not mta.filter.handing_on

    until(done)


def test_a_copy_is_handed_on_when_it_is_accepted(
    mta: Talk, server: ScriptedLmtp, copies: Copies
) -> None:
    client = mta.greeted()
    assert mta.mail(client).startswith(b"250")
    come(mta, server, 1)
    (taken,) = server.accepted()
    message = client.transactions[0].content
    assert taken.message.endswith(b"\r\n" + message.replace(b"\n", b"\r\n"))
    assert taken.message.startswith(b"X-Archive-Status: accepted\r\nX-Archive-Id: ")
    assert taken.sender.startswith(b"<bob@remote.example>")
    assert copies.names("new") == copies.names("tmp") == copies.names("cur") == []


def test_what_is_not_accepted_is_not_handed_on(
    mta: Talk, server: ScriptedLmtp, copies: Copies
) -> None:
    client = mta.greeted()
    for step in (client.mail, client.rcpt, client.data):
        mta.say(step)
    mta.say(client.line, b"Subject: x")
    mta.say(client.vanish)
    assert mta.mail(mta.greeted()).startswith(b"250")
    come(mta, server, 1)
    assert len(server.taken) == 1


@pytest.mark.parametrize("stage", [None, *says.STAGES])
def test_a_server_that_is_away_or_refuses(
    mta: Talk, server: ScriptedLmtp, copies: Copies, stage: str | None, logged: list[str]
) -> None:
    if stage is None:
        server.away()
    else:
        server.plan = {stage: ["451 4.3.0 later"]}
    assert mta.mail(mta.greeted()).startswith(b"250")
    until(lambda: bool(logged) or not take(mta))
    assert logged[0].startswith("archive-lmtp-away reason=")
    assert len(copies.names("new")) == 1
    if stage is None:
        server.back()
    mta.filter.try_again()
    come(mta, server, 1)
    assert set(server.idents().values()) == {2 if stage == says.DOT else 1}
    assert len(logged) == 1


def test_the_log_is_told_once(mta: Talk, server: ScriptedLmtp, logged: list[str]) -> None:
    """A server may be away for days."""
    server.plan = {says.DOT: ["451 4.3.0 later"] * 3 + ["452 4.3.1 full"] * 2}
    assert mta.mail(mta.greeted()).startswith(b"250")
    for left in (4, 3, 2, 1, 0):
        until(lambda: len(server.plan[says.DOT]) == left or not take(mta))  # noqa: B023
        until(lambda: not mta.filter.handing_on or not take(mta))
        mta.filter.try_again()
    come(mta, server, 1)
    reasons = ('"451 4.3.0 later"', '"452 4.3.1 full"')
    assert logged == [f"archive-lmtp-away reason={each}" for each in reasons]


def test_a_repeat_has_the_same_id(mta: Talk, server: ScriptedLmtp, copies: Copies) -> None:
    server.plan = {says.DOT: [CLOSE]}
    assert mta.mail(mta.greeted()).startswith(b"250")
    come(mta, server, 1)
    mta.filter.try_again()
    come(mta, server, 2)
    assert list(server.idents().values()) == [2]
    assert copies.names("new") == []


def test_its_process_is_killed_amid_a_copy(mta: Talk, server: ScriptedLmtp, copies: Copies) -> None:
    assert mta.filter.lmtp is not None
    server.plan = {says.DOT: [HANG]}
    assert mta.mail(mta.greeted()).startswith(b"250")
    until(lambda: server.waiting == 1 or not take(mta))
    os.kill(processes(mta.filter.lmtp)[-1], signal.SIGKILL)
    come(mta, server, 1)
    assert list(server.idents().values()) == [2]
    assert copies.names("new") == []


def test_copies_of_an_earlier_run(folder: Path, server: ScriptedLmtp, copies: Copies) -> None:
    """They were kept before there was a server, or while it was away."""
    with talk(folder) as before:
        assert before.mail(before.greeted()).startswith(b"250")
    with talk(folder, "--lmtp", server.place, "--lmtp-recipient", RECIPIENT) as mta:
        mta.filter.try_again()
        come(mta, server, 1)
    assert copies.names("new") == []


def test_an_end_amid_a_copy(folder: Path, server: ScriptedLmtp, logged: list[str]) -> None:
    server.plan = {says.DOT: [HANG]}
    with talk(folder, "--lmtp", server.place, "--lmtp-recipient", RECIPIENT) as mta:
        assert mta.mail(mta.greeted()).startswith(b"250")
        until(lambda: server.waiting == 1 or not take(mta))
    assert logged == []
    server.release()  # smtpd's end would end what waits there
    with talk(folder, "--lmtp", server.place, "--lmtp-recipient", RECIPIENT) as mta:
        mta.filter.try_again()
        come(mta, server, 1)
    assert list(server.idents().values()) == [2]


def test_two_filters_with_one_folder(folder: Path, server: ScriptedLmtp, copies: Copies) -> None:
    """One of them at a time hands copies on: none comes twice."""
    words = ("--lmtp", server.place, "--lmtp-recipient", RECIPIENT)
    with talk(folder, *words) as first, talk(folder, *words) as second:
        for _ in range(10):
            for mta in (first, second):
                assert mta.mail(mta.greeted(), MESSAGE).startswith(b"250")

        def done() -> bool:
            for mta in (first, second):
                mta.filter.hand_on()
                take(mta)
            return len(server.accepted()) >= 20

        until(done)
    assert set(server.idents().values()) == {1}
