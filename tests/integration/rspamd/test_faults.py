"""rspamd and the processes of filter-rspamd fail while mail comes: none is lost, or comes twice."""

import os
import signal
import smtplib
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.support.rspamd_faults import (
    BAR,
    CHAINS,
    FROM,
    NAME,
    NOBODY,
    SECOND,
    UNSCANNED,
    going_on,
    number,
    patiently,
    prepare,
    send,
)
from integration.support.rspamd_mail import composed
from integration.support.told import CLIENTS, tells, until
from lab.chaos.processes import Process, workers
from lab.peers import mail
from lab.peers.clients import CONFIRMED_PTR
from lab.peers.rspamd.server import RspamdServer
from lab.shows.demo import LOCAL, STRANGER
from lab.support import Lab, Setup, need_stage

pytestmark = pytest.mark.parametrize(
    "running", [Setup("7.6", "rspamd-faults", prepare)], indirect=True, ids=str
)
HELLO = composed({}, [FROM, b"Subject: hello"], [b"hello", b".", b""])


@pytest.fixture
def shared(running: Lab, rspamd: RspamdServer) -> Lab:
    """smtpd that sees the socket of rspamd."""
    if not (running.guide.view / "run/rspamd").exists():
        rspamd.share(running.guide.view)
        running.server.restart()
    return running


@pytest.fixture
def site(shared: Lab) -> Iterator[Lab]:
    """The same; at the end of each test it lives, with the filters that it had."""
    before = shared.server.plugins()
    yield shared
    shared.server.check()
    assert shared.server.plugins() == before
    assert shared.inbox.rest() == []


@pytest.fixture(scope="module")
def second() -> Iterator[RspamdServer]:
    """Another rspamd."""
    with RspamdServer(need_stage("7.6").root, address=SECOND) as server:
        yield server


def helpers(lab: Lab) -> list[Process]:
    """Return the processes that speak with rspamd, not those that others are made from."""

    def found() -> list[Process]:
        return [each for each in workers(lab.server) if each.kind == f"{NAME}: rspamd"]

    until(lambda: len(found()) == len(CHAINS))  # one that was killed is replaced
    return found()


# --- amid mail ----------------------------------------------------------------------------------


def test_rspamd_is_paused(site: Lab, rspamd: RspamdServer) -> None:
    late = ' rspamd-failed reason="it does not answer in time" '
    before = site.log.count(late)
    with going_on(site, "one") as load:
        rspamd.pause()
        until(tells(load, 451))
        rspamd.resume()
    assert site.log.count(late) > before


def test_rspamd_is_paused_for_a_moment(site: Lab, rspamd: RspamdServer) -> None:
    """Nobody notices but by waiting."""
    with going_on(site, "one") as load:
        rspamd.pause()
        until(lambda: list(load.told.values()).count(0) == CLIENTS)  # all wait for their replies
        rspamd.resume()


@pytest.mark.parametrize("title", ["one", "socket"])
def test_rspamd_is_killed(site: Lab, rspamd: RspamdServer, title: str) -> None:
    with going_on(site, title) as load:
        rspamd.kill9()
        until(tells(load, 451))
        rspamd.start()


@pytest.mark.parametrize("title", ["one", "socket"])
def test_rspamd_is_restarted(site: Lab, rspamd: RspamdServer, title: str) -> None:
    with going_on(site, title) as load:
        for _ in range(3):
            rspamd.restart()
            load.goes_on(60)


def test_its_own_process_is_killed(site: Lab, rspamd: RspamdServer) -> None:
    with going_on(site, "one") as load:
        for _ in range(3):
            for victim in helpers(site):
                os.kill(victim.pid, signal.SIGKILL)
            load.goes_on(60)


def test_its_own_process_is_stopped(site: Lab, rspamd: RspamdServer) -> None:
    """What it has is answered all the same, and others take its place."""
    with going_on(site, "one") as load:
        for victim in helpers(site):
            os.kill(victim.pid, signal.SIGSTOP)
        load.goes_on(60)


def test_the_filter_is_stopped_for_a_moment(site: Lab, rspamd: RspamdServer) -> None:
    with going_on(site, "one") as load:
        for pid in site.server.filters(NAME):
            os.kill(pid, signal.SIGSTOP)
        until(lambda: list(load.told.values()).count(0) == CLIENTS)
        for pid in site.server.filters(NAME):
            os.kill(pid, signal.SIGCONT)
        load.goes_on(60)


# --- amid one message ---------------------------------------------------------------------------


def halves() -> tuple[bytes, bytes]:
    """Return a large message in two parts."""
    message = composed(
        {}, [FROM, b"Subject: large"], [b"%07d" % n + b"x" * 90 for n in range(9000)]
    )
    return message[:400_000], message[400_000:]


def begin(title: str) -> smtplib.SMTP:
    """Begin a session, and send it half of a large message."""
    client = mail.connect(CONFIRMED_PTR, number(title))
    client.mail(STRANGER)
    client.rcpt(LOCAL)
    assert client.docmd("DATA")[0] == 354
    client.send(halves()[0])
    until(is_uploading)
    return client


def is_uploading() -> bool:
    """Tell whether somebody is connected to rspamd."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()]
    return any(row[2:4] == [f"0100007F:{RspamdServer.port:04X}", "01"] for row in rows)


def finish(client: smtplib.SMTP) -> int:
    """Send the other half; return the code of the reply."""
    client.send(halves()[1] + b".\r\n")
    code = client.getreply()[0]
    client.quit()
    return code


def arrives(lab: Lab) -> None:
    """Assert that the large message comes, whole and scanned."""
    message = lab.inbox.one().message
    text = b"".join(halves()).replace(b"\r\n", b"\n")
    assert message.endswith(text.partition(b"\n\n")[2])
    assert message.count(BAR) == 1


def test_rspamd_is_restarted_while_a_message_comes(site: Lab, rspamd: RspamdServer) -> None:
    client = begin("one")
    rspamd.kill9()
    rspamd.start()
    assert finish(client) == 250
    arrives(site)


def test_its_own_process_is_killed_while_a_message_comes(site: Lab, rspamd: RspamdServer) -> None:
    client = begin("one")
    for victim in helpers(site):
        os.kill(victim.pid, signal.SIGKILL)
    assert finish(client) == 250
    arrives(site)


def test_a_client_that_goes_away(site: Lab, rspamd: RspamdServer) -> None:
    for _ in range(10):
        begin("one").close()
        until(lambda: not is_uploading())
    assert patiently("one", HELLO, site).count(BAR) == 1


# --- several servers ----------------------------------------------------------------------------


def test_the_first_of_two_is_nobody(site: Lab, rspamd: RspamdServer) -> None:
    with going_on(site, "first is nobody") as load:
        until(lambda: len(load.told) >= 30)
    assert set(load.told.values()) == {250}
    assert site.log.count(f" server-away server={NOBODY} ") == 1


def test_the_first_of_two_is_paused(site: Lab, rspamd: RspamdServer, second: RspamdServer) -> None:
    with going_on(site, "first is another") as load:
        second.pause()
        until(lambda: len(load.told) >= 30)
        second.resume()
    assert set(load.told.values()) == {250}


def test_each_of_two_is_killed_in_turn(
    site: Lab, rspamd: RspamdServer, second: RspamdServer
) -> None:
    with going_on(site, "first is another") as load:
        for server in (second, rspamd):
            server.kill9()
            load.goes_on(60)
            server.start()
            load.goes_on(60)
    assert set(load.told.values()) == {250}


# --- --fail, --max-size, the start --------------------------------------------------------------


@pytest.mark.parametrize("paused", [True, False], ids=["paused", "killed"])
def test_fail_open(site: Lab, rspamd: RspamdServer, paused: bool) -> None:
    assert send("open", HELLO)[0] == 250
    assert site.inbox.one().message.count(BAR) == 1
    rspamd.pause() if paused else rspamd.kill9()
    forged = b"X-Spam: no\r\n" + UNSCANNED + b"never\r\n"
    assert send("open", forged + HELLO)[0] == 250
    message = site.inbox.one().message
    assert message.count(UNSCANNED) == 1
    assert message.startswith(UNSCANNED)
    assert b"X-Spam: no" not in message
    assert message.endswith(b"\n" + HELLO.replace(b"\r\n", b"\n"))


def test_fail_tempfail(site: Lab, rspamd: RspamdServer) -> None:
    rspamd.kill9()
    code, text = send("one", HELLO)
    assert (code, text[:6]) == (451, b"4.7.1 ")
    assert site.log.count(" rspamd-failed ") >= 1


def test_larger_than_max_size(site: Lab, rspamd: RspamdServer) -> None:
    for lines, scanned in ((900, True), (1100, False), (20_000, False)):
        large = composed({"score": 99}, [FROM], [b"x" * 98] * lines)
        code, _ = send("small", large)
        assert code == (550 if scanned else 250)
        if not scanned:
            message = site.inbox.one().message
            assert message.startswith(UNSCANNED)
            assert message.endswith(b"\n" + large.replace(b"\r\n", b"\n"))


def test_smtpd_starts_without_rspamd(shared: Lab, rspamd: RspamdServer) -> None:
    """The last test here: its filters are new ones."""
    rspamd.kill9()
    before = shared.server.filters(NAME)
    shared.server.restart()
    assert len(shared.server.filters(NAME)) == len(before)
    assert send("one", HELLO)[0] == 451
    assert send("open", HELLO)[0] == 250
    assert shared.inbox.one().message.startswith(UNSCANNED)
    rspamd.start()
    for title in ("one", "open", "socket"):
        assert patiently(title, HELLO, shared).count(BAR) == 1
