"""The name server: silent, gone, slow, lying."""

from lab.chaos.faults import Strikes, fault
from lab.chaos.stand import ADDRESSES, Stand
from lab.peers.clients import reverse
from lab.peers.nameserver import Records, failing, garbage

MANY = ["127.0.0.2"] * 300
"""Records of one answer."""


@fault("the name server is silent", pause=1.0, stops_names=True)
def silent(stand: Stand) -> Strikes:
    """Have no question answered, for seconds at a time."""
    try:
        while True:
            stand.dns.dead = True
            yield 1
            yield 0
            yield 0
            stand.dns.dead = False
            yield 0
    finally:
        stand.dns.dead = False


@fault("the name server is slow", pause=1.0, stops_names=True)
def slow(stand: Stand) -> Strikes:
    """Have answers take a while, up to more than anybody waits."""
    try:
        while True:
            stand.dns.delay = stand.dice.choice((0.3, 1.0, 3.0, 8.0))
            yield 1
            stand.dns.delay = 0.0
            yield 0
    finally:
        stand.dns.delay = 0.0


@fault("the name server lies", pause=0.3, stops_names=True)
def lie(stand: Stand) -> Strikes:
    """Answer with garbage, failures, endless names and hostile text, and forget the truth."""
    lies = [garbage(stand.dice.randbytes(size)) for size in (0, 10, 500, 60_000)]
    odd = [
        ["a\\124b.example.net."],
        ["a\\010filter-result.example.net."],
        [f"n{n}.example.net." for n in range(500)],
        [f"{'x' * 60}.{'y' * 60}.example.net."],
        ["."],
    ]
    try:
        while True:
            zone: dict[tuple[str, str], object] = dict(stand.zone)
            for address in ADDRESSES:
                zone[reverse(address), "PTR"] = stand.dice.choice([*lies, *odd, failing()])
            zone["*.bl.test", "A"] = stand.dice.choice(
                [*lies, failing(), ["127.255.255.254"], ["203.0.113.80"], MANY]
            )
            zone["*.score.senderscore.com", "A"] = stand.dice.choice(
                [*lies, failing(), ["127.255.255.255"], ["203.0.113.80"], ["127.0.4.0"], MANY]
            )
            zone["*.bl.test", "TXT"] = ['"\\010filter-result|x|y|proceed"']
            stand.dns.records = _records(zone)
            yield 1
    finally:
        stand.dns.records = stand.zone


def _records(zone: dict[tuple[str, str], object]) -> Records:
    return zone  # type: ignore[return-value]  # each value came from one of Records
