"""A filter with state on a real smtpd: whatever happens to its store, mail goes on.

Each test does harm, has clients come meanwhile, and waits until they are counted again.
"""

import os
import re
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from integration.support.dns_scenes import Chains, knock, listen, ours, port, visit
from integration.support.state_file import StateFile
from lab.chaos import processes
from lab.peers.clients import CONFIRMED_PTR
from lab.peers.databases.valkey import ValkeyServer
from lab.root.plugin import LIBEXEC
from lab.root.root import VENV
from lab.shows.guide import Guide
from lab.support import Lab, on_both
from unit.support.processes import until
from unit.support.prying import CONFINED, status

PROGRAM = Path(__file__).with_name("filter_counted.py")
NAME = "filter-counted"
FOLDER = "/var/lib/filter-counted"
CHAINS: Chains = {
    "file": (ours(NAME, f"--state {FOLDER}/state.db"),),
    "memory": (ours(NAME),),
    "valkey": (ours(NAME, "--state redis://127.0.0.1:6379"),),
}


def prepare(guide: Guide) -> None:
    """Give the filter a small file system of its own, so that it can be filled."""
    program = guide.view / LIBEXEC / NAME
    program.write_text(f"#!{VENV}/bin/python3\n{PROGRAM.read_text()}")
    program.chmod(0o755)
    StateFile(guide.view, FOLDER).lay_out("1m")
    listen(guide, CHAINS)


_, pytestmark = on_both("counted", prepare)


@pytest.fixture(autouse=True)
def no_handler_fails(running: Lab) -> Iterator[None]:
    """And ``lab`` sees that no process ends that smtpd talks to."""
    seen = len(running.log)
    yield
    assert "handler-failed" not in running.log[seen:]


def file_of(lab: Lab) -> StateFile:
    return StateFile(lab.guide.view, FOLDER)


def come(lab: Lab, chain: str = "file") -> str:
    """Say HELO; return what was counted."""
    seen = len(lab.log)
    knock(CONFIRMED_PTR, port(CHAINS, chain)).close()
    until(lambda: " counted clients=" in lab.log[seen:])
    counted = re.findall(r" counted clients=(\w+)", lab.log[seen:])
    return str(counted[0])


def counts_again(lab: Lab, chain: str = "file") -> int:
    """Wait until clients are counted; return the count. Mail is delivered all the time."""
    while (found := come(lab, chain)) == "unknown":
        assert visit(lab, CONFIRMED_PTR, port(CHAINS, chain)).place == "inbox"
    return int(found)


def events(lab: Lab, seen: int) -> list[str]:
    return re.findall(r" (state-[a-z]+|worker-[a-z]+)\b", lab.log[seen:])


def test_clients_are_counted(lab: Lab) -> None:
    first = counts_again(lab)
    assert [int(come(lab)) for _ in range(3)] == [first + 1, first + 2, first + 3]
    assert [file_of(lab).path(end).stat().st_mode & 0o777 for end in ("", "-wal")] == [0o600] * 2


def test_the_count_outlives_smtpd(running: Lab) -> None:
    first = counts_again(running)
    running.server.restart()
    assert counts_again(running) == first + 1


# --- the file breaks ------------------------------------------------------------------------------


HARMS = {
    "cut_short": ["state-damaged"],
    "cut_to_nothing": ["state-damaged"],
    "overwrite": ["state-damaged"],
    "delete": [],
    "delete_all": [],
    "replace": ["state-damaged"],
    "cut_the_index_of_the_log": [],
    "cut_the_log": [],
    "overwrite_the_log": [],
}
"""What is done to the file, and what the log says of it."""
WORKER_ENDS = ["cut_the_index_of_the_log"]


@pytest.mark.parametrize("harm", HARMS)
def test_a_file_that_breaks(lab: Lab, harm: str) -> None:
    file = file_of(lab)
    counts_again(lab)
    file.fill()
    if harm in ("cut_the_log", "overwrite_the_log"):
        come(lab)  # so that there is a log of SQLite's
    before, seen = file.workers(), len(lab.log)
    assert len(before) == 1
    getattr(file, harm)()
    for _ in range(3):
        assert visit(lab, CONFIRMED_PTR, port(CHAINS, "file")).place == "inbox"
    first = counts_again(lab)
    assert int(come(lab)) == first + 1
    assert (file.workers() != before) == (harm in WORKER_ENDS)
    assert events(lab, seen) == HARMS[harm]


def test_a_file_that_breaks_while_nothing_serves(running: Lab) -> None:
    counts_again(running)
    running.server.stop()
    seen = len(running.log)
    file_of(running).overwrite()
    running.server.restart()
    assert counts_again(running) < 3
    assert events(running, seen) == ["state-damaged"]
    assert file_of(running).path(".damaged").exists()


# --- the file system is full, or takes nothing ----------------------------------------------------


@pytest.mark.parametrize("state", [StateFile.read_only, StateFile.full], ids=["read-only", "full"])
def test_a_file_system_that_takes_nothing(
    lab: Lab, state: Callable[[StateFile], AbstractContextManager[None]]
) -> None:
    counts_again(lab)
    seen = len(lab.log)
    with state(file_of(lab)):
        assert come(lab) == "unknown"
        for _ in range(3):
            assert visit(lab, CONFIRMED_PTR, port(CHAINS, "file")).place == "inbox"
        assert come(lab) == "unknown"
    counts_again(lab)
    assert [each for each in events(lab, seen) if each != "state-unusable"] == [
        "state-away",
        "state-back",
    ]


# --- the worker ends ------------------------------------------------------------------------------


def test_it_is_killed_again_and_again(lab: Lab) -> None:
    first = counts_again(lab)
    ended = threading.Event()
    killed = []

    def kill() -> None:
        while not ended.wait(0.3):
            for pid in file_of(lab).workers():
                os.kill(pid, signal.SIGKILL)
                killed.append(pid)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        places = [visit(lab, CONFIRMED_PTR, port(CHAINS, "file")).place for _ in range(15)]
    finally:
        ended.set()
        killer.join()
    assert places == ["inbox"] * 15
    assert killed
    assert counts_again(lab) >= first + 15  # a step may be taken twice by two workers


# --- the memory of the worker ---------------------------------------------------------------------


def state_workers(lab: Lab) -> list[int]:
    """Return the workers of all chains."""

    def found() -> list[int]:
        return [each.pid for each in processes.workers(lab.server) if each.kind == f"{NAME}: state"]

    until(lambda: len(found()) == len(CHAINS))  # one that was killed is replaced
    return found()


def test_what_is_in_memory_is_lost_with_its_worker_alone(lab: Lab) -> None:
    first, in_file = counts_again(lab, "memory"), counts_again(lab)
    assert [int(come(lab, "memory")) for _ in range(5)] == [first + n for n in range(1, 6)]
    for pid in state_workers(lab):
        assert status(pid) == CONFINED
        os.kill(pid, signal.SIGKILL)
    assert counts_again(lab, "memory") < 5
    assert visit(lab, CONFIRMED_PTR, port(CHAINS, "memory")).place == "inbox"
    assert counts_again(lab) > in_file


# --- the server -----------------------------------------------------------------------------------


def test_a_server_that_comes_and_goes(lab: Lab, valkey: ValkeyServer) -> None:
    first = counts_again(lab, "valkey")
    assert int(come(lab, "valkey")) == first + 1
    seen = len(lab.log)
    valkey.pause()
    assert come(lab, "valkey") == "unknown"
    assert visit(lab, CONFIRMED_PTR, port(CHAINS, "valkey")).place == "inbox"
    valkey.resume()
    assert counts_again(lab, "valkey") > first + 1
    valkey.kill9()
    assert come(lab, "valkey") == "unknown"
    valkey.start()
    counts_again(lab, "valkey")
    assert events(lab, seen) == ["state-away", "state-back"] * 2
