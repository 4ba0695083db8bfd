"""How a recipe of docs/cookbook.md or docs/migration.md is followed on a real smtpd."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from integration.support.manual_machine import Expected, Machine, surrounded
from lab.peers.nameserver import of_zone
from lab.root import inside
from lab.shows import guide as guides
from lab.shows import markdown
from lab.shows.guide import Guide
from lab.support import Lab

Scene = Callable[[Machine], object]
PAGE = markdown.DOCS / "cookbook.md"
MIGRATION = markdown.DOCS / "migration.md"
CONF = "/etc/smtpd.conf"
RESTART = " && systemctl restart opensmtpd"
RECORD = re.compile(r"^\S+\._domainkey\.\S+ .*\bTXT\b[^()]*\([^()]*\)$", re.MULTILINE)
COMMANDS: Mapping[str, Expected] = {
    "smtpd -n": Expected("configuration OK"),
    "systemctl ": Expected(),
    "install ": Expected(),
    "umask ": Expected(),
    "opensmtpd-plugins genkey ": Expected("._domainkey.example."),
    "opensmtpd-plugins import ": Expected(),
    "patch ": Expected(),
    "pkill -HUP -u _dkimsign -f filter-dkimsign": Expected(),
    "sievec ": Expected(),
}
"""By how a command begins, what comes of it; a recipe may have more. The longest counts."""


class Recipe(NamedTuple):
    """What a test knows of a recipe beside the page."""

    scenes: tuple[Scene, ...]
    """For each block of smtpd.conf, in order, what is to be seen of it: it is looked at when the
    next such block comes, or at the end, so that the commands between are done.
    """
    commands: Mapping[str, Expected] = {}
    """What comes of its commands, by how they begin, beside those that all recipes have."""
    before: Scene = lambda machine: None
    """What those who ask have already."""
    meanwhile: Scene = lambda machine: None
    """What happens as soon as smtpd serves a block, before the commands behind it."""
    smtpd: tuple[str, ...] = ("7.6", "7.9")
    """Where it is followed. One will do for what is the same on both, and tested elsewhere."""


def prepare(guide: Guide) -> None:
    """Have what a Debian has, and this root has not."""
    inside.done(guide.view, "useradd", "--create-home", "bob")
    inside.done(guide.view, "useradd", "--system", "--user-group", "_auth")
    inside.done(guide.view, "sh", "-c", "dpkg --install /var/cache/apt/archives/patch_*.deb")
    for name in ("systemctl", "pkill"):  # 7.9's root has no pkill
        if inside.tried(guide.view, "which", name).returncode:
            program = guide.view / "usr/local/bin" / name
            program.write_text("#!/bin/sh\nexit 0\n")
            program.chmod(0o755)


def follow(lab: Lab, page: Path, heading: str, recipe: Recipe) -> None:
    """Do what a page says below a heading; look at what is to be seen."""
    inside.done(lab.guide.view, "mkdir", "-p", "/etc/mail/dkim")  # the recipe before had none
    machine = Machine(lab, {**COMMANDS, **recipe.commands}, CONF)
    machine.run("chown -R _dkimsign:_dkimsign /etc/mail/dkim")
    conf = machine.view / CONF[1:]
    conf.write_text(guides.CONF.read_text())
    recipe.before(machine)
    scenes, scene = iter(recipe.scenes), None
    for block in markdown.blocks(page):
        if block.heading != heading:
            continue
        match block.display.kind:
            case "conf":
                if scene:
                    scene(machine)
                machine.serve(surrounded(block.display.text))
                recipe.meanwhile(machine)
                scene = next(scenes)
            case "commands":
                for command in block.commands:
                    served = conf.read_text()
                    machine.follow(command.removesuffix(RESTART))
                    _publish(machine)
                    if command.endswith(RESTART) and conf.read_text() != served:
                        lab.server.restart()
            case "output":
                markdown.assert_shown(block.text, machine.printed)
            case _:
                machine.put(block.display)
    if scene:
        scene(machine)
    assert next(scenes, None) is None
    assert lab.inbox.rest() == []


def _publish(machine: Machine) -> None:
    """Put the records that the last command printed into the DNS."""
    for record in RECORD.findall(machine.printed):
        machine.lab.dns.records = {**machine.lab.dns.records, **of_zone(record)}
