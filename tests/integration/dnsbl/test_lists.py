"""filter-dnsbl: lists of all kinds, and what becomes of the mail of those whom they list.

All of LISTED, LISTED6 and BOTH are on the list ``bl``; BOTH is on the allow list, too.
"""

from ipaddress import ip_address

import pytest

from integration.support.dns_scenes import NAME, Chains, Fate, knock, listen, ours, port, visit
from lab.peers import mail
from lab.peers.clients import CONFIRMED_PTR, CONFIRMED_PTR6
from lab.peers.nameserver import Records, failing, silent
from lab.shows.demo import LOCAL, STRANGER
from lab.shows.guide import PASSWORD, Guide
from lab.support import Lab, setups

LISTED, LISTED6, BOTH, FREE = CONFIRMED_PTR, CONFIRMED_PTR6, "192.0.2.101", "192.0.2.100"
KEY = "k3y0fs0meb0dy"
PAID = f"{KEY}.mail.abusix.zone"


def on(zone: str, address: str) -> str:
    """Return the name that a list has for an address."""
    backwards = ip_address(address).reverse_pointer
    return f"{backwards.removesuffix('.in-addr.arpa').removesuffix('.ip6.arpa')}.{zone}"


LISTS: Records = {
    (on("bl.test", LISTED), "A"): ["127.0.0.2"],
    (on("bl.test", LISTED), "TXT"): ['"see https://bl.test/?a=7"'],
    (on("bl.test", LISTED6), "A"): ["127.0.0.3"],
    (on("bl.test", BOTH), "A"): ["127.0.0.2"],
    (on("bl2.test", LISTED), "A"): ["127.0.0.4", "127.0.0.10"],
    (on("wl.test", BOTH), "A"): ["127.0.10.1"],
    ("good.example.net.names.test", "A"): ["127.0.0.2"],
    ("bad.example.helo.test", "A"): ["127.0.0.2"],
    ("spam.example.senders.test", "A"): ["127.0.0.2"],
    (on(PAID, LISTED), "A"): ["127.0.0.2"],
    ("*.world.test", "A"): ["127.0.0.2"],
    ("*.refusing.test", "A"): ["127.255.255.254"],
    ("*.parked.test", "A"): ["203.0.113.80"],
    ("*.failing.test", "A"): failing(),
    ("*.mute.test", "A"): silent,
}
CHAINS: Chains = {
    "as C": (ours("filter-dnsbl", "bl.test"),),
    "mark": (ours("filter-dnsbl", "-mv -- -w wl.test bl.test -e '127.0.0.[2-4]' bl2.test"),),
    "junk": (ours("filter-dnsbl", "--junk-at 1 bl.test -w wl.test"),),
    "rdns": (ours("filter-dnsbl", "--junk-at 1 -d names.test"),),
    "helo": (ours("filter-dnsbl", "--junk-at 1 --helo helo.test"),),
    "sender": (ours("filter-dnsbl", "--reject-at 1 -s senders.test"),),
    "scores": (
        ours(
            "filter-dnsbl",
            "--junk-at 2 --reject-at 4 --header bl.test bl2.test --score 2 -s senders.test",
        ),
    ),
    "mask": (ours("filter-dnsbl", "--junk-at 1 -e '127.0.0.[3,5-9]' bl.test"),),
    "text": (
        ours(
            "filter-dnsbl",
            "--reject-at 1 --text '554 5.7.1 {ip} is on {list} ({code}): {txt}' bl.test",
        ),
    ),
    "paid": (ours("filter-dnsbl", f"--reject-at 1 --header -v {PAID}"),),
    "spare": (ours("filter-dnsbl", "--junk-at 1 --spare-authenticated bl.test"),),
    "mute": (ours("filter-dnsbl", "--junk-at 1 --dns-deadline 1 mute.test bl.test"),),
    "mute, tempfail": (
        ours("filter-dnsbl", "--junk-at 1 --dns-deadline 1 --dns-failure tempfail mute.test"),
    ),
    "mute allow": (ours("filter-dnsbl", "--reject-at 1 --dns-deadline 1 bl.test -w mute.test"),),
    "failing": (ours("filter-dnsbl", "--junk-at 1 failing.test bl.test"),),
    "world": (ours("filter-dnsbl", "--junk-at 1 world.test"),),
    "refusing": (ours("filter-dnsbl", "--junk-at 1 refusing.test"),),
    "parked": (ours("filter-dnsbl", "--junk-at 1 parked.test"),),
}


def prepare(guide: Guide) -> None:
    listen(guide, CHAINS)


pytestmark = pytest.mark.parametrize("running", setups("dnsbl", prepare), indirect=True, ids=str)


@pytest.fixture(autouse=True)
def lists(lab: Lab) -> None:
    lab.dns.records = {**lab.dns.records, **LISTS}


def come(
    lab: Lab, address: str, title: str, helo: str = NAME, sender: str = STRANGER, front: str = ""
) -> Fate:
    return visit(lab, address, port(CHAINS, title), helo, sender, front)


def test_without_options_as_in_c(lab: Lab) -> None:
    for address in (LISTED, LISTED6, BOTH):
        assert come(lab, address, "as C").place == "421 Listed at bl.test"
    assert come(lab, FREE, "as C").place == "inbox"


@pytest.mark.parametrize(
    ("address", "place", "fields"),
    [
        (
            LISTED,
            ".Junk",
            [
                b"X-Spam-DNSBL: Listed at bl.test",
                b"X-Spam-DNSBL: Listed at bl2.test",
                b"X-Spam: Yes",
            ],
        ),
        (LISTED6, ".Junk", [b"X-Spam-DNSBL: Listed at bl.test", b"X-Spam: Yes"]),
        (
            BOTH,
            "inbox",
            [b"X-Spam-DNSWL: Listed at wl.test", b"X-Spam-DNSBL: Listed at bl.test"],
        ),
        (FREE, "inbox", []),
    ],
)
def test_marks(lab: Lab, address: str, place: str, fields: list[bytes]) -> None:
    """What the client itself has written is gone."""
    forged = "X-Spam: no\r\nx-spam-dnswl: Listed at\r\n somewhere\r\nX-Spammer: me\r\n"
    marked = come(lab, address, "mark", front=forged)
    assert marked.place == place
    assert marked.fields(b"X-Spam") == fields
    assert b"somewhere" not in marked.message


@pytest.mark.parametrize(
    ("title", "address", "place"),
    [
        ("junk", LISTED, ".Junk"),
        ("junk", LISTED6, ".Junk"),
        ("junk", BOTH, "inbox"),
        ("junk", FREE, "inbox"),
        ("rdns", LISTED, ".Junk"),
        ("rdns", LISTED6, "inbox"),
        ("mask", LISTED, "inbox"),
        ("mask", LISTED6, ".Junk"),
        ("text", LISTED, f"554 5.7.1 {LISTED} is on bl.test (127.0.0.2): see https://bl.test/?a=7"),
        ("text", LISTED6, f"554 5.7.1 {LISTED6} is on bl.test (127.0.0.3): -"),
        ("text", FREE, "inbox"),
    ],
)
def test_lists_of_clients(lab: Lab, title: str, address: str, place: str) -> None:
    assert come(lab, address, title).place == place


@pytest.mark.parametrize(
    ("helo", "place"), [("bad.example", ".Junk"), ("BAD.Example", ".Junk"), (NAME, "inbox")]
)
def test_lists_of_helo_names(lab: Lab, helo: str, place: str) -> None:
    assert come(lab, LISTED, "helo", helo).place == place


@pytest.mark.parametrize(
    ("sender", "place"),
    [
        ("bob@spam.example", "550 5.7.1 Listed at senders.test"),
        ("bob@SPAM.example", "550 5.7.1 Listed at senders.test"),
        ("bob@example.net", "inbox"),
        ("", "inbox"),
    ],
)
def test_lists_of_senders(lab: Lab, sender: str, place: str) -> None:
    assert come(lab, LISTED, "sender", sender=sender).place == place


@pytest.mark.parametrize(
    ("address", "sender", "place"),
    [
        (LISTED, STRANGER, ".Junk"),  # 1 + 1
        (LISTED6, STRANGER, "inbox"),  # 1
        (LISTED, "bob@spam.example", "550 5.7.1 Listed at senders.test"),  # 1 + 1 + 2
        (LISTED6, "bob@spam.example", ".Junk"),  # 1 + 2
        (FREE, "bob@spam.example", ".Junk"),  # 2
    ],
)
def test_scores_add_up(lab: Lab, address: str, sender: str, place: str) -> None:
    assert come(lab, address, "scores", sender=sender).place == place


def test_the_header_says_why(lab: Lab) -> None:
    fate = come(lab, LISTED, "scores")
    assert fate.fields(b"X-Spam-Reason") == [
        b"X-Spam-Reason: dnsbl; 192.0.2.7 is listed at bl.test (127.0.0.2)",
        b"X-Spam-Reason: dnsbl; 192.0.2.7 is listed at bl2.test (127.0.0.4, 127.0.0.10)",
    ]


def test_a_key_is_nobodys_business(lab: Lab) -> None:
    assert come(lab, LISTED, "paid").place == "550 5.7.1 Listed at mail.abusix.zone"
    assert come(lab, FREE, "paid").place == "inbox"
    assert "listed at mail.abusix.zone" in lab.log
    lines = [line for line in lab.log.splitlines() if KEY in line]
    assert lines == []


def test_who_authenticates_is_spared(lab: Lab) -> None:
    with knock(LISTED, port(CHAINS, "spare")) as client:
        client.starttls(context=mail.trusting(lab.guide))
        client.login("alice", PASSWORD)
        assert mail.send(client, LOCAL, LOCAL, mail.compose(LOCAL, LOCAL, "spared"))[0] == 250
    assert lab.inbox.one().folder == "inbox"
    assert come(lab, LISTED, "spare").place == ".Junk"


def test_a_list_that_does_not_answer_hurts_nobody(lab: Lab) -> None:
    assert come(lab, FREE, "mute").place == "inbox"
    assert come(lab, LISTED, "mute").place == ".Junk"  # by the other list
    assert come(lab, FREE, "mute, tempfail").place == "451 4.7.1 Refused"


def test_nobody_is_refused_while_the_allow_list_is_silent(lab: Lab) -> None:
    assert come(lab, LISTED, "mute allow").place == "inbox"
    assert " undecided check=dnsbl " in lab.log


def test_a_list_that_fails_is_left_out(lab: Lab) -> None:
    for number in range(100, 108):
        assert come(lab, f"192.0.2.{number}", "failing").place in ("inbox", ".Junk")
    assert lab.log.count(" list-left-out list=failing.test ") == 1
    before = len(lab.dns.asked)
    assert come(lab, LISTED, "failing").place == ".Junk"
    assert not [name for name, _ in lab.dns.asked[before:] if name.endswith("failing.test")]


def test_a_list_that_lists_the_world_is_not_believed(lab: Lab) -> None:
    for address in (FREE, LISTED, LISTED6):
        assert come(lab, address, "world").place == "inbox"
    assert lab.log.count(" list-not-believed list=world.test ") == 1


@pytest.mark.parametrize("title", ["refusing", "parked"])
def test_a_list_that_is_none_for_us_is_switched_off(lab: Lab, title: str) -> None:
    for address in (FREE, LISTED, LISTED6):
        assert come(lab, address, title).place == "inbox"
    assert lab.log.count(f" list-off list={title}.test ") == 1
    asked = [name for name, _ in lab.dns.asked if name.endswith(f"{title}.test")]
    assert len(asked) == 2  # the first client and what no list may list


def test_nothing_failed(lab: Lab) -> None:
    assert "handler-failed" not in lab.log
