"""Milters and processes of filter-milter fail while mail comes: none is lost, or comes twice."""

import os
import signal
import smtplib
import time
from collections.abc import Callable, Iterator

import pytest

from integration.support.milter_faults import (
    AWAY,
    MARK,
    going_on,
    helpers,
    number,
    prepare,
)
from integration.support.milter_real import seen_by
from integration.support.milter_scenes import MESSAGE, NAME, begin, transaction
from integration.support.told import CLIENTS, tells, until
from lab.peers import mail
from lab.peers.clients import CONFIRMED_PTR
from lab.peers.milters.opendkim import OpenDkimServer
from lab.shows.demo import LOCAL, STRANGER
from lab.support import Lab, Setup

pytestmark = pytest.mark.parametrize(
    "running", [Setup("7.6", "milter-faults", prepare)], indirect=True, ids=str
)
BOTH = pytest.mark.parametrize("title", ["real", "real, open"])


@pytest.fixture
def site(running: Lab, opendkim: OpenDkimServer) -> Iterator[Lab]:
    """smtpd; at the end of each test it lives, with the filters that it had."""
    seen_by(running, opendkim)
    before = running.server.plugins()
    yield running
    running.server.check()
    assert running.server.plugins() == before
    assert running.inbox.rest() == []


# --- amid mail ----------------------------------------------------------------------------------


@pytest.mark.parametrize("title", ["real, hasty", "real, hasty, open"])
def test_a_milter_is_hung(site: Lab, opendkim: OpenDkimServer, title: str) -> None:
    with going_on(site, title) as load:
        before = len(site.log)
        opendkim.pause()
        until(lambda: site.log.count(" milter-lost ", before) >= CLIENTS)
        until(tells(load, 250 if title.endswith("open") else 451))
        opendkim.resume()


@BOTH
def test_a_milter_is_hung_for_a_moment(site: Lab, opendkim: OpenDkimServer, title: str) -> None:
    """Nobody notices but by waiting."""
    with going_on(site, title) as load:
        opendkim.pause()
        until(lambda: list(load.told.values()).count(0) == CLIENTS)  # all wait for their replies
        opendkim.resume()


@BOTH
def test_a_milter_is_killed(site: Lab, opendkim: OpenDkimServer, title: str) -> None:
    with going_on(site, title) as load:
        opendkim.kill9()
        until(tells(load, 250 if title.endswith("open") else 451))
        opendkim.start()


@BOTH
def test_a_milter_is_killed_and_started(site: Lab, opendkim: OpenDkimServer, title: str) -> None:
    with going_on(site, title) as load:
        for _ in range(3):
            opendkim.kill9()
            opendkim.start()
            load.goes_on(60)


@BOTH
def test_its_own_process_is_killed(site: Lab, opendkim: OpenDkimServer, title: str) -> None:
    """A message that was judged, and whose changes are lost, is 451 with --fail open, too."""
    with going_on(site, title, {250, 451}) as load:
        for _ in range(3):
            for victim in helpers(site):
                os.kill(victim.pid, signal.SIGKILL)
            load.goes_on(60)


def test_its_own_process_is_stopped(site: Lab, opendkim: OpenDkimServer) -> None:
    """Others take its place."""
    with going_on(site, "real") as load:
        for victim in helpers(site):
            os.kill(victim.pid, signal.SIGSTOP)
        load.goes_on(60)


def test_the_filter_is_stopped_for_a_moment(site: Lab, opendkim: OpenDkimServer) -> None:
    with going_on(site, "real") as load:
        for pid in site.server.filters(NAME):
            os.kill(pid, signal.SIGSTOP)
        for pid in site.server.filters(NAME):
            os.kill(pid, signal.SIGCONT)
        load.goes_on(60)


# --- amid one session ---------------------------------------------------------------------------

Break = Callable[[Lab, OpenDkimServer], None]


def restart(site: Lab, opendkim: OpenDkimServer) -> None:
    """Kill the milter, and start it."""
    opendkim.kill9()
    opendkim.start()


def kill_worker(site: Lab, opendkim: OpenDkimServer) -> None:
    """Kill the filter's own processes, and wait for others."""
    before = {each.pid for each in helpers(site)}
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    until(lambda: len({each.pid for each in helpers(site)} - before) == len(before))


BREAKS = pytest.mark.parametrize("break_it", [restart, kill_worker], ids=["milter", "worker"])


def delivered(site: Lab) -> bytes:
    """Return the message that has come, of which the milter has seen exactly one copy."""
    message = site.inbox.one().message
    assert message.endswith(MESSAGE.partition(b"\r\n\r\n")[2].replace(b"\r\n", b"\n"))
    return message


@BREAKS
@pytest.mark.parametrize("title", ["real", "real, open"])
def test_between_two_messages(
    site: Lab, opendkim: OpenDkimServer, break_it: Break, title: str
) -> None:
    """The connections are begun anew with the next message."""
    with begin(number(title)) as client:
        client.ehlo()
        for _ in range(3):
            assert transaction(client).code == 250
            assert delivered(site).count(MARK) == 1
            break_it(site, opendkim)


@BREAKS
@pytest.mark.parametrize("title", ["real", "real, open"])
@pytest.mark.parametrize("behind", ["MAIL", "RCPT", "half of the message"])
def test_amid_a_message(
    site: Lab, opendkim: OpenDkimServer, break_it: Break, title: str, behind: str
) -> None:
    """It is for the client to come again, or passes without the milter; the next one goes well."""
    half = len(MESSAGE) // 2
    with begin(number(title)) as client:
        client.ehlo()
        client.mail(STRANGER)
        if behind == "MAIL":
            break_it(site, opendkim)
        replies = [client.rcpt(LOCAL)]
        if behind == "RCPT":
            break_it(site, opendkim)
        if replies[-1][0] == 250:
            replies.append(client.docmd("DATA"))
        if replies[-1][0] == 354:
            client.send(MESSAGE[:half])
            if behind == "half of the message":
                break_it(site, opendkim)
            client.send(MESSAGE[half:].replace(b"\r\n.", b"\r\n..") + b".\r\n")
            replies.append(client.getreply())
        if title.endswith("open"):
            assert replies[-1][0] == 250
            assert delivered(site).count(MARK) == 0
        else:
            assert replies[-1] == (451, AWAY)
        client.rset()
        assert transaction(client).code == 250
        assert delivered(site).count(MARK) == 1


def test_clients_that_go_away(site: Lab, opendkim: OpenDkimServer) -> None:
    for _ in range(10):
        client = begin(number("real"))
        client.ehlo()
        client.mail(STRANGER)
        client.rcpt(LOCAL)
        client.docmd("DATA")
        client.send(MESSAGE)
        client.close()
    assert patiently(site).count(MARK) == 1


def patiently(site: Lab, seconds: float = 60.0) -> bytes:
    """Send a message, again and again while the client is told to come again; return it."""
    end = time.monotonic() + seconds
    while True:
        with mail.connect(CONFIRMED_PTR, number("real")) as client:
            code, _ = mail.send(client, STRANGER, LOCAL, MESSAGE)
        if code == 250:
            return delivered(site)
        assert code == 451
        assert time.monotonic() < end


def test_a_milter_that_is_not_there_when_smtpd_starts(
    running: Lab, opendkim: OpenDkimServer
) -> None:
    site = running
    seen_by(site, opendkim)
    opendkim.kill9()
    opendkim.socket.unlink()
    site.server.restart()
    with (
        pytest.raises(smtplib.SMTPSenderRefused),
        mail.connect(CONFIRMED_PTR, number("real")) as client,
    ):
        client.sendmail(STRANGER, LOCAL, MESSAGE)
    opendkim.start()
    assert patiently(site).count(MARK) == 1
