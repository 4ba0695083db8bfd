"""``check --probe``, run on another machine: a network of its own, strange to the server.

smtpd takes all addresses of its own machine for local, so nothing can be learned from there.
"""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from integration.check.faults.table import change
from integration.check.ground import Ground, made_good, planted, zone
from lab.peers.nameserver import NameServer
from lab.root import inside
from lab.root.namespace import SERVER4, STRANGER
from lab.root.server import Server
from lab.support import ALONE, need_stage

pytestmark = ALONE
ROUTER = "198.51.100.1"
SILENT = "198.51.100.200"
"""Somebody whom nobody can reach: there is no such machine."""
HOST = "example.com"


def _ip(*words: str, inside_of: int = 0) -> None:
    enter = ["nsenter", "--net", "--target", str(inside_of)] if inside_of else []
    subprocess.run([*enter, "ip", *words], check=True)


@contextmanager
def elsewhere() -> Iterator[int]:
    """Yield a process whose network is another one, with a way to the server."""
    holder = subprocess.Popen(["unshare", "--net", "sh", "-c", "echo; exec sleep 600"],
                              stdout=subprocess.PIPE)  # fmt: skip
    try:
        assert holder.stdout is not None
        holder.stdout.readline()
        there = holder.pid
        _ip("link", "add", "out0", "type", "veth", "peer", "name", "in0", "netns", str(there))
        _ip("address", "add", f"{ROUTER}/24", "dev", "out0")
        _ip("link", "set", "out0", "up")
        for words in ("link set lo up", f"address add {STRANGER}/24 dev in0", "link set in0 up",
                      f"route add default via {ROUTER}"):  # fmt: skip
            _ip(*words.split(), inside_of=there)
        yield there
    finally:
        holder.kill()
        holder.wait()


@pytest.fixture(scope="module")
def there() -> Iterator[int]:
    with elsewhere() as there:
        yield there


@pytest.fixture(scope="module")
def good(there: int) -> Iterator[Ground]:
    guide = need_stage("7.6").guide("check probe")
    made_good(guide, "7.6")
    with NameServer({}, (ROUTER, 53)) as dns:
        ground = Ground("7.6", guide, dns, zone(guide))
        ground.zone["example.com", "A"] = [SERVER4]
        del ground.zone["example.com", "AAAA"]
        ground.put("/etc/resolv.conf", f"nameserver {ROUTER}\n")
        yield ground


def probe(ground: Ground, there: int, host: str) -> tuple[int, list[dict[str, Any]]]:
    """Run it on the other machine; return its status and its findings."""
    ground.dns.records = ground.zone
    command = ["nsenter", "--net", "--target", str(there), inside.CHROOT, str(ground.view),
               "opensmtpd-plugins", "check", "--json", "--probe", host]  # fmt: skip
    done = subprocess.run(
        command, capture_output=True, check=False, timeout=60, env=inside.ENVIRONMENT
    )
    assert done.stderr == b"", done.stderr
    return done.returncode, json.loads(done.stdout or "[]")


def codes(found: list[dict[str, Any]]) -> list[str]:
    """Return what was found; that the lab's certificate is signed by nobody is known."""
    return [each["code"] for each in found if each["code"] != "probe-certificate"]


def test_a_server_that_relays_for_its_own_alone(good: Ground, there: int) -> None:
    with Server(good.view):
        status, found = probe(good, there, HOST)
    assert codes(found) == []
    assert [each["severity"] for each in found] == ["warning"]
    assert status == 1


def test_an_open_relay(good: Ground, there: int) -> None:
    line = 'match auth from any for any action "outbound"'
    with (
        planted(good, "open", change(line, line.replace("auth ", ""))) as ground,
        Server(ground.view),
    ):
        status, found = probe(ground, there, HOST)
    assert codes(found) == ["probe-open-relay"]
    (relay,) = (each for each in found if each["code"] == "probe-open-relay")
    assert (status, relay["severity"]) == (1, "error")
    assert HOST in relay["fault"]


def test_no_tls(good: Ground, there: int) -> None:
    plain = change("listen on $ipv4 port 25 tls $optional", "listen on $ipv4 port 25")
    with planted(good, "plain", plain) as ground, Server(ground.view):
        assert codes(probe(ground, there, HOST)[1]) == ["probe-no-starttls"]


def test_nobody_listens(good: Ground, there: int) -> None:
    status, found = probe(good, there, HOST)
    assert (status, codes(found)) == (1, ["probe-refused"])


def test_port_25_is_blocked(good: Ground, there: int) -> None:
    status, found = probe(good, there, SILENT)
    assert status == 1
    assert codes(found) in (["probe-timeout"], ["probe-unreachable"])
    assert SILENT in found[0]["fault"]


def test_the_server_does_not_ask_itself(good: Ground) -> None:
    """There, it would be an open relay to all of its own addresses."""
    good.dns.records = good.zone
    with Server(good.view):
        done = inside.tried(good.view, "opensmtpd-plugins", "check", "--json", "--probe", HOST)
    assert (done.returncode, codes(json.loads(done.stdout))) == (3, ["probe-itself"])
