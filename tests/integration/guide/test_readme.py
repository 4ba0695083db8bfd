"""The README's way from nothing to a signed mail, in its own words, on Debian 13 and 12.

On 13, once with the Debian packages and once with pipx: each command that it shows, in order. Two
do not run here: ``make deb``, for it has made the packages before the network was closed, and
``systemctl``, for the root has no systemd; what its unit does is done by hand.
"""

import re
import shutil
from pathlib import Path

import pytest

from lab.peers import mail
from lab.peers.maildir import Delivered, Maildir
from lab.peers.nameserver import NameServer, of_zone
from lab.peers.verify import signatures, verifies
from lab.root import inside, namespace, plugin
from lab.root.plugin import TREE
from lab.root.server import Server
from lab.root.stage import Stage
from lab.shows import markdown
from lab.support import ALONE, need_stage

pytestmark = ALONE
WAYS = ("Debian packages", "With pipx, anywhere")
ON_12 = "Debian 12"
SIGN, TABLES = "Sign your mail", "Move your tables to SQLite"
CLONE, CONF = Path("/root/opensmtpd-plugins"), "/etc/smtpd.conf"
RESTART = " && systemctl restart opensmtpd"
C_PLUGINS = "opensmtpd-filter-dkimsign opensmtpd-filter-senderscore opensmtpd-table-passwd \
opensmtpd-table-sqlite"
"""What the root has, and a fresh machine has not."""
MESSAGE = "From: Alice <alice@example.com>\nTo: sales@example.com\nSubject: hello\n\nHello.\n"
RECORD = re.compile(r"^\S+\._domainkey\.\S+ .*\bTXT\b[^()]*\([^()]*\)$", re.MULTILINE)


class Machine:
    """A Debian with an smtpd as Debian installs it, a user, and a clone of our tree."""

    def __init__(self, stage: Stage, debs: Path, way: str) -> None:
        self.view = namespace.view(stage.root, f"readme-{[*WAYS, ON_12].index(way)}")
        self.server = Server(self.view, CONF, "127.0.0.1")
        self.dns = NameServer({})
        shutil.copytree(stage.wheels, self.view / plugin.WHEELS)
        shutil.copytree(
            TREE, self._seen(CLONE), ignore=shutil.ignore_patterns(".*", "dist", "__pycache__")
        )
        shutil.copytree(debs, self._seen(CLONE / "dist"), dirs_exist_ok=True)
        for name, text in (
            ("etc/hosts", "127.0.0.1 localhost\n"),
            ("etc/mailname", "example.com\n"),
            ("etc/resolv.conf", "nameserver 127.0.0.1\n"),
            ("etc/apt/apt.conf.d/offline", 'APT::Install-Recommends "false";\n'),
        ):
            (self.view / name).write_text(text)
        # patch is recommended by our packages, but what else is recommended is not at hand.
        self.run(f"dpkg --purge {C_PLUGINS}; apt-get install --yes patch")
        self.run("useradd --create-home alice")

    def _seen(self, path: Path) -> Path:
        return self.view / path.relative_to("/")

    def run(self, commands: str) -> str:
        """Run commands as root in the clone; returns what they print."""
        script = f"cd {CLONE}\n{commands}"
        return inside.done(self.view, "sh", "-ec", script, extra=plugin.OFFLINE)

    def follow(self, heading: str) -> str:
        """Do what the README says under a heading; returns what its commands print."""
        said = ""
        for block in markdown.blocks(TREE / "README.md"):
            if block.heading != heading:
                continue
            if block.kind == "conf":
                self._configure(block.text)
            elif block.kind == "sh":
                commands = block.text.removeprefix("make deb\n")
                said += self.run(commands.replace(RESTART, ""))
                self._publish(said)
                if RESTART in commands:
                    self.server.restart()
        return said

    def _configure(self, lines: str) -> None:
        """Add lines to smtpd.conf, in the place of those that listen there already."""
        conf = self._seen(Path(CONF))
        rest = re.sub(r"^listen on localhost\n", "", conf.read_text(), flags=re.MULTILINE)
        conf.write_text(lines + rest)

    def _publish(self, said: str) -> None:
        """Put the records that were printed into the DNS."""
        for record in RECORD.findall(said):
            self.dns.records = of_zone(record)

    def sent(self, recipient: str) -> Delivered:
        """Have Alice send a mail that comes back to her; returns how it came."""
        mail.sendmail(self.view, "alice", recipient, MESSAGE.encode())
        return Maildir(self.view / "home/alice/Maildir").one(30)


def test_each_command_is_on_the_way() -> None:
    headings = {
        block.heading for block in markdown.blocks(TREE / "README.md") if block.kind == "sh"
    }
    assert headings == {*WAYS, ON_12, SIGN, TABLES}


def sign(machine: Machine) -> None:
    """Follow the README to a key and a filter, and send a mail, which must be signed."""
    (machine.view / f"{CLONE}/message.eml".lstrip("/")).write_text(MESSAGE)
    said = machine.follow(SIGN)
    assert said.endswith(MESSAGE)
    signed = machine.sent("alice@example.com").message
    assert (signatures(signed), verifies(signed)) == (1, True)


@pytest.mark.parametrize("way", WAYS)
def test_from_nothing_to_a_signed_mail_and_on(way: str, debs: Path) -> None:
    machine = Machine(need_stage("7.6"), debs, way)
    machine.follow(way)
    with machine.dns, machine.server:
        sign(machine)
        machine.follow(TABLES)
        assert verifies(machine.sent("sales@example.com").message)
        assert len(machine.server.tables()) == 1


def test_from_nothing_to_a_signed_mail_where_smtpd_is_older_than_tables(debs: Path) -> None:
    machine = Machine(need_stage("6.8"), debs, ON_12)
    machine.follow(ON_12)
    libexec = machine.view / plugin.LIBEXEC
    assert sorted(path.name for path in libexec.iterdir() if path.is_symlink()) == [
        f"filter-{name}" for name in ("auth", "dkimsign", "dnsbl", "fcrdns", "metrics", "rdns")
    ]
    with machine.dns, machine.server:
        sign(machine)
