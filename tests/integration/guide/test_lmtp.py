"""smtpd-plugins(7), "Junk folders behind LMTP", on a real Dovecot: each line, file and command."""

from collections.abc import Iterator

import pytest

from integration.support import dovecot
from integration.support.manual_machine import Expected, Machine, surrounded
from lab.peers import mail
from lab.peers.clients import CONFIRMED_PTR, LYING_PTR, NO_PTR
from lab.shows import inbound, manual
from lab.shows.demo import LOCAL, STRANGER
from lab.shows.guide import Guide
from lab.support import Lab, Setup

COMMANDS = {"sievec ": Expected()}
SPOOFED = f"bob@{inbound.MILD}"
SENT = {
    (CONFIRMED_PTR, STRANGER): "inbox",
    (CONFIRMED_PTR, SPOOFED): "inbox",
    (inbound.FORWARDER, SPOOFED): ".Junk",
    (NO_PTR, STRANGER): ".Junk",
    (LYING_PTR, STRANGER): ".Junk",
}
"""Clients and senders, and where their mail belongs."""


def recipe() -> list[manual.Display]:
    """Return what the page shows of it."""
    page = (manual.PAGES / "smtpd-plugins.7").read_text()
    told = manual.subsections(manual.sections(page)["DESCRIPTION"])
    return manual.displays(told["Junk folders behind LMTP"])


def prepare(guide: Guide) -> None:
    """Change nothing: the recipe has lines of its own."""


@pytest.fixture
def machine(running: Lab) -> Iterator[Machine]:
    """smtpd and Dovecot as the page has them."""
    machine = Machine(running, COMMANDS)
    shown = {display.kind: display for display in recipe()}
    for display in recipe():
        if display.kind == "file":
            machine.put(display)
    for command in shown["commands"].commands:
        machine.follow(command)
    with dovecot.serving(machine.view):
        machine.serve(surrounded(shown["conf"].text))
        yield machine


@pytest.mark.parametrize("running", [Setup("7.6", "lmtp", prepare)], indirect=True, ids=str)
def test_junk_is_filed_by_dovecot(machine: Machine) -> None:
    machine.lab.dns.records = {**machine.records, **inbound.new_signer().zone()}
    places = {}
    for client, sender in SENT:
        message = mail.compose(sender, LOCAL, f"from {client}")
        with mail.connect(client) as connection:
            assert mail.send(connection, sender, LOCAL, message)[0] == 250
        delivered = machine.lab.inbox.one()
        places[client, sender] = delivered.folder
        assert f"Subject: from {client}\n".encode() in delivered.content
    assert places == SENT
