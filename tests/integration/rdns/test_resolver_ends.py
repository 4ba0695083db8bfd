"""The resolver's process is killed and stopped while clients come: mail goes on, and is judged."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.support.dns_scenes import Chains, listen, ours, port, visit
from lab.peers.clients import reverse
from lab.peers.nameserver import NameServer
from lab.shows.guide import Guide
from lab.support import Lab, setups

ADDRESS = ("127.0.0.7", 53)
OPTIONS = f"--verify --fcrdns junk --dns-failure tempfail --nameserver {ADDRESS[0]}"
CHAINS: Chains = {"ends": (ours("filter-rdns", OPTIONS),)}
KNOWN, OTHERS, LAST = 100, 101, 120
"""Hosts of 192.0.2.0/24 whose names are confirmed: those that the lab's clients have."""


def prepare(guide: Guide) -> None:
    listen(guide, CHAINS)


pytestmark = pytest.mark.parametrize("running", setups("ends", prepare), indirect=True, ids=str)


@pytest.fixture(scope="module")
def dns() -> Iterator[NameServer]:
    records = {}
    for number in range(KNOWN, LAST + 1):
        name, address = f"host{number}.example.net", f"192.0.2.{number}"
        records[reverse(address), "PTR"] = [f"{name}."]
        records[name, "A"] = [address]
    with NameServer(records, ADDRESS) as server:
        yield server


def processes(title: str) -> list[int]:
    """Return the processes of this name, which ps(1) shows."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            shown = (folder / "cmdline").read_bytes().rstrip(b"\0").decode(errors="replace")
        except OSError:
            continue
        if shown.strip() == title:
            found.append(int(folder.name))
    return found


def workers() -> list[int]:
    return processes("filter-rdns: resolver")


def come(lab: Lab, number: int) -> str:
    return visit(lab, f"192.0.2.{number}", port(CHAINS, "ends")).place


def test_it_is_killed_again_and_again(lab: Lab, dns: NameServer) -> None:
    """Its front answers what it knows, asks again what it does not, and smtpd sees nothing."""
    assert come(lab, KNOWN) == "inbox"
    dns.delay = 0.2  # so that it dies with questions
    ended, kills = threading.Event(), 0

    def kill() -> None:
        nonlocal kills
        while not ended.is_set():
            for pid in workers():
                os.kill(pid, signal.SIGKILL)
                kills += 1
            time.sleep(0.5)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        places = [come(lab, number) for number in [*range(OTHERS, OTHERS + 10), KNOWN]]
    finally:
        ended.set()
        killer.join()
        dns.delay = 0.0
    assert set(places) <= {"inbox"} | {place for place in places if place.startswith("451 ")}
    assert places[-1] == "inbox"
    assert kills > 0
    assert come(lab, OTHERS + 11) == "inbox"  # whole again


def test_it_is_stopped(lab: Lab, dns: NameServer) -> None:
    assert come(lab, KNOWN) == "inbox"
    stopped = workers()
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    assert come(lab, KNOWN) == "inbox"  # what is known needs no process
    assert workers() == stopped
    assert come(lab, OTHERS + 12) == "inbox"  # another process was asked
    assert not set(workers()) & set(stopped)


def test_the_stems_are_killed_and_then_it(lab: Lab, dns: NameServer) -> None:
    for pid in processes("filter-rdns: resolver (stem)")[:1]:
        os.kill(pid, signal.SIGKILL)
    for pid in workers():
        os.kill(pid, signal.SIGKILL)
    assert come(lab, OTHERS + 13) == "inbox"
