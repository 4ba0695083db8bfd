"""filter-archive hands copies on over LMTP: nothing is lost, whatever the server does."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest

from integration.support import archive_scenes as scenes
from integration.support import dovecot
from integration.support.archive_scenes import CHAINS, LMTP, copies, hello, send, session
from integration.support.dns_scenes import port
from integration.support.told import going_on
from lab.chaos.processes import workers
from lab.peers import lmtp as says
from lab.peers.copies import until
from lab.peers.lmtp import CLOSE, HANG, ScriptedLmtp, Taken
from lab.peers.maildir import Maildir
from lab.peers.numbered import NumberedMail, numbers
from lab.shows.demo import LOCAL, STRANGER
from lab.support import Lab, Setup

pytestmark = pytest.mark.parametrize(
    "running", [Setup("7.6", "archive", scenes.prepare)], indirect=True, ids=str
)
DOVECOT = """\
mail_driver = maildir
mail_path = ~/Maildir
mail_inbox_path = ~/Maildir
"""


@pytest.fixture(scope="module")
def listening() -> Iterator[ScriptedLmtp]:
    with ScriptedLmtp(scenes.SERVER) as made:
        yield made


@pytest.fixture
def server(listening: ScriptedLmtp, lab: Lab) -> Iterator[ScriptedLmtp]:
    """The server, which has heard nothing yet; at the end of each test it has got all."""
    listening.forget()
    yield listening
    listening.release()
    until(lambda: not copies(lab, "lmtp").names("new"))
    assert copies(lab, "lmtp").settled() == []


def come(server: ScriptedLmtp, count: int) -> list[Taken]:
    """Wait until so many messages are accepted; return them."""
    until(lambda: len(server.accepted()) >= count)
    return server.accepted()


def wakes(lab: Lab, number: int) -> None:
    """Send a message: what waits is tried again when its copy is accepted."""
    assert send("lmtp", f"number {number}") == 250
    lab.inbox.one()


# --- one message ----------------------------------------------------------------------------------


def test_a_server_that_takes_copies(lab: Lab, server: ScriptedLmtp) -> None:
    with session("lmtp") as client:
        recipients = (LOCAL, "root@example.com")
        message = b"X-Bytes: \xff\r\n" + hello("to two")
        assert scenes.transaction(client, message, recipients) == 250
    (taken,) = come(server, 1)
    head, _, message = taken.message.partition(b"Received: ")
    assert (b"Received: " + message).replace(b"\r\n", b"\n") == lab.inbox.one().message
    assert head.startswith(b"X-Archive-Status: accepted\r\nX-Archive-Id: ")
    assert head.endswith(
        b"\r\nX-Envelope-From: <bob@example.net>\r\nX-Envelope-To: <alice@example.com>\r\n"
        b"X-Envelope-To: <root@example.com>\r\n"
    )
    assert taken.message.count(b"\n") == taken.message.count(b"\r\n")
    assert taken.sender.partition(b" ")[0] == f"<{STRANGER}>".encode()
    assert taken.recipient == f"<{scenes.RECIPIENT}>".encode()
    until(lambda: not copies(lab, "lmtp").names("new"))
    Maildir(lab.guide.home("username") / "Maildir").one()


def test_a_large_message(lab: Lab, server: ScriptedLmtp) -> None:
    with session("lmtp") as client:
        message = hello("large") + b".line of a large message\r\n" * 50_000
        assert scenes.transaction(client, message) == 250
    (taken,) = come(server, 1)
    found = taken.message.replace(b"\r\n", b"\n")
    assert found.endswith(lab.inbox.one().message)


def test_a_server_that_is_away(lab: Lab, server: ScriptedLmtp) -> None:
    """It was away when smtpd began, too: no test has come to it before the server was there."""
    server.away()
    for number in range(3):
        wakes(lab, number)
    until(lambda: " archive-lmtp-away " in lab.log)
    assert len(copies(lab, "lmtp").all()) == 3
    server.back()
    wakes(lab, 3)
    come(server, 4)
    assert set(server.idents().values()) == {1}


def test_what_is_refused_for_now_comes_again(lab: Lab, server: ScriptedLmtp) -> None:
    for number, stage in enumerate(says.STAGES):
        server.plan = {stage: ["451 4.3.0 later"]}
        wakes(lab, number)
        until(lambda: server.done)
    wakes(lab, 99)
    come(server, len(says.STAGES) + 1)
    assert len(server.idents()) == len(server.accepted()) == len(says.STAGES) + 1


@pytest.mark.parametrize("stage", [says.DATA, says.DOT])
def test_what_is_refused_for_ever_is_set_aside(lab: Lab, server: ScriptedLmtp, stage: str) -> None:
    server.plan = {stage: ["554 5.7.1 not this one"]}
    wakes(lab, 1)
    aside = copies(lab, "lmtp")
    until(lambda: aside.names("cur"))
    wakes(lab, 2)
    (taken,) = come(server, 1)
    assert b"Subject: number 2\r\n" in taken.message
    (name,) = aside.names("cur")
    assert name.endswith(":2,F")
    assert b"\nSubject: number 1\n" in (aside.path / "cur" / name).read_bytes()
    assert f' archive-refused file={name[:-4]} reply="554 5.7.1 not this one"' in lab.log
    (aside.path / "cur" / name).unlink()


def test_a_repeat_has_the_same_id(lab: Lab, server: ScriptedLmtp) -> None:
    """The server has taken the message, and closed the connection before it said so."""
    server.plan = {says.DOT: [CLOSE]}
    wakes(lab, 1)
    until(lambda: server.done)
    wakes(lab, 2)
    taken = come(server, 3)
    assert sorted(server.idents().values()) == [1, 2]
    assert taken[0].message == next(
        each.message for each in taken[1:] if each.ident == taken[0].ident
    )


# --- amid mail ------------------------------------------------------------------------------------


@contextmanager
def archived(lab: Lab, server: ScriptedLmtp) -> Iterator[NumberedMail]:
    """Have mail come: all that was accepted comes to the server, under one id each."""
    with going_on(lab, port(CHAINS, "lmtp")) as (load, _):
        yield load
    assert set(load.told.values()) == {250}
    until(lambda: set(numbers(each.message for each in server.accepted())) >= load.accepted)
    ids = {(each.ident, *numbers([each.message])) for each in server.taken}
    assert len(ids) == len(load.accepted)


def handing_on(lab: Lab) -> list[int]:
    """Return the processes that hand copies on."""
    return [each.pid for each in workers(lab.server) if each.kind == LMTP]


def test_nothing_happens(lab: Lab, server: ScriptedLmtp) -> None:
    with archived(lab, server):
        pass
    assert set(server.idents().values()) == {1}


def test_its_processes_are_killed(lab: Lab, server: ScriptedLmtp) -> None:
    with archived(lab, server) as load:
        for _ in range(5):
            for pid in handing_on(lab):
                os.kill(pid, signal.SIGKILL)
            load.goes_on(60)


def test_a_server_that_hangs(lab: Lab, server: ScriptedLmtp) -> None:
    """Mail goes on meanwhile."""
    with archived(lab, server) as load:
        for stage in (says.LHLO, says.DOT):
            server.plan = {stage: [HANG]}
            until(lambda: server.waiting == 1)
            load.goes_on(60)
            server.release()
            until(lambda: server.waiting == 0)


def test_a_server_that_does_anything(lab: Lab, server: ScriptedLmtp) -> None:
    dice = Random(0)
    with archived(lab, server) as load:
        for _ in range(10):
            stage = dice.choice(says.STAGES)
            server.plan = {stage: [dice.choice([CLOSE, "451 4.3.0 later", "421 4.3.2 closing"])]}
            load.goes_on(60)
        server.plan = {}


# --- Dovecot --------------------------------------------------------------------------------------


def test_dovecot(lab: Lab) -> None:
    """Copies wait until it is there, and it keeps each as it is."""
    view, waiting = lab.guide.view, copies(lab, "dovecot")
    (view / "etc/dovecot/local.conf").write_text(DOVECOT)
    assert send("dovecot", "before") == 250
    until(lambda: waiting.names("new"))
    with dovecot.serving(view):
        assert send("dovecot", "after") == 250
        until(lambda: not waiting.names("new") and not waiting.names("tmp"))
        found = box(lab)
        until(lambda: found.is_dir() and len(list(found.iterdir())) == 2)
        kept = [path.read_bytes() for path in found.iterdir()]
        for path in found.iterdir():
            path.unlink()
    delivered = [each.message for each in lab.inbox.take(2)]
    assert sorted(each[each.index(b"\nReceived: \n") + 1 :] for each in kept) == sorted(delivered)
    for each in kept:
        assert each.count(b"\nX-Archive-Status: accepted\nX-Archive-Id: ") == 1
        assert b"\nX-Envelope-To: <alice@example.com>\n" in each


def box(lab: Lab) -> Path:
    """Return the folder of new mail of the user who has the archive."""
    return lab.guide.home(scenes.DOVECOT_USER) / "Maildir/new"
