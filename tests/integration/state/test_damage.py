"""A filter with state on a real smtpd: whatever happens to its store, mail goes on.

Each test does harm, has clients come meanwhile, and waits until they are counted again.
"""

import os
import re
import signal
import sqlite3
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from integration.support.dns_scenes import Chains, knock, listen, ours, port, visit
from lab.chaos import processes
from lab.peers.clients import CONFIRMED_PTR
from lab.peers.databases.valkey import ValkeyServer
from lab.root import inside
from lab.root.plugin import LIBEXEC
from lab.root.root import VENV
from lab.shows import moves
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
    folder = guide.view / FOLDER[1:]
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], check=True)
    inside.done(guide.view, "chown", moves.USER, FOLDER)
    listen(guide, CHAINS)


_, pytestmark = on_both("counted", prepare)


@pytest.fixture(autouse=True)
def no_handler_fails(running: Lab) -> Iterator[None]:
    """And ``lab`` sees that no process ends that smtpd talks to."""
    seen = len(running.log)
    yield
    assert "handler-failed" not in running.log[seen:]


def path(lab: Lab, end: str = "") -> Path:
    return lab.guide.view / FOLDER[1:] / f"state.db{end}"


def workers(lab: Lab) -> list[int]:
    """Return the processes that have the file open."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            links = [os.readlink(fd) for fd in (entry / "fd").iterdir()]
        except OSError:  # it has ended
            continue
        if any(link.endswith("filter-counted/state.db") for link in links):
            found.append(int(entry.name))
    return found


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
    assert [each.stat().st_mode & 0o777 for each in (path(lab), path(lab, "-wal"))] == [0o600] * 2


def test_the_count_outlives_smtpd(running: Lab) -> None:
    first = counts_again(running)
    running.server.restart()
    assert counts_again(running) == first + 1


# --- the file breaks ------------------------------------------------------------------------------


def fill(lab: Lab) -> None:
    """Have pages in the file that its worker has to read again."""
    with closing(sqlite3.connect(path(lab))) as db:
        rows = [(b"c=%d" % number, 1, 0, 0, 1 << 60, None) for number in range(1500)]
        db.executemany("INSERT OR REPLACE INTO steps VALUES (?, ?, ?, ?, ?, ?)", rows)
        db.commit()
        assert db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0


def cut_short(lab: Lab) -> None:
    os.truncate(path(lab), 100)


def cut_to_nothing(lab: Lab) -> None:
    os.truncate(path(lab), 0)


def overwrite(lab: Lab) -> None:
    with path(lab).open("r+b") as file:
        file.write(os.urandom(path(lab).stat().st_size))


def delete(lab: Lab) -> None:
    path(lab).unlink()


def delete_all(lab: Lab) -> None:
    for each in path(lab).parent.glob("state.db*"):
        each.unlink()


def replace(lab: Lab) -> None:
    other = path(lab, ".other")
    other.write_bytes(b"something else\n" * 1000)
    inside.done(lab.guide.view, "chown", moves.USER, f"{FOLDER}/state.db.other")
    other.chmod(0o600)
    other.rename(path(lab))


def cut_the_index_of_the_log(lab: Lab) -> None:
    """SQLite maps this file into its memory: whoever reads there now gets a SIGBUS."""
    os.truncate(path(lab, "-shm"), 0)


def cut_the_log(lab: Lab) -> None:
    os.truncate(path(lab, "-wal"), 0)


def overwrite_the_log(lab: Lab) -> None:
    with path(lab, "-wal").open("r+b") as file:
        file.write(b"\xff" * path(lab, "-wal").stat().st_size)


HARMS: dict[Callable[[Lab], None], list[str]] = {
    cut_short: ["state-damaged"],
    cut_to_nothing: ["state-damaged"],
    overwrite: ["state-damaged"],
    delete: [],
    delete_all: [],
    replace: ["state-damaged"],
    cut_the_index_of_the_log: [],
    cut_the_log: [],
    overwrite_the_log: [],
}
"""What is done to the file, and what the log says of it."""
WORKER_ENDS = [cut_the_index_of_the_log]


@pytest.mark.parametrize("harm", HARMS, ids=lambda harm: harm.__name__)
def test_a_file_that_breaks(lab: Lab, harm: Callable[[Lab], None]) -> None:
    counts_again(lab)
    fill(lab)
    if harm in (cut_the_log, overwrite_the_log):
        come(lab)  # so that there is a log of SQLite's
    before, seen = workers(lab), len(lab.log)
    assert len(before) == 1
    harm(lab)
    for _ in range(3):
        assert visit(lab, CONFIRMED_PTR, port(CHAINS, "file")).place == "inbox"
    first = counts_again(lab)
    assert int(come(lab)) == first + 1
    assert (workers(lab) != before) == (harm in WORKER_ENDS)
    assert events(lab, seen) == HARMS[harm]


def test_a_file_that_breaks_while_nothing_serves(running: Lab) -> None:
    counts_again(running)
    running.server.stop()
    seen = len(running.log)
    overwrite(running)
    running.server.restart()
    assert counts_again(running) < 3
    assert events(running, seen) == ["state-damaged"]
    assert path(running, ".damaged").exists()


# --- the file system is full, or takes nothing ----------------------------------------------------


@contextmanager
def read_only(lab: Lab) -> Iterator[None]:
    """The worker may have files open for writing, which the kernel would not allow."""
    folder = path(lab).parent
    for pid in workers(lab):
        os.kill(pid, signal.SIGKILL)
    until(lambda: workers(lab) == [])
    subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["mount", "-o", "remount,rw", folder], check=True)


@contextmanager
def full(lab: Lab) -> Iterator[None]:
    for pid in workers(lab):  # its log has room that was written before
        os.kill(pid, signal.SIGKILL)
    until(lambda: workers(lab) == [])
    delete_all(lab)
    filler = path(lab).parent / "filler"
    subprocess.run(["dd", "if=/dev/zero", f"of={filler}"], check=False, capture_output=True)
    try:
        yield
    finally:
        filler.unlink()


@pytest.mark.parametrize("state", [read_only, full], ids=["read-only", "full"])
def test_a_file_system_that_takes_nothing(lab: Lab, state: Callable[[Lab], object]) -> None:
    counts_again(lab)
    seen = len(lab.log)
    outage = state(lab)
    assert hasattr(outage, "__enter__")
    with outage:  # type: ignore[attr-defined]
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
            for pid in workers(lab):
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
