"""Answers that machines share on a server: two filters, of which one asks for both.

Each filter has a resolver and a memory of its own, as two machines would.
"""

import re
from collections.abc import Iterator

import pytest

from integration.support.dns_scenes import Chains, listen, ours, places, port
from integration.support.network_scenes import until
from lab.peers.clients import CLIENTS
from lab.peers.databases.valkey import ValkeyServer
from lab.peers.nameserver import NameServer
from lab.peers.zones import CLIENT_ZONE
from lab.root import inside
from lab.shows import moves
from lab.shows.guide import Guide
from lab.support import Lab, setups

ADDRESS = ("127.0.0.7", 53)
SECRET = "/etc/mail/dns-secret"
URL = "redis://127.0.0.1:6379/5?secret_file=/etc/mail/dns-secret,keys=hashed,prefix=dns-"
OPTIONS = f"--verify --fcrdns junk --nameserver {ADDRESS[0]}"
CHAINS: Chains = {
    f"{name} {group}": (
        ours("filter-rdns", f"{OPTIONS} --dns-deadline {seconds} --dns-cache-url {URL}{group}:"),
    )
    for group in ("well", "poisoned", "away")
    for name, seconds in (("first", 5), ("second", 6))
}
"""Filters with the same options would be one; each group has keys of its own."""
FAILURES = ("PTR fails", "PTR is refused", "forward fails")
SHARED = [client for client in CLIENTS if client.title not in FAILURES][::2]
"""A failure is nothing to be shared. Half of the others have all outcomes."""


def prepare(guide: Guide) -> None:
    (guide.view / SECRET[1:]).write_text("a secret of all machines\n")
    inside.done(guide.view, "chown", moves.USER, SECRET)
    inside.done(guide.view, "chmod", "400", SECRET)
    listen(guide, CHAINS)


pytestmark = pytest.mark.parametrize("running", setups("shared", prepare), indirect=True, ids=str)


@pytest.fixture(autouse=True)
def the_server(valkey: ValkeyServer) -> None:
    """Have one, which may have been away while the filters started."""
    valkey.execute("FLUSHDB", database=5)


@pytest.fixture(scope="module")
def dns() -> Iterator[NameServer]:
    with NameServer(CLIENT_ZONE, ADDRESS) as server:
        yield server


def come(lab: Lab, dns: NameServer, chain: str) -> tuple[dict[str, str], set[tuple[str, str]]]:
    """Have all clients come; returns what becomes of their mail and what is asked for it."""
    before = len(dns.asked)
    found = places(lab, SHARED, port(CHAINS, chain))
    return found, {question for question in dns.asked[before:] if question[1] != "SOA"}


def keys(valkey: ValkeyServer) -> list[str]:
    return valkey.execute("KEYS", "*", database=5).split()


def shared(valkey: ValkeyServer, asked: set[tuple[str, str]]) -> list[str]:
    """Wait until there is a key for each question: a reply is shared after it has been used."""
    until(lambda: len(keys(valkey)) == len(asked))
    return keys(valkey)


def test_one_asks_for_both(lab: Lab, dns: NameServer, valkey: ValkeyServer) -> None:
    first, asked = come(lab, dns, "first well")
    assert len(set(first.values())) > 1
    assert asked
    found = shared(valkey, asked)
    assert come(lab, dns, "second well") == (first, set())
    assert all(re.fullmatch(r"dns-well:v[0-9a-f]{64}", key) for key in found)


def test_what_others_have_put_there_is_not_used(
    lab: Lab, dns: NameServer, valkey: ValkeyServer
) -> None:
    first, asked = come(lab, dns, "first poisoned")
    for key in shared(valkey, asked):
        size = int(valkey.execute("STRLEN", key, database=5))
        valkey.execute("SETRANGE", key, str(size - 8), "!" * 8, database=5)  # one may be there
    seen = len(lab.log)
    again, asked_again = come(lab, dns, "second poisoned")
    assert again == first
    assert asked_again == asked
    told = lab.log[seen:].count("state-not-ours")  # a worker says so once; a late one is replaced
    assert 1 <= told < len(asked)


def test_without_the_server_each_asks(lab: Lab, dns: NameServer, valkey: ValkeyServer) -> None:
    first, asked = come(lab, dns, "first away")
    seen = len(lab.log)
    valkey.pause()
    again, asked_again = come(lab, dns, "second away")
    assert again == first
    assert asked_again == asked
    assert lab.log[seen:].count("state-away") == 1
