"""The guide's server as ``check`` finds it good, and throw-away copies of it to plant faults in."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from integration.check.certificates import certificate
from lab.peers.clients import reverse
from lab.peers.nameserver import NameServer, Rule
from lab.root import inside, namespace
from lab.root.namespace import SERVER6
from lab.shows import moves
from lab.shows.guide import Guide

ADDRESS = "203.0.113.25"
"""The guide's addresses are private: this is what the world sees of them."""
CONF = "/etc/mail/smtpd.conf"
KEY = "/etc/mail/dkim/private.key"
CERTIFICATE, CERTIFICATE_KEY = "/etc/ssl/example.com.crt", "/etc/ssl/private/example.com.key"
SPF = '"v=spf1 mx -all"'
DMARC = '"v=DMARC1; p=none; rua=mailto:postmaster@example.com"'
DKIM = ("mail._domainkey.example.com", "TXT")

Zone = dict[tuple[str, str], list[str] | Rule]


def zone(guide: Guide) -> Zone:
    """Return all that the DNS should have of the guide's server."""
    return {
        ("example.com", "A"): [ADDRESS],
        ("example.com", "AAAA"): [SERVER6],
        ("example.com", "MX"): ["10 example.com."],
        ("example.com", "TXT"): [SPF],
        ("mail.example.com", "MX"): ["10 example.com."],
        ("_dmarc.example.com", "TXT"): [DMARC],
        (reverse(ADDRESS), "PTR"): ["example.com."],
        (reverse(SERVER6), "PTR"): ["example.com."],
        DKIM: [guide.dkim_record],
    }


def made_good(guide: Guide, smtpd: str) -> None:
    """Mend what tests of other things do not care for: a certificate of days, a useless source."""
    moves.use_sources(guide, smtpd if smtpd in moves.SOURCES else "7.6")
    new = certificate("example.com")
    (guide.view / CERTIFICATE[1:]).write_text(new.certificate)
    (guide.view / CERTIFICATE_KEY[1:]).write_text(new.key)  # it keeps its mode


class Report(NamedTuple):
    """What ``check`` says."""

    status: int
    findings: list[dict[str, Any]]

    @property
    def text(self) -> str:
        """One line for each finding, for the message of a test that fails."""
        fields = ("severity", "code", "path", "line", "fault", "remedy")
        lines = [" | ".join(str(each[name]) for name in fields) for each in self.findings]
        return "\n".join([f"status {self.status}", *lines])

    @property
    def certain(self) -> list[dict[str, Any]]:
        """What it has found, without what it could not look at."""
        return [each for each in self.findings if each["severity"] != "unseen"]


@dataclass
class Ground:
    """A server to change at will: a view of its own, and the zone that its name server has."""

    smtpd: str
    guide: Guide
    dns: NameServer
    zone: Zone
    options: list[str] = field(default_factory=lambda: ["--address", ADDRESS])
    path: str = CONF
    """The smtpd.conf that is looked at; "" for the one that smtpd itself would take."""
    after: ExitStack = field(default_factory=ExitStack)
    """What has to be undone outside of the view."""

    @property
    def view(self) -> Path:
        """Where its root is, seen from outside."""
        return self.guide.view

    def read(self, path: str) -> str:
        """Return the text of a file in the view."""
        return (self.view / path[1:]).read_text()

    def put(self, path: str, text: str, mode: str = "0644", owner: str = "root:root") -> None:
        """Write a file into the view."""
        place = self.view / path[1:]
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
        self.sh(f"chown {owner} {path}; chmod {mode} {path}")

    def add(self, path: str, lines: str) -> None:
        """Append to a file, which keeps its mode and its owner."""
        with open(self.view / path[1:], "a") as file:
            file.write(lines)

    def change(self, old: str, new: str, path: str = CONF) -> None:
        """Replace a text that a file has, once."""
        text = self.read(path)
        assert old in text, f"{path} has no {old!r}"
        (self.view / path[1:]).write_text(text.replace(old, new, 1))

    def sh(self, command: str) -> None:
        """Run a command in the view. Raises CommandError."""
        inside.done(self.view, "sh", "-ec", command)

    def line(self, path: str, text: str) -> int:
        """Return the number of the first line that begins with a text; 0 where there is none."""
        lines = (self.read(path) if text else "").splitlines()
        return next((n for n, each in enumerate(lines, 1) if each.startswith(text)), 0)

    def check(self, *options: str) -> Report:
        """Run the command, as root, and read what it says."""
        done = self.run("--json", *options)
        out, wrong = done.stdout.decode(), done.stderr.decode()
        assert done.returncode in (0, 1), f"status {done.returncode}: {out}{wrong}"
        try:
            findings = json.loads(out or "[]")
        except json.JSONDecodeError:
            raise AssertionError(f"status {done.returncode}, no JSON: {out}{wrong}") from None
        return Report(done.returncode, findings)

    def run(self, *options: str) -> subprocess.CompletedProcess[bytes]:
        """Run the command in its view, with the zone that was made for it."""
        self.dns.records = self.zone
        words = [*([self.path] if self.path else []), *self.options, *options]
        return inside.tried(self.view, "opensmtpd-plugins", "check", *words)


def remove(view: Path) -> None:
    """Take a view away again; what still runs in it keeps its files."""
    subprocess.run(["umount", "-R", "-l", view], check=True)
    shutil.rmtree(view.parent)


@contextmanager
def planted(good: Ground, name: str, plant: Callable[[Ground], object]) -> Iterator[Ground]:
    """Yield a copy of a good server with a fault; the good one stays what it is."""
    # A comma or a colon would part the options of mount.
    view = namespace.view(good.view, re.sub(r"\W", "-", f"{good.view.parent.name} {name}"))
    guide = Guide(view, good.guide.dkim_record, good.guide.certificate)
    with ExitStack() as after:
        after.callback(remove, view)
        ground = Ground(
            good.smtpd, guide, good.dns, dict(good.zone), list(good.options), good.path, after
        )
        plant(ground)
        yield ground
