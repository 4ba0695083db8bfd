"""Clients who send more than filter-limit allows, as pages of ours have it."""

from pathlib import Path

from integration.support.dns_scenes import visit
from integration.support.manual_machine import Machine
from lab.peers.clients import CONFIRMED_PTR
from lab.root import inside

FOLDER = "/var/lib/opensmtpd-plugins/limit"


def make_folder(view: Path) -> None:
    """Have the user and the folder that packages make."""
    if inside.tried(view, "id", "_limit").returncode:
        inside.done(view, "useradd", "--system", "--user-group", "_limit")
    owner = ("-o", "_limit", "-g", "_limit")
    inside.done(view, "mkdir", "-p", str(Path(FOLDER).parent))
    inside.done(view, "install", "-d", *owner, "-m", "0700", FOLDER)


def thirty_messages(machine: Machine) -> None:
    """A client has thirty messages taken in an hour, and others refused."""
    places = [visit(machine.lab, CONFIRMED_PTR, 25).place for _ in range(31)]
    assert places == ["inbox"] * 30 + ["550 5.7.1 Too many messages"]
    line = f"limit-exceeded address={CONFIRMED_PTR} whose=address name={CONFIRMED_PTR}"
    assert f'{line} limit="messages 30/1h" action=reject\n' in machine.lab.log
