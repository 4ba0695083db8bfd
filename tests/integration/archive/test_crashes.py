"""filter-archive and smtpd are killed amid mail: at the next start each accepted one is kept once.

What smtpd may have accepted, or not, is kept, and says so.
"""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from integration.support import archive_scenes as scenes
from integration.support.archive_scenes import KEPT, NAME, copies, hello, send, session
from integration.support.dns_scenes import port
from lab.chaos.processes import tree, workers
from lab.peers import mail
from lab.peers.clients import CONFIRMED_PTR
from lab.peers.copies import Copy, until
from lab.peers.numbered import NumberedMail
from lab.shows.demo import LOCAL, STRANGER
from lab.support import Lab, Setup

pytestmark = pytest.mark.parametrize(
    "running", [Setup("7.6", "archive-crashes", scenes.prepare_kept)], indirect=True, ids=str
)
CLIENTS, ROUNDS = 3, 3


@pytest.fixture
def site(running: Lab) -> Iterator[Lab]:
    """smtpd; no copy is there at first. It has delivered all at the end, some perhaps twice."""
    if not running.server.alive():
        running.server.restart()
    copies(running).take(0)
    yield running
    running.server.check()
    running.inbox.rest()


def smtpd(lab: Lab) -> list[int]:
    """Return the processes of smtpd itself."""
    plugins = set(lab.server.plugins())
    return [pid for pid in tree(lab.server.pid) if pid not in plugins and name(pid) == "smtpd"]


def name(pid: int) -> str:
    """Return the name of a process, empty where it has ended."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip()
    return ""


def kill_smtpd(lab: Lab) -> None:
    """Kill all processes of smtpd, and none of ours."""
    for pid in smtpd(lab):
        os.kill(pid, signal.SIGKILL)


def kill_filter(lab: Lab) -> None:
    """Kill the filter: smtpd ends."""
    for pid in lab.server.filters(NAME):
        os.kill(pid, signal.SIGKILL)


def kill_all(lab: Lab) -> None:
    """Kill smtpd and all of ours, as if the machine had ended."""
    pids = [*smtpd(lab), *lab.server.plugins(), *(each.pid for each in workers(lab.server))]
    for pid in pids:
        with suppress(ProcessLookupError):  # it ends with another one
            os.kill(pid, signal.SIGKILL)


KILLS = pytest.mark.parametrize("kill", [kill_smtpd, kill_filter, kill_all])
Kill = Callable[[Lab], None]


def start(lab: Lab) -> None:
    """Start smtpd as soon as it has ended: its filters may still be about to."""
    until(lambda: not lab.server.alive() and not smtpd(lab))
    lab.server.__enter__()


@KILLS
def test_amid_mail(site: Lab, kill: Kill) -> None:
    with NumberedMail(lambda _: mail.connect(CONFIRMED_PTR, port(KEPT, "kept")),
                      STRANGER, LOCAL, CLIENTS) as load:  # fmt: skip
        for _ in range(ROUNDS):
            load.goes_on(60)
            for _ in range(4):
                load.goes_on(60)
            kill(site)
            start(site)
        load.goes_on(60)
    found = copies(site).settled()
    times = scenes.times(found)
    assert set(times.values()) == {1}
    assert load.accepted <= set(times)
    unsure = {number for number, code in load.told.items() if code == 0}
    assert set(times) <= load.accepted | unsure
    doubtful = [each for each in found if each.status == "doubtful"]
    assert {each.path.name for each in doubtful} <= recovered(site)
    assert len(doubtful) <= CLIENTS * ROUNDS


def recovered(lab: Lab) -> set[str]:
    """Return the names of the copies that were found to be left."""
    return {
        line.partition(" archive-recovered file=")[2]
        for line in lab.log.splitlines()
        if " archive-recovered file=" in line
    }


@KILLS
def test_before_smtpd_has_accepted_a_message(site: Lab, kill: Kill) -> None:
    """The filter has let it pass, and smtpd's queue has not come to it: nobody was told 250."""
    (queue,) = [pid for pid in smtpd(site) if title(pid).startswith("smtpd: queue ")]
    client = session()
    client.mail(STRANGER)
    client.rcpt(LOCAL)
    client.docmd("DATA")
    client.send(hello("doubtful").replace(b"\r\n.", b"\r\n.."))
    os.kill(queue, signal.SIGSTOP)
    client.send(b".\r\n")
    until(lambda: [each for each in copies(site).names("tmp") if not each.endswith(".part")])
    assert copies(site).names("new") == []
    kill(site)
    with suppress(ProcessLookupError):
        os.kill(queue, signal.SIGKILL)
    client.close()
    start(site)
    copy = one(site)
    assert copy.status == "doubtful"
    assert b"\nSubject: doubtful\n" in copy.message
    assert send() == 250
    assert copies(site).one().status == "accepted"


def one(lab: Lab) -> Copy:
    """Wait for the one copy, and a while for another."""
    found = copies(lab)
    until(lambda: found.names("new"))
    time.sleep(0.2)
    return found.one()


def title(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()


@pytest.mark.parametrize("kill", [kill_smtpd, kill_all])
def test_when_a_message_was_accepted_just_now(site: Lab, kill: Kill) -> None:
    """The filter may not have heard of it yet."""
    for number in range(3):
        assert send(subject=f"number {number}") == 250
        kill(site)
        start(site)
        copy = one(site)
        assert f"\nSubject: number {number}\n".encode() in copy.message


def test_smtpd_ends_in_order(site: Lab) -> None:
    """What it has decided is done before the filter ends."""
    for number in range(2):
        assert send(subject=f"number {number}") == 250
        site.server.stop()
        assert copies(site).names("tmp") == []
        assert copies(site).one().status == "accepted"
        site.server.__enter__()
