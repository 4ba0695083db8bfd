"""smtpd-plugins(7), "Junk folders behind LMTP", on a real Dovecot: each line, file and command."""

import subprocess
import time
from collections.abc import Iterator

import pytest

from integration.support.manual_machine import Expected, Machine, surrounded
from lab.peers import mail
from lab.peers.clients import CONFIRMED_PTR, LYING_PTR, NO_PTR
from lab.root import inside
from lab.shows import inbound, manual
from lab.shows.demo import LOCAL, STRANGER
from lab.shows.guide import Guide
from lab.support import Lab, Setup

SOCKET = "run/dovecot/lmtp"
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
    log = machine.view / "dovecot.log"
    with open(log, "wb") as out:
        dovecot = subprocess.Popen(
            [inside.CHROOT, machine.view, "dovecot", "-F"],
            stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=inside.ENVIRONMENT,
        )  # fmt: skip
    try:
        end = time.monotonic() + 30
        while not (machine.view / SOCKET).exists():
            assert dovecot.poll() is None, log.read_text()
            assert time.monotonic() < end
            time.sleep(0.02)
        machine.serve(surrounded(shown["conf"].text))
        yield machine
    finally:
        dovecot.terminate()
        dovecot.wait(10)


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
