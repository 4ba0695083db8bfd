"""The ways from nothing to a signed mail that the pages and README.md show, on Debian 13 and 12.

Each command that they show is typed, in order. Two do not run here: ``make deb``, for it has made
the packages before the network was closed, and ``systemctl``, for the root has no systemd; what its
unit does is done by hand.
"""

import re
import shutil
import time
from pathlib import Path

import pytest

from lab.peers import mail
from lab.peers.maildir import Delivered, Maildir
from lab.peers.nameserver import NameServer, of_zone
from lab.peers.verify import signatures, verifies
from lab.root import inside, namespace, plugin
from lab.root.namespace import SERVER4, STRANGER
from lab.root.plugin import TREE
from lab.root.root import REPLACED
from lab.root.server import Server
from lab.root.stage import Stage
from lab.shows import markdown
from lab.shows.guide import PASSWORD
from lab.shows.markdown import DOCS
from lab.support import ALONE, need_stage

pytestmark = ALONE
WAYS = ("Debian packages", "With pipx, anywhere")
ON_12 = "Debian 12"
FOLDERS = "Folders that packages make"
README = TREE / "README.md"
INSTALL, QUICK = DOCS / "install.md", DOCS / "quickstart.md"
SIGN, TABLES = DOCS / "sign.md", DOCS / "tables.md"
CLONE, CONF = Path("/root/opensmtpd-plugins"), "/etc/smtpd.conf"
RESTART = " && systemctl restart opensmtpd"
C_PLUGINS = " ".join(
    (
        *("opensmtpd-filter-dkimsign", *REPLACED),
        *("opensmtpd-table-passwd", "opensmtpd-table-sqlite"),
    )
)
"""What the root has, and a fresh machine has not."""
MESSAGE = "From: Alice <alice@example.com>\nTo: sales@example.com\nSubject: hello\n\nHello.\n"
RECORD = re.compile(r"^\S+\._domainkey\.\S+ .*\bTXT\b[^()]*\([^()]*\)$", re.MULTILINE)


class Machine:
    """A Debian with an smtpd as Debian installs it, and a clone of our tree."""

    def __init__(self, stage: Stage, debs: Path, name: str) -> None:
        self.view = namespace.view(stage.root, f"ways-{name}")
        self.server = Server(self.view, CONF, "127.0.0.1")
        zone = [block.text for block in markdown.blocks(QUICK) if block.kind == "dns"]
        self.dns = NameServer(of_zone("".join(zone)))
        shutil.copytree(stage.wheels, self.view / plugin.WHEELS)
        shutil.copytree(
            TREE, self._seen(CLONE), ignore=shutil.ignore_patterns(".*", "dist", "__pycache__")
        )
        shutil.copytree(debs, self._seen(CLONE / "dist"), dirs_exist_ok=True)
        for path, text in (
            ("etc/aliases", "root: alice\n"),
            ("etc/hosts", "127.0.0.1 localhost\n"),
            ("etc/mailname", "example.com\n"),
            ("etc/resolv.conf", "nameserver 127.0.0.1\n"),
            ("etc/apt/apt.conf.d/offline", 'APT::Install-Recommends "false";\n'),
        ):
            (self.view / path).write_text(text)
        # patch is recommended by our packages, but what else is recommended is not at hand.
        self.run(f"dpkg --purge {C_PLUGINS}; apt-get install --yes patch")

    def _seen(self, path: Path) -> Path:
        return self.view / path.relative_to("/")

    def run(self, commands: str) -> str:
        """Run commands as root in the clone; returns what they print.

        What asks for a password twice is told one.
        """
        script = f"cd {CLONE}\n{commands}"
        given = f"{PASSWORD}\n{PASSWORD}\n"
        return inside.done(self.view, "sh", "-ec", script, given=given, extra=plugin.OFFLINE)

    def follow(self, page: Path, heading: str = "") -> str:
        """Do what a page says, or what it says under a heading; returns what commands print."""
        said = last = ""
        for block in markdown.blocks(page):
            if heading and block.heading != heading:
                continue
            match block.kind:
                case "conf":
                    self._configure(block)
                case "sh":
                    last = self._type(block.text)
                    said += last
                case "dns":
                    self.dns.records = {**self.dns.records, **of_zone(block.text)}
                case "output":
                    markdown.assert_shown(block.text, last)
                case "text" if block.place:
                    self._seen(Path(block.place)).write_text(block.text)
        return said

    def _configure(self, block: markdown.Block) -> None:
        """Write smtpd.conf, or add lines to it, in the place of those that listen there already."""
        conf = self._seen(Path(CONF))
        rest = re.sub(r"^listen on localhost\n", "", conf.read_text(), flags=re.MULTILINE)
        conf.write_text(block.text if block.place == CONF else block.text + rest)

    def _type(self, commands: str) -> str:
        """Type the commands of a block; put the records that they print into the DNS."""
        if "Maildir/new/" in commands:
            self._wait_for_mail()
        said = self.run(commands.removeprefix("make deb\n").replace(RESTART, ""))
        for record in RECORD.findall(said):
            self.dns.records = {**self.dns.records, **of_zone(record)}
        if RESTART in commands:
            self.server.restart()
        return said

    def _wait_for_mail(self) -> None:
        end = time.monotonic() + 30
        while not list(self.view.glob("home/alice/Maildir/new/*")):
            assert time.monotonic() < end, self.server.tail()
            time.sleep(0.05)

    def inbox(self) -> Delivered:
        """Wait for a mail to Alice; returns how it came."""
        return Maildir(self.view / "home/alice/Maildir").one(30)

    def sent(self, recipient: str) -> Delivered:
        """Have Alice send a mail that comes back to her; returns how it came."""
        mail.sendmail(self.view, "alice", recipient, MESSAGE.encode())
        return self.inbox()


def test_each_command_is_on_the_way() -> None:
    def headings(page: Path) -> set[str]:
        return {block.heading for block in markdown.blocks(page) if block.kind == "sh"}

    assert headings(INSTALL) == {*WAYS, ON_12, FOLDERS}
    assert headings(README) == {"Sign your mail", "Edit tables while mail flows"}
    assert headings(SIGN) == {"Sign your mail"}
    assert headings(TABLES) == {"Move your tables to SQLite"}


def signed(machine: Machine) -> None:
    """Alice's mail is signed."""
    message = machine.sent("alice@example.com").message
    assert (signatures(message), verifies(message)) == (1, True)


def sign(machine: Machine) -> None:
    """Follow the page to a key and a filter, and send a mail, which must be signed."""
    machine.run("useradd --create-home alice")
    (machine.view / f"{CLONE}/message.eml".lstrip("/")).write_text(MESSAGE)
    said = machine.follow(SIGN)
    assert said.endswith(MESSAGE)
    signed(machine)


@pytest.mark.parametrize("way", WAYS)
def test_from_nothing_to_a_signed_mail_and_on(way: str, debs: Path) -> None:
    machine = Machine(need_stage("7.6"), debs, str(WAYS.index(way)))
    machine.follow(INSTALL, way)
    with machine.dns, machine.server:
        sign(machine)
        machine.follow(TABLES)
        assert verifies(machine.sent("sales@example.com").message)
        assert len(machine.server.tables()) == 1


def test_from_nothing_to_a_signed_mail_where_smtpd_is_older_than_tables(debs: Path) -> None:
    machine = Machine(need_stage("6.8"), debs, "12")
    machine.follow(INSTALL, ON_12)
    machine.follow(INSTALL, FOLDERS)
    libexec = machine.view / plugin.LIBEXEC
    assert sorted(path.name for path in libexec.iterdir() if path.is_symlink()) == [
        f"filter-{name}"
        for name in (
            *("archive", "auth", "dkimsign", "dnsbl", "fcrdns", "greylist", "headers", "limit"),
            *("metrics", "milter", "rdns", "record", "rspamd", "senderscore"),
        )
    ]
    with machine.dns, machine.server:
        sign(machine)


def submit(machine: Machine) -> None:
    """Alice sends a mail with her password, which comes back to her by an alias of an alias."""
    with mail.connect(SERVER4, port=587) as client:
        client.starttls()
        client.login("alice", PASSWORD)
        message = mail.compose("alice@example.com", "postmaster@example.com", "by port 587")
        reply = mail.send(client, "alice@example.com", "postmaster@example.com", message)
        assert reply[0] == 250
    assert verifies(machine.inbox().message)


@pytest.mark.parametrize(("smtpd", "way"), [("7.6", WAYS[0]), ("6.8", ON_12)])
def test_the_quick_start(smtpd: str, way: str, debs: Path) -> None:
    machine = Machine(need_stage(smtpd), debs, f"quick-{smtpd}")
    machine.follow(INSTALL, way)
    with machine.dns, machine.server:
        machine.follow(QUICK)
        message = machine.inbox().message
        assert (signatures(message), verifies(message)) == (1, True)
        if smtpd != "6.8":  # whose handshakes fail, with any certificate: the page says so
            submit(machine)
        with namespace.visit(STRANGER), mail.connect(STRANGER) as client:
            assert client.mail("bob@example.net")[0] == 250
            assert client.rcpt("carol@example.org")[0] == 550


def test_the_readmes_recipes(debs: Path) -> None:
    machine = Machine(need_stage("7.6"), debs, "readme")
    machine.follow(INSTALL, WAYS[0])
    machine.run("useradd --create-home alice")
    with machine.dns, machine.server:
        machine.follow(README, "Sign your mail")
        signed(machine)
        machine.follow(README, "Edit tables while mail flows")
        assert verifies(machine.sent("sales@example.com").message)
        assert len(machine.server.tables()) == 1
