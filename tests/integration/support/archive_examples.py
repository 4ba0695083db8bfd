"""Copies that filter-archive keeps, as pages of ours have it."""

import re
from pathlib import Path

from integration.support import dovecot
from integration.support.dns_scenes import visit
from integration.support.manual_machine import Machine
from integration.support.package_folders import PLACE, make_folder
from integration.support.told import until
from lab.peers import mail
from lab.peers.clients import CONFIRMED_PTR, NO_PTR
from lab.peers.maildir import Maildir
from lab.root import inside
from lab.shows.demo import STRANGER

ALICE = "alice@example.com"
JOURNAL, SPOOL = f"{PLACE}/archive/Maildir", f"{PLACE}/archive/spool"
FIELDS = re.compile(
    rb"X-Archive-Status: accepted\nX-Archive-Id: \S+\nX-Envelope-From: <(.*)>\n"
    rb"X-Envelope-To: <(.*)>\nReceived: from "
)
DOVECOT = """\
mail_driver = maildir
mail_path = ~/Maildir
mail_inbox_path = ~/Maildir
"""


def begin_anew(machine: Machine) -> None:
    """Have the user and the folder, no copies, and a folder of cron."""
    make_folder(machine.view, "archive")
    machine.run(f"rm -rf {PLACE}/archive/* && mkdir -p /etc/cron.d")


def copies(machine: Machine, folder: str = JOURNAL) -> list[Path]:
    """Return the files of accepted messages, the oldest first."""
    return sorted((machine.view / folder[1:] / "new").iterdir())


def submitted(machine: Machine) -> None:
    """Have Alice send herself a mail by the port of users."""
    with mail.submission(machine.lab.guide) as client:
        assert mail.send(client, ALICE, ALICE, mail.compose(ALICE, ALICE, "kept"))[0] == 250
    assert machine.folder() == "inbox"


def journaled(machine: Machine) -> None:
    """All mail that comes is copied, and what is refused is not."""
    assert visit(machine.lab, NO_PTR, 25).place.startswith("550 ")
    message = visit(machine.lab, CONFIRMED_PTR, 25).message
    submitted(machine)
    machine.from_alice()
    until(lambda: len(copies(machine)) == 3)
    found = [each.read_bytes() for each in copies(machine)]
    envelopes = [FIELDS.match(each) for each in found]
    senders = [each and each.groups() for each in envelopes]
    assert sorted(map(str, senders)) == sorted(
        str((each.encode(), ALICE.encode())) for each in (STRANGER, ALICE, ALICE)
    )
    assert any(each.endswith(message.partition(b"\n\n")[2]) for each in found)


def aged(machine: Machine) -> None:
    """Have a copy that is ten years old removed, as a page has it, and no other."""
    setting, line = (machine.view / "etc/cron.d/archive").read_text().splitlines()
    old, *rest = copies(machine)
    machine.run(f"touch -d '4000 days ago' {JOURNAL}/new/{old.name}")
    machine.run(f"{setting}; {line.split(maxsplit=6)[6]}")
    assert copies(machine) == rest


def journaled_for_ten_years(machine: Machine) -> None:
    """All mail is copied, and old copies go at night."""
    journaled(machine)
    aged(machine)


def restored(machine: Machine) -> None:
    """Alice has her mail again, with the fields of the archive; old copies go at night."""
    found = Maildir(machine.lab.guide.home("alice") / "Maildir").take(len(copies(machine)))
    assert len(found) == 3
    assert all(each.content.startswith(b"X-Archive-Status: accepted\n") for each in found)
    aged(machine)


def handed_on(machine: Machine) -> None:
    """Copies wait while the server is away; then they are there, and nothing is left here."""
    assert visit(machine.lab, CONFIRMED_PTR, 25).place == "inbox"
    until(lambda: len(copies(machine, SPOOL)) == 1)
    if machine.lab.smtpd != "7.6":  # the other root has no Dovecot
        return
    until(lambda: "archive-lmtp-away" in machine.lab.log)
    if inside.tried(machine.view, "id", "archive").returncode:
        machine.run("useradd --create-home archive")
    (machine.view / "etc/dovecot/local.conf").write_text(DOVECOT)
    with dovecot.serving(machine.view):
        submitted(machine)
        kept = Maildir(machine.view / "home/archive/Maildir").take(2)
        assert all(b"\nX-Envelope-To: <alice@example.com>\n" in each.content for each in kept)
        until(lambda: copies(machine, SPOOL) == [])
