"""filter-greylist beside postgrey, with its times: the same decisions on the same mail."""

from random import Random
from typing import NamedTuple

import pytest

from integration.support.greylist_sides import OPTIONS, Ours, Sent, Theirs
from lab.peers.postgrey import PostgreyServer
from lab.support import ALONE, need_stage

pytestmark = ALONE
BEGINNING = 1_900_000_000
MONTH = 29 * 86400
"""Within it, nothing is forgotten that has passed: postgrey does that by night alone."""
PAUSES = (1, 60, 299, 300, 301, 900, 3599, 3600, 3601, 7200, 14399, 14401, 86400, 3 * 86400)
"""Seconds from one attempt to the next."""
WINDOW = ("-greyexp", "14400.5")
"""For postgrey, who comes again in the very second in which the time is over is in time."""
HOSTS = ("203.0.113.{}", "198.51.100.{}", "192.0.2.{}", "10.0.0.{}", "2001:db8:1:2::{}",
         "2001:db8:1:3::{}", "2a00:1:2:3:4:5:6:{}")  # fmt: skip
RECIPIENTS = (b"alice@example.com", b"Alice@Example.com", b"bob@example.com", b"bob+x@example.com",
              b"carol@example.net", b"5@example.com", b"team")  # fmt: skip


def sender(dice: Random) -> bytes:
    """Return an address: a person's, a list's with a number each time, one with a tag of BATV."""
    number, tag = dice.randrange(10**6), f"{dice.getrandbits(40):010x}"
    list_, user = dice.choice(("news", "talk")), dice.choice(("bob", "dan", "e.f-g_h"))
    forms = (
        f"{user}@remote.example",
        f"{user.upper()}@Remote.Example",
        f"{user}+{number}@remote.example",
        f"{list_}-{number}@lists.example",
        f"{list_}-return-{number}-alice=example.com@lists.example",
        f"bounce.{number}.{list_}@lists.example",
        f"{list_}_{number}@lists.example",
        f"{list_}{number}x@lists.example",
        f"{number}@lists.example",
        f"{list_}+{user}=x.example@lists.example",
        f"prvs={tag}={user}@remote.example",
        f"prvs={user}={tag}@remote.example",
        f"prvs={tag}={user}+{number}@remote.example",
        f"prvs={tag}={list_}-{number}@lists.example",
        f"prvs={user}={list_}@remote.example",
        f"prvs={tag}@remote.example",
        f"msprvs1={number}={list_}@lists.example",
        f"SRS0={tag[:4]}={tag[4:6]}=lists.example={user}@remote.example",
        f"{user}@{number}.example",
        user,
        "",
    )
    return dice.choice(forms).encode()


class Setting(NamedTuple):
    """The options of both, and how many addresses a network has."""

    theirs: tuple[str, ...]
    ours: str
    hosts: int


SETTINGS = {
    "as they come, a client a network": Setting((), "--auto-white 5", 1),
    "networks": Setting(("--auto-whitelist-clients=0",), "--auto-white 0", 4),
    "addresses": Setting(
        ("--lookup-by-host",), "--auto-white 5 --network4 32 --network6 128", 4
    ),
    "one success is enough": Setting(
        ("--lookup-by-host", "--auto-whitelist-clients=1"), "--network4 32 --network6 128", 2
    ),
    "other times and networks": Setting(
        ("--delay=3600", "--retry-window=24h", "--auto-whitelist-clients=0",
         "--ipv4cidr=16", "--ipv6cidr=48"),
        "-passtime 3600 -greyexp 86400.5 --auto-white 0 --network4 16 --network6 48",
        4,
    ),
}  # fmt: skip


def attempts(dice: Random, hosts: int, mailers: int = 90) -> list[Sent]:
    """Return messages in the order of their times: each mailer tries one again and again."""
    found = []
    for _ in range(mailers):
        now = BEGINNING + dice.randrange(MONTH // 2)
        network = dice.choice(HOSTS)
        written = dice.choice([sender(dice), None])
        recipients = tuple(dice.sample(RECIPIENTS, dice.choice((1, 1, 1, 2, 3))))
        for _ in range(dice.choice((1, 2, 5, 12))):
            by = sender(dice) if written is None else written
            to = recipients if by else recipients[:1]
            found.append(Sent(now, network.format(11 + dice.randrange(hosts)), by, to))
            now += dice.choice(PAUSES)
    return sorted(found)


@pytest.mark.parametrize("setting", SETTINGS.values(), ids=SETTINGS)
def test_they_decide_alike(setting: Setting) -> None:
    sent, seen = attempts(Random(17), setting.hosts), set[str]()
    assert len(sent) > 400
    with PostgreyServer(need_stage("7.6").root, (*OPTIONS, *setting.theirs)) as server:
        ours, theirs = Ours(*WINDOW, *setting.ours.split()), Theirs(server)
        for each in sent:
            judged = ours.judge(each)
            assert (each, judged) == (each, theirs.judge(each))
            seen.update("waits" if wait else "passes" for wait in judged.waits)
            seen.update(["delayed"] if judged.delay else [])
    assert seen == {"waits", "passes", "delayed"}
