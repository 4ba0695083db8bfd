"""The store of filter-limit and its processes fail while mail goes on: none is refused, or lost.

Rules that allow all of it are asked for each message. What a limit would refuse passes while nobody
knows it, and the limit holds again afterwards.
"""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from integration.support import told
from integration.support.dns_scenes import port
from integration.support.limit_scenes import (
    NAME,
    OTHER_DOMAIN,
    STATES,
    Limited,
    Listeners,
    Sent,
    chains,
    fronts,
    hand_over,
    prepare,
    send,
)
from integration.support.state_file import StateFile
from integration.support.told import CLIENTS, until
from integration.support.worker_processes import behind
from lab.peers.databases.valkey import ValkeyServer
from lab.peers.numbered import NumberedMail
from lab.shows.guide import Guide
from lab.support import Lab, Setup

RULES = (
    "address messages 1000/1s\naddress recipients 1000/1s reject\nsender bytes 1G/1s\n"
    "recipient-domain messages 1000/1s pace\nuser messages 1000/1s stop\n"
    "sender dave@example.org messages 1/1h reject\n"
)
FOLDER = "/var/lib/limit-faults"
"""Where the file is that breaks."""
LISTENERS: Listeners = {
    "file": Limited(RULES, state=f"{FOLDER}/state.db"),
    "memory": Limited(RULES, state=""),
    "valkey": Limited(RULES, state="redis://127.0.0.1:6379"),
    "held": Limited("recipient-domain mail.example.com messages 1/3s pace\n"),
}
DAVE = Sent("dave@example.org")


def prepare_faults(guide: Guide) -> None:
    StateFile(guide.view, FOLDER).lay_out("1m")
    prepare(guide, LISTENERS)


pytestmark = pytest.mark.parametrize(
    "running", [Setup("7.6", "limit-faults", prepare_faults)], indirect=True, ids=str
)


def number(title: str) -> int:
    return port(chains(LISTENERS), title)


def helpers(lab: Lab, title: str) -> list[int]:
    """Return the processes that have the state of a listener."""

    def found() -> list[int]:
        each = [process for pid in fronts(lab, title) for process in behind(pid)]
        return [process.pid for process in each if process.title == f"{NAME}: state"]

    until(found)  # one that was killed is replaced
    return found()


@contextmanager
def going_on(lab: Lab, title: str) -> Iterator[NumberedMail]:
    """Have clients send mail all the time, of which each message is accepted, and comes once.

    In the end a limit holds, whatever was forgotten.
    """
    before = lab.server.plugins()
    with told.going_on(lab, number(title)) as (load, _):
        yield load
    assert set(load.told.values()) == {250}
    assert lab.server.plugins() == before
    codes = []

    def holds() -> bool:
        codes.append(send(lab, number(title), DAVE).code)
        return codes[-1] == 550

    until(holds)
    lab.inbox.take(codes.count(250))
    assert set(codes) <= {250, 550}


def state_is_away(lab: Lab) -> Callable[[], bool]:
    """Return what tells whether the log has told so."""
    before = lab.log.count(" state-away ")
    return lambda: lab.log.count(" state-away ") > before


# --- the server ---------------------------------------------------------------------------------


def test_valkey_is_killed(lab: Lab, valkey: ValkeyServer) -> None:
    with going_on(lab, "valkey") as load:
        away = state_is_away(lab)
        valkey.kill9()
        until(away)
        load.goes_on(60)
        valkey.start()


def test_valkey_is_paused(lab: Lab, valkey: ValkeyServer) -> None:
    with going_on(lab, "valkey") as load:
        away = state_is_away(lab)
        valkey.pause()
        until(away)
        load.goes_on(60)
        valkey.resume()


def test_valkey_is_restarted(lab: Lab, valkey: ValkeyServer) -> None:
    with going_on(lab, "valkey") as load:
        for _ in range(3):
            valkey.restart()
            load.goes_on(60)


# --- the file -----------------------------------------------------------------------------------


def test_the_file_breaks(lab: Lab) -> None:
    file = StateFile(lab.guide.view, FOLDER)
    with going_on(lab, "file") as load:
        for harm in (
            file.overwrite,
            file.delete,
            file.cut_short,
            file.replace,
            file.cut_the_index_of_the_log,
            file.delete_all,
            file.cut_to_nothing,
        ):
            until(lambda: file.path().exists() and file.path("-shm").exists())
            harm()
            load.goes_on(60)


def test_the_file_system_takes_nothing(lab: Lab) -> None:
    with going_on(lab, "file") as load:
        away = state_is_away(lab)
        with StateFile(lab.guide.view, FOLDER).read_only():
            until(away)
            load.goes_on(60)


# --- processes ----------------------------------------------------------------------------------


@pytest.mark.parametrize("title", ["file", "memory", "valkey"])
def test_its_own_process_is_killed(lab: Lab, valkey: ValkeyServer, title: str) -> None:
    with going_on(lab, title) as load:
        for _ in range(3):
            for victim in helpers(lab, title):
                os.kill(victim, signal.SIGKILL)
            load.goes_on(60)


@pytest.mark.parametrize("title", ["file", "valkey"])
def test_its_own_process_is_stopped(lab: Lab, valkey: ValkeyServer, title: str) -> None:
    with going_on(lab, title) as load:
        for victim in helpers(lab, title):
            os.kill(victim, signal.SIGSTOP)
        load.goes_on(60)


def test_the_filter_is_stopped_for_a_moment(lab: Lab) -> None:
    with going_on(lab, "file") as load:
        for pid in lab.server.filters(NAME):
            os.kill(pid, signal.SIGSTOP)
        until(lambda: list(load.told.values()).count(0) == CLIENTS)
        for pid in lab.server.filters(NAME):
            os.kill(pid, signal.SIGCONT)
        load.goes_on(60)


def test_a_message_is_held_and_its_line_is_forgotten(lab: Lab) -> None:
    """It is the filter that waits, not the process that has the state."""
    sent = Sent(recipients=(OTHER_DOMAIN,))
    assert send(lab, number("held"), sent).code == 250
    seen = lab.log.count(" limit-pace ")
    held = hand_over(lab, number("held"), sent, "held")
    until(lambda: lab.log.count(" limit-pace ") > seen)
    for victim in helpers(lab, "held"):
        os.kill(victim, signal.SIGKILL)
    for each in (lab.guide.view / STATES).glob("held.db*"):
        each.unlink()
    assert send(lab, number("held"), sent).code == 250
    assert held.getreply()[0] == 250
    held.close()
    lab.inbox.take(3)
