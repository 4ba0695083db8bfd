"""Processes of filter-archive and its disk fail amid mail: each accepted message is kept once."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

import pytest

from integration.support import archive_scenes as scenes
from integration.support.archive_scenes import CHAINS, COPIES, copies, hello, send, session
from integration.support.checks import logged
from integration.support.dns_scenes import port
from integration.support.told import CLIENTS, going_on, tells
from integration.support.worker_processes import behind, whole
from lab.chaos.processes import workers
from lab.peers.copies import until
from lab.peers.numbered import NumberedMail
from lab.support import Lab, Setup

pytestmark = pytest.mark.parametrize(
    "running", [Setup("7.6", "archive", scenes.prepare)], indirect=True, ids=str
)


@pytest.fixture
def lab(lab: Lab) -> Lab:
    """smtpd; no copy is there at first."""
    for title in ("kept", "small", "hasty"):
        copies(lab, title).take(0)
    return lab


@contextmanager
def kept(lab: Lab, title: str = "kept") -> Iterator[NumberedMail]:
    """Have mail come. All that was accepted is kept once then, and what was refused is not."""
    with going_on(lab, port(CHAINS, title)) as (load, _):
        yield load
    found = copies(lab, title).settled()
    assert scenes.times(found) == dict.fromkeys(load.accepted, 1)
    assert {each.status for each in found} == {"accepted"}
    assert set(load.told.values()) <= {250, 451}


def writers(lab: Lab, kind: str = COPIES) -> set[int]:
    """Return the processes that write copies."""
    return {each.pid for each in workers(lab.server) if each.kind == kind}


def others(lab: Lab, before: set[int]) -> None:
    """Wait until others have come into the places of all processes that write copies."""
    until(lambda: len(writers(lab) - before) == len(before))


# --- processes ------------------------------------------------------------------------------------


def test_processes_that_write_are_killed(lab: Lab) -> None:
    with kept(lab) as load:
        for _ in range(6):
            before = writers(lab)
            for pid in before:
                os.kill(pid, signal.SIGKILL)
            others(lab, before)
            load.goes_on(60)


def test_all_its_processes_are_killed_one_after_another(lab: Lab) -> None:
    """Those that others are made from, too."""
    (front,) = [each for each in lab.server.filters(scenes.NAME) if keeps(each, "kept")]
    with kept(lab) as load:
        for process in whole(front, 1):
            os.kill(process.pid, signal.SIGKILL)
            until(lambda: process.pid not in {each.pid for each in behind(front)})  # noqa: B023
            whole(front, 1)
            load.goes_on(60)


def keeps(front: int, title: str) -> bool:
    """Return whether a filter has the folder of a chain."""
    return Path(f"/proc/{front}/cmdline").read_bytes().endswith(f"/{title}\0".encode())


def test_processes_that_write_are_stopped_for_a_moment(lab: Lab) -> None:
    with kept(lab) as load:
        for _ in range(3):
            stopped = writers(lab)
            for pid in stopped:
                os.kill(pid, signal.SIGSTOP)
            until(lambda: list(load.told.values()).count(0) == CLIENTS)  # all wait
            for pid in stopped:
                os.kill(pid, signal.SIGCONT)
            load.goes_on(60)


def test_a_process_that_writes_is_stopped_for_long(lab: Lab) -> None:
    """Another one takes its place; clients who have waited for too long are to come again."""
    with kept(lab, "hasty") as load:
        for _ in range(2):
            before = lab.log.count(" worker-late")
            for pid in writers(lab, "filter-hasty-archive: copies"):
                os.kill(pid, signal.SIGSTOP)
            logged(lab, "worker-late", before)
            load.goes_on(60)


def test_the_filter_is_stopped_for_a_moment(lab: Lab) -> None:
    with kept(lab) as load:
        for number in (signal.SIGSTOP, signal.SIGCONT):
            for pid in lab.server.filters(scenes.NAME):
                os.kill(pid, number)
        load.goes_on(60)


# --- disks ----------------------------------------------------------------------------------------


@contextmanager
def full(lab: Lab) -> Iterator[None]:
    """Have a disk without room for a byte."""
    filler = copies(lab, "small").path / "filler"
    with open(filler, "wb", 0) as file, suppress(OSError):
        while file.write(b"x" * 512):
            pass
    yield
    filler.unlink()


@contextmanager
def closed(lab: Lab) -> Iterator[None]:
    """Have a folder that the filter's user may not write to."""
    path = copies(lab, "small").path / "tmp"
    path.chmod(0o500)
    yield
    path.chmod(0o700)


Fault = Callable[[Lab], AbstractContextManager[None]]


@pytest.mark.parametrize("fault", [full, closed])
def test_a_disk_that_takes_nothing(lab: Lab, fault: Fault) -> None:
    found = copies(lab, "small")
    before = lab.log.count(" archive-failed ")
    with fault(lab):
        with session("small") as client:
            for _ in range(2):
                assert scenes.transaction(client, hello("refused")) == 451
                client.rset()
        assert send("small, open", "without a copy") == 250
        assert b"\nSubject: without a copy\n" in lab.inbox.one().message
        assert found.all() == []
    assert lab.log.count(" archive-failed ") == before + 3
    for title in ("small", "small, open"):
        assert send(title) == 250
        assert found.one().message == lab.inbox.one().message
    assert found.settled() == []


def test_a_disk_that_is_full_amid_a_message(lab: Lab) -> None:
    """What was written of its copy takes no room any more, whatever became of the message."""
    large = hello("large") + b"line of a large message\r\n" * 60_000
    found = copies(lab, "small")
    for title, code in ("small", 451), ("small, open", 250):
        with session(title) as client:
            assert scenes.transaction(client, large) == code
            if code == 250:
                lab.inbox.one()
            assert scenes.transaction(client, hello("small")) == 250
        assert found.one().message == lab.inbox.one().message
    assert found.settled() == []


def test_a_disk_that_is_full_now_and_then(lab: Lab) -> None:
    with kept(lab, "small") as load:
        for _ in range(3):
            with full(lab):
                until(tells(load, 451))
            load.goes_on(60)


def test_copies_that_cannot_be_moved(lab: Lab) -> None:
    """smtpd has accepted the messages: they wait where they are, and are moved when that goes."""
    found = copies(lab)
    with kept(lab) as load:
        (found.path / "new").chmod(0o500)
        until(lambda: len(found.names("tmp")) > 3)
        load.goes_on(60)
        (found.path / "new").chmod(0o700)
    assert " archive-late " in lab.log
