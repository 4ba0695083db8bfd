"""Two mail servers, smtpd 7.6 and 7.9, whose filters keep what they know on one Valkey."""

import itertools
import smtplib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from random import Random
from typing import NamedTuple

import pytest

from integration.support.greylist_scenes import FIELD, MINUTE, NAME, QUICK, Tried, message
from integration.support.told import until
from lab.fleet.network import DATABASES, SWITCH, address, dropped, network, switch
from lab.peers import mail
from lab.peers.databases.valkey import ValkeyServer
from lab.peers.maildir import Delivered, Maildir
from lab.peers.nameserver import NameServer
from lab.peers.numbered import NumberedMail, missing_and_twice
from lab.root.server import Server
from lab.shows.demo import LOCAL, STRANGER
from lab.support import ALONE, need_stage

pytestmark = ALONE
URL = f"redis://{DATABASES}"
QUICKLY, USUAL = 25, 26
CONF = """\
table domains file:/etc/mail/domains
table aliases file:/etc/mail/aliases
filter "quick" proc-exec "{name} --state {url}/5 {quick} --auto-white 0"
filter "usual" proc-exec "{name} --state {url}/6"
listen on {address} port {quickly} filter "quick" hostname example.com
listen on {address} port {usual} filter "usual" hostname example.com
action "maildir" maildir "%{{user.directory}}/Maildir" junk alias <aliases>
match from any for domain <domains> action "maildir"
"""
OTHER = "username@example.com"
"""Who gets the mail of strangers."""
_numbers = itertools.count()


class Node(NamedTuple):
    """One of the mail servers."""

    number: int
    within: Sequence[str]
    """Goes before a command, to run it in the network of the node."""
    server: Server
    inbox: Maildir
    others: Maildir

    @property
    def log(self) -> str:
        """All that it has logged."""
        return self.server.log.read_text(errors="replace")

    def connect(self, port: int = QUICKLY) -> smtplib.SMTP:
        """Begin a session. Raises SMTPException, OSError."""
        return mail.connect(SWITCH, port, self.server.address)

    def tried(self, sender: str, port: int = QUICKLY, to: str = LOCAL) -> Tried:
        """Send a message in a session of its own."""
        with self.connect(port) as client:
            return message(client, sender, [to])

    def spares_strangers(self) -> bool:
        """Tell whether mail of somebody new passes at once."""
        spared = not self.tried(f"new{next(_numbers)}@remote.example", USUAL, OTHER).waits
        if spared:
            self.others.one()
        return spared


class Site(NamedTuple):
    """Both, and what they share."""

    nodes: list[Node]
    valkey: ValkeyServer

    def take(self) -> list[bytes]:
        """Return what has been delivered anywhere."""
        return [each.content for node in self.nodes for each in node.inbox.take(0)]


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with ExitStack() as stack:
        stack.enter_context(switch())
        valkey = ValkeyServer(need_stage("7.6").root, address=DATABASES)
        stack.enter_context(valkey)
        stack.enter_context(NameServer({}, (SWITCH, 53)))
        nodes = [
            stack.enter_context(node(number, smtpd))
            for number, smtpd in enumerate(("7.6", "7.9"), 1)
        ]
        yield Site(nodes, valkey)
        assert [each.server.alive() for each in nodes] == [True, True]
        assert not any("handler-failed" in each.log for each in nodes)


@contextmanager
def node(number: int, smtpd: str) -> Iterator[Node]:
    guide = need_stage(smtpd).guide(f"greylist-mx{number}")
    conf = CONF.format(name=NAME, url=URL, quick=QUICK, address=address(number),
                       quickly=QUICKLY, usual=USUAL)  # fmt: skip
    (guide.view / "etc/mail/smtpd.conf").write_text(conf)
    (guide.view / "etc/resolv.conf").write_text(f"nameserver {SWITCH}\n")
    with (
        network(number) as within,
        Server(guide.view, address=address(number), within=within) as server,
    ):
        homes = [Maildir(guide.home(user) / "Maildir") for user in ("alice", "username")]
        yield Node(number, within, server, *homes)


@contextmanager
def going_on(site: Site) -> Iterator[NumberedMail]:
    """Have a client who is known send to any of the two; all has to be taken, and to come once."""
    again(site.nodes[0], STRANGER)

    def session(dice: Random) -> smtplib.SMTP:
        return dice.choice(site.nodes).connect()

    came: list[bytes] = []

    def take() -> list[bytes]:
        found = site.take()
        came.extend(found)
        return found

    with NumberedMail(session, STRANGER, LOCAL, 3) as load:
        load.goes_on(60)
        yield load
        load.goes_on(60)
        until(lambda: len(load.told) >= 30)
    assert missing_and_twice(load, take) == (set(), set())
    assert set(load.told.values()) == {250}
    assert not any(FIELD.search(each) for each in came)


def again(at: Node, sender: str) -> Delivered:
    """Send a message again and again until it passes."""
    end = time.monotonic() + MINUTE
    while at.tried(sender).waits:
        assert time.monotonic() < end
        time.sleep(0.1)
    return at.inbox.one()


# --- what they share ------------------------------------------------------------------------------


def test_a_client_who_comes_again_elsewhere(site: Site) -> None:
    first, second = site.nodes
    assert first.tried("a@remote.example").codes == [451]
    assert FIELD.search(again(second, "a@remote.example").message)
    assert first.tried("a@remote.example").codes == [250, 250]
    assert not FIELD.search(first.inbox.one().message)
    assert first.tried("b@remote.example").codes == [451]


def test_both_know_all_that_each_has_seen(site: Site) -> None:
    first, second = site.nodes
    waits = [at.tried("c@remote.example", USUAL).waits[0] for at in (first, second, first)]
    assert waits[0] == 300
    assert sorted(waits, reverse=True) == waits
    keys = site.valkey.execute("KEYS", "greylist:*", database=6)
    assert "c@remote.example" in keys


# --- Valkey fails amid mail -----------------------------------------------------------------------


def kill(valkey: ValkeyServer) -> None:
    valkey.kill9()


def pause(valkey: ValkeyServer) -> None:
    valkey.pause()


@pytest.mark.parametrize("harm", [pause, kill], ids=["paused", "killed"])
def test_valkey_fails(site: Site, harm: Callable[[ValkeyServer], None]) -> None:
    """Mail passes meanwhile, also that of strangers; then they have to come again, as before."""
    with going_on(site) as load:
        assert [at.spares_strangers() for at in site.nodes] == [False, False]
        seen = [len(at.log) for at in site.nodes]
        harm(site.valkey)
        for at, before in zip(site.nodes, seen, strict=True):
            assert at.spares_strangers()
            assert " state-away " in at.log[before:]
        load.goes_on(60)
        site.valkey.heal()
        until(lambda: all(not at.spares_strangers() for at in site.nodes))
    assert not site.nodes[0].tried(STRANGER).waits
    site.nodes[0].inbox.one()


def test_valkey_is_restarted(site: Site) -> None:
    with going_on(site) as load:
        for _ in range(3):
            site.valkey.restart()
            load.goes_on(60)


def test_one_of_them_does_not_reach_it(site: Site) -> None:
    cut, other = site.nodes
    with going_on(site), dropped(cut.number, cut.within):
        until(cut.spares_strangers)
        assert not other.spares_strangers()
    until(lambda: not cut.spares_strangers())
