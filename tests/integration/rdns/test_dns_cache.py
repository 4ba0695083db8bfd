"""The cache file: what was asked before smtpd was restarted is not asked again."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.support.dns_scenes import Chains, listen, ours, places, port
from lab.peers.clients import CLIENTS
from lab.peers.nameserver import NameServer
from lab.peers.zones import CLIENT_ZONE
from lab.root import inside
from lab.shows import moves
from lab.shows.guide import Guide
from lab.support import Lab, setups
from unit.support.processes import until

ADDRESS = ("127.0.0.7", 53)
FOLDER = "/var/lib/filter-rdns"
OPTIONS = f"--verify --fcrdns junk --nameserver {ADDRESS[0]} --dns-cache {FOLDER}/dns"
CHAINS: Chains = {"cache": (ours("filter-rdns", OPTIONS),)}
FAILURES = ("PTR fails", "PTR is refused", "forward fails")
KEPT = [client for client in CLIENTS if client.title not in FAILURES]
"""A failure is nothing to be kept."""


def prepare(guide: Guide) -> None:
    inside.done(guide.view, "install", "-d", "-o", moves.USER, "-m", "700", FOLDER)
    listen(guide, CHAINS)


pytestmark = pytest.mark.parametrize("running", setups("cache", prepare), indirect=True, ids=str)


@pytest.fixture(scope="module")
def dns() -> Iterator[NameServer]:
    with NameServer(CLIENT_ZONE, ADDRESS) as server:
        yield server


def come(lab: Lab, dns: NameServer) -> tuple[dict[str, str], list[str]]:
    """Have all clients come; returns what becomes of their mail and what is asked for it."""
    before = len(dns.asked)
    found = places(lab, KEPT, port(CHAINS, "cache"))
    return found, [name for name, kind in dns.asked[before:] if kind != "SOA"]


def nothing_queued(lab: Lab) -> bool:
    """Tell whether the queue is empty: smtpd delivers again what is in it when it is stopped."""
    return not any((lab.guide.view / "var/spool/smtpd/queue").glob("*/*"))


def file(lab: Lab) -> Path:
    return lab.guide.view / FOLDER[1:] / "dns"


def test_the_cache_outlives_smtpd(running: Lab, dns: NameServer) -> None:
    first, asked = come(running, dns)
    assert asked
    assert come(running, dns) == (first, [])
    until(lambda: nothing_queued(running))
    running.server.restart()
    assert come(running, dns) == (first, [])
    assert "cache-" not in running.log


@pytest.mark.parametrize("spoil", ["flip", "cut"])
def test_a_damaged_file_is_not_used(running: Lab, dns: NameServer, spoil: str) -> None:
    first, _ = come(running, dns)
    until(lambda: nothing_queued(running))
    running.server.stop()
    good = file(running).read_bytes()
    middle = len(good) // 2
    bad = {
        "flip": good[:middle] + bytes([good[middle] ^ 1]) + good[middle + 1 :],
        "cut": good[:middle],
    }
    file(running).write_bytes(bad[spoil])
    before = len(running.log)
    running.server.restart()
    again, asked = come(running, dns)
    assert again == first
    assert asked
    log = running.log[before:]
    assert len([line for line in log.splitlines() if "cache" in line]) == 1, log
    assert "handler-failed" not in log
