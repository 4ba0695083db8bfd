"""Three mail servers on one PostgreSQL and one Valkey, of which two are smtpd 7.6 and one is 7.9.

docs/fleet.md says what this shows.
"""

import smtplib
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

import pytest

from integration.support.network_scenes import until
from lab.fleet.fleet import QUESTION, Fleet, connect, fleet, log_in, rcpt
from lab.fleet.network import LISTED, dropped
from lab.fleet.node import PAGE
from lab.fleet.upgrade import next_version, upgrade
from lab.peers import mail
from lab.peers.databases.server import DatabaseServer
from lab.peers.numbered import NumberedMail, missing_and_twice
from lab.shows import markdown
from lab.support import ALONE, need_stage

pytestmark = ALONE
ALICE, STRANGER, PASSWORD = "alice@example.com", "bob@example.net", "correcthorse"


@pytest.fixture(scope="module")
def running() -> Iterator[Fleet]:
    old, new = need_stage("7.6"), need_stage("7.9")
    with ThreadPoolExecutor(2) as pool:
        guides = pool.map(lambda stage: stage.guide(f"fleet-{stage.smtpd}"), (old, new))
    roots = [guide.view for guide in guides]
    with fleet([roots[0], roots[0], roots[1]], old.root) as made:
        made.start()
        made.page("Users, once")
        yield made


@pytest.fixture
def load(running: Fleet) -> Iterator[NumberedMail]:
    """Clients who take any of the nodes; at the end nothing may be lost, and nobody refused."""

    def session(dice: Random) -> smtplib.SMTP:
        return connect(dice.choice(running.nodes))

    with NumberedMail(session, STRANGER, ALICE, clients=3) as sending:
        sending.goes_on()
        yield sending
    assert sending.refused == []
    assert missing_and_twice(sending, running.take) == (set(), set())
    for node in running.nodes:
        node.server.check()


def everywhere(running: Fleet, good: Callable[[], list[int]], wanted: int) -> float:
    """Wait until all nodes say this; return the seconds that it took."""
    start = time.monotonic()
    while good() != [wanted] * len(running.nodes):
        assert time.monotonic() - start < 30
        time.sleep(0.05)
    return time.monotonic() - start


def test_users_are_added_once(running: Fleet) -> None:
    assert running.all(lambda node: rcpt(node, "carol@example.com")) == [550] * 3
    running.add_user("carol", PASSWORD)
    assert running.all(lambda node: rcpt(node, "carol@example.com")) == [250] * 3
    assert running.all(lambda node: log_in(node, "carol", PASSWORD)) == [235] * 3
    assert running.all(lambda node: log_in(node, "carol", "wrong")) == [535] * 3
    running.sql("DELETE FROM accounts WHERE name = 'carol';")
    assert running.all(lambda node: rcpt(node, "carol@example.com")) == [550] * 3
    assert running.all(lambda node: log_in(node, "carol", PASSWORD)) == [535] * 3


def test_senders_are_blocked_once(running: Fleet) -> None:
    sender, other = "spam@example.net", "more@example.net"
    assert running.all(lambda node: rcpt(node, ALICE, sender)) == [550] * 3  # as the page says
    assert running.all(lambda node: rcpt(node, ALICE, other)) == [250] * 3
    running.block(other)
    assert running.all(lambda node: rcpt(node, ALICE, other)) == [550] * 3


def test_the_dns_is_asked_once(running: Fleet) -> None:
    for node in running.nodes:
        with connect(node, source=LISTED) as client:
            client.sendmail(STRANGER, ALICE, mail.compose(STRANGER, ALICE, "listed"))
        # The mail does not wait until the answer is kept.
        until(lambda: QUESTION[0] in running.valkey.execute("KEYS", "*"))
    found: list[bytes] = []
    end = time.monotonic() + 30
    while len(found) < len(running.nodes) and time.monotonic() < end:
        found += running.take()
    assert [message.count(b"\nX-Spam-DNSBL: ") for message in found] == [1] * 3
    assert running.dns.asked.count(QUESTION) == 1


@pytest.mark.parametrize("name", ["postgres", "valkey"])
@pytest.mark.parametrize("what", ["kill9", "pause"])
def test_a_database_is_gone(running: Fleet, load: NumberedMail, name: str, what: str) -> None:
    """All nodes tempfail, recipients who are there and who are not; then all is well again."""
    database: DatabaseServer = getattr(running, name)
    plugins = [node.server.plugins() for node in running.nodes]
    getattr(database, what)()
    try:
        logins = running.all(lambda node: log_in(node, "alice", PASSWORD))
        assert logins == [421 if name == "postgres" else 235] * 3
        known = running.all(lambda node: rcpt(node, ALICE))
        unknown = running.all(lambda node: rcpt(node, "noone@example.com"))
        assert (known, unknown) == ([451] * 3, [451] * 3)
        time.sleep(1)
    finally:
        database.heal()
    took = everywhere(running, lambda: running.all(lambda node: rcpt(node, ALICE)), 250)
    print(f"{name} {what}: all nodes well after {took:.2f} s")
    load.goes_on()
    assert running.all(lambda node: rcpt(node, "noone@example.com")) == [550] * 3
    assert [node.server.plugins() for node in running.nodes] == plugins


def test_a_network_drops_packets(running: Fleet, load: NumberedMail) -> None:
    """Between one of the nodes and the databases: the others do not notice."""
    first = running.nodes[0]
    with dropped(first.number, first.within):
        assert running.all(lambda node: rcpt(node, ALICE)) == [451, 250, 250]
        assert running.all(lambda node: log_in(node, "alice", PASSWORD)) == [421, 235, 235]
        load.goes_on()
    took = everywhere(running, lambda: running.all(lambda node: rcpt(node, ALICE)), 250)
    print(f"all nodes well after {took:.2f} s")


def test_known_users_while_the_database_is_gone(running: Fleet, load: NumberedMail) -> None:
    """With the page's ``stale`` on one of the nodes."""
    (stale,) = [block for block in markdown.blocks(PAGE) if block.text == "stale 3600\n"]
    node = running.nodes[0]
    node.add(stale)
    assert [rcpt(node, ALICE), log_in(node, "alice", PASSWORD)] == [250, 235]
    running.postgres.stop()
    try:
        assert rcpt(node, ALICE) == 250
        assert 400 <= rcpt(node, "somebody@example.com") < 500
        assert 400 <= log_in(node, "alice", PASSWORD) < 500
        load.goes_on()
    finally:
        running.postgres.start()
    everywhere(running, lambda: running.all(lambda node: log_in(node, "alice", PASSWORD)), 235)


def test_a_node_is_gone(running: Fleet, load: NumberedMail) -> None:
    """The others go on, and what it has accepted is delivered when it is back."""
    running.nodes[0].stop()
    for _ in range(5):
        load.goes_on()
    running.nodes[0].server.restart()


def test_a_rolling_upgrade(running: Fleet, load: NumberedMail, tmp_path: Path) -> None:
    """Our package is replaced under the running plugins, one node after the other."""
    new = next_version(need_stage("7.6").wheels, tmp_path)
    version = new.name.split("-")[1]
    assert {node.version() for node in running.nodes} == {version.removesuffix(".post1")}
    for node in running.nodes:
        upgrade(node, new)
        assert node.version() == version
        load.goes_on()
        assert rcpt(node, ALICE) == 250
