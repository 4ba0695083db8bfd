"""Clients with scores, before filter-senderscore as pages of ours have it."""

from ipaddress import ip_address

from integration.support.dns_scenes import visit
from integration.support.manual_machine import Machine
from integration.support.rspamd_stand_in import RspamdStandIn
from lab.peers.clients import CONFIRMED_PTR, LYING_PTR, NO_PTR
from lab.root.namespace import STRANGER
from lab.root.namespace import visit as present

ZONE = "score.senderscore.com"
BLOCKED = "550 your IP reputation is too low for this MX"
UNREGISTERED, FRIEND = "192.0.2.108", "192.0.2.109"
SCORES = {
    NO_PTR: "127.0.4.9",
    LYING_PTR: "127.0.4.69",
    CONFIRMED_PTR: "127.0.4.98",
    UNREGISTERED: "127.255.255.255",
    FRIEND: "127.0.4.1",
}


def know_the_scores(machine: Machine) -> None:
    """Have the service answer."""
    machine.lab.dns.records = {
        **machine.records,
        **{
            (ip_address(each).reverse_pointer.replace("in-addr.arpa", ZONE), "A"): [answer]
            for each, answer in SCORES.items()
        },
    }


def judged_by_scores(machine: Machine) -> None:
    """Bad ones are refused, doubtful ones junk, and those who have no score pass."""
    know_the_scores(machine)
    clients = (NO_PTR, LYING_PTR, CONFIRMED_PTR, UNREGISTERED, FRIEND)
    fates = [visit(machine.lab, each, 25) for each in clients]
    assert [each.place for each in fates] == [BLOCKED, ".Junk", *["inbox"] * 3]
    assert [each.fields(b"X-SenderScore: ") for each in fates[1:]] == [
        [b"X-SenderScore: 69"],
        [b"X-SenderScore: 98"],
        [],
        [b"X-SenderScore: 100"],
    ]
    for line in (
        "senderscore-block score=9 phase=connect",
        "senderscore-junk score=69",
        "senderscore-refused answer=127.255.255.255",
    ):
        assert line in machine.lab.log
    with present(STRANGER):  # of a network that is spared
        passed = visit(machine.lab, STRANGER, 25)
        assert passed.fields(b"X-SenderScore: ") == [b"X-SenderScore: 100"]


def judged_and_told(machine: Machine) -> None:
    """Bad ones are refused, doubtful ones junk, and those who have no score pass."""
    know_the_scores(machine)
    fates = [visit(machine.lab, each, 25) for each in (NO_PTR, LYING_PTR, UNREGISTERED)]
    assert [each.place for each in fates] == [BLOCKED, ".Junk", "inbox"]
    assert [each.fields(b"X-SenderScore: ") for each in fates[1:]] == [[b"X-SenderScore: 69"], []]
    assert "senderscore-refused answer=127.255.255.255" in machine.lab.log


def told_to_rspamd(machine: Machine) -> None:
    """The score is in the mail that rspamd sees; nobody is refused for it."""
    know_the_scores(machine)
    with RspamdStandIn() as rspamd:
        assert visit(machine.lab, NO_PTR, 25, front="x-senderscore: 100\r\n").place == "inbox"
        (asked,) = rspamd.scanned
        assert asked.body.lower().count(b"x-senderscore:") == 1
        assert b"X-SenderScore: 9\n" in asked.body.replace(b"\r\n", b"\n")
