"""Recipes of docs/cookbook.md about the operation of a server, and what goes beyond ours."""

from collections.abc import Mapping

from integration.support import metrics_server
from integration.support.cookbook.recipe import Recipe
from integration.support.dns_scenes import visit
from integration.support.manual_machine import Expected, Machine
from lab.peers import mail
from lab.peers.clients import CONFIRMED_PTR, NO_PTR
from lab.peers.verify import signatures, verifies
from lab.peers.zones import GOOD_NAMES

FRIEND = "outside.example.org"


def kept_for_a_friend(machine: Machine) -> None:
    """Mail for the friend's users goes on to his server, and other mail is refused."""
    servers = ["10 mx.outside.example.org.", "20 example.com."]
    machine.lab.dns.records = {**machine.records, (FRIEND, "MX"): servers}
    sender = "carol@example.net"
    with mail.connect() as client:
        client.mail(sender)
        assert client.rcpt(f"nobody@{FRIEND}")[0] == 550
        client.rset()
        message = mail.compose(sender, f"bob@{FRIEND}", "kept")
        assert mail.send(client, sender, f"bob@{FRIEND}", message)[0] == 250
    assert b"Subject: kept" in machine.lab.sink.take()


def well_known(machine: Machine) -> None:
    """Have all records in the DNS that a server needs."""
    machine.lab.dns.records = {**machine.records, **GOOD_NAMES}


def signed(machine: Machine) -> None:
    """Mail is signed."""
    message = machine.from_alice()
    assert (signatures(message), verifies(message)) == (1, True)


def counted(machine: Machine) -> None:
    """A mail that comes, and one that is junk, are told of."""
    places = [visit(machine.lab, client, 25).place for client in (CONFIRMED_PTR, NO_PTR)]
    assert places == ["inbox", ".Junk"]
    commit = ("opensmtpd_messages_total", "in", "commit")
    junk = ("opensmtpd_filter_responses_total", "connected", "junk")
    metrics_server.told(machine.view, lambda found: (found[commit], found[junk]) == (2, 1))
    assert commit in metrics_server.samples((machine.view / metrics_server.FILE[1:]).read_text())


def no_casinos(machine: Machine) -> None:
    """Mail with the word is refused, and other filters of the chain see the rest."""
    places = [
        visit(machine.lab, CONFIRMED_PTR, 25, front="Subject: your CASINO\r\n").place,
        visit(machine.lab, CONFIRMED_PTR, 25).place,
        visit(machine.lab, NO_PTR, 25).place,
    ]
    assert places == ["550 5.7.1 No casinos, please", "inbox", ".Junk"]


RECIPES: Mapping[str, Recipe] = {
    "Be backup MX of another domain": Recipe((kept_for_a_friend,)),
    "Look for faults before each restart": Recipe(
        (signed,),
        {
            "opensmtpd-plugins check": Expected(),
            "opensmtpd-plugins check /": Expected("error", status=1),
            "chown ": Expected(),
            "chgrp ": Expected(),
        },
        before=well_known,
    ),
    "Record what a filter does": Recipe(
        (signed, signed),
        {
            "opensmtpd-plugins show ": Expected("|DKIM-Signature: "),
            "opensmtpd-plugins replay ": Expected("equal"),
        },
        smtpd=("7.9",),
    ),
    "Show metrics in Prometheus": Recipe(
        (counted,), before=lambda machine: metrics_server.make_folders(machine.view)
    ),
    "Write a filter of your own": Recipe(
        (no_casinos,),
        {"chmod ": Expected(), "printf ": Expected("No casinos", status=1)},
        smtpd=("7.9",),
    ),
}
