"""A mail server on the configurations that manual pages and README show."""

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import NamedTuple

from lab.peers import mail
from lab.peers.maildir import Maildir
from lab.root import inside
from lab.root.plugin import LIBEXEC
from lab.root.root import VENV
from lab.shows import guide as guides
from lab.shows import manual
from lab.shows.guide import PASSWORD
from lab.support import Lab

CONF = "/etc/mail/example.conf"
PKI = """\
pki example.com cert "/etc/ssl/example.com.crt"
pki example.com key "/etc/ssl/private/example.com.key"
"""
SURROUNDINGS = (
    "listen on socket",
    "listen on 192.168.0.1 port 25 tls pki example.com",
    "listen on 192.168.0.1 port 587 tls-require pki example.com auth",
    'action "local" maildir junk',
    'match from any for domain example.com action "local"',
)
"""What a server needs besides; each line stands for what an example has of its kind."""
STAND_INS: Mapping[str, Callable[["Machine"], str]] = {
    "$2b$10$...": lambda machine: machine.run(f"smtpctl encrypt {PASSWORD}").strip(),
    "1000:1000": lambda machine: machine.run("echo $(id -u alice):$(id -g alice)").strip(),
    "MIIB...": lambda machine: list(machine.said.values())[-1].strip(),
    "#!/usr/bin/python3": lambda _: f"#!{VENV}/bin/python3",
}
"""What the pages cannot show as it is, or what is elsewhere on this server."""


class Expected(NamedTuple):
    """What a command does."""

    says: str = ""
    """What is in its output."""
    given: str = ""
    """What is typed into it."""
    status: int = 0


def surrounded(lines: str) -> str:
    """Return lines of smtpd.conf with all that a server needs besides.

    Where they do not say who listens with their filters, port 25 does.
    """
    shown = list(manual.logical_lines(lines))
    kinds = {_kind(line) for line in shown}
    names = [line.split()[1] for line in shown if line.startswith("filter ")]
    rest = [line for line in SURROUNDINGS if _kind(line) not in kinds]
    if names and not any(line.startswith("listen ") for line in shown):
        rest = [
            f"{line} filter {{ {' '.join(names)} }}" if " port 25 " in line else line
            for line in rest
        ]
    return PKI + "\n".join([*shown, *rest]) + "\n"


def _kind(line: str) -> str:
    """Return what there is one of: a listener's place, an action, the matches."""
    words = line.replace("\\\n", " ").split()
    if words[0] == "listen":
        return " ".join(words[:5] if "port" in words[:5] else words[:3])
    return " ".join(words[:2]) if words[0] == "action" else words[0]


class Machine:
    """The server that has what a page shows put in place, and is driven as the page says."""

    def __init__(self, lab: Lab, commands: Mapping[str, Expected], conf: str = CONF) -> None:
        self.lab = lab
        self.conf = conf
        """Where smtpd reads its configuration."""
        self.view = lab.guide.view
        self.said: dict[str, str] = {}
        """What each command of the page printed."""
        self.printed = ""
        """What the last command printed, errors included."""
        self.sql: Callable[[str, str], object] = self._to_sqlite
        """Takes SQL, and the path of a database where the page names one."""
        self._commands = commands
        self._shell = "cd /root\n"
        """What the commands so far changed in the shell that they are typed into."""
        self.stop()
        key = guides.new_dkim_key(self.view)  # a page may have written over it
        self.records = guides.records(replace(lab.guide, dkim_record=key))
        """What the DNS knows without the page's help."""
        lab.dns.records = self.records

    def run(self, command: str, expected: Expected = Expected()) -> str:  # noqa: B008  a constant
        """Run a command as root; returns what it says."""
        script = f"{self._shell}{command}"
        ended = inside.tried(self.view, "sh", "-c", script, given=expected.given.encode())
        self.printed = said = (ended.stdout + ended.stderr).decode()
        assert (ended.returncode, expected.says in said) == (expected.status, True), said
        return ended.stdout.decode()

    def follow(self, command: str) -> None:
        """Run a command that a page shows; it must say what is expected of it."""
        known = [begin for begin in self._commands if command.startswith(begin)]
        assert known, f"no test knows what comes of {command!r}"
        self.said[command] = self.run(command, self._commands[max(known, key=len)])
        if command.startswith(("cd ", "umask ")):
            self._shell += f"{command}\n"

    def put(self, display: manual.Display) -> None:
        """Put a file, a program, rows of a database, or a record of the DNS in place."""
        text = display.text
        for shown, real in STAND_INS.items():
            if shown in text:
                text = text.replace(shown, real(self))
        if display.kind == "record":
            name, _, _, value = text.strip().split(None, 3)
            chunks = value.strip('"')
            quoted = " ".join(f'"{chunks[n : n + 250]}"' for n in range(0, len(chunks), 250))
            self.lab.dns.records = {**self.lab.dns.records, (name.rstrip("."), "TXT"): [quoted]}
        elif display.kind == "sql":
            self.sql(text, display.place)
        elif display.place:
            program = display.kind == "python"
            place = display.place if not program else f"{LIBEXEC}/{display.place}"
            path = self.view / place.lstrip("/")
            path.write_text(text)
            path.chmod(0o755 if program else 0o644)

    def _to_sqlite(self, text: str, place: str) -> None:
        path = self.view / place.lstrip("/")
        path.unlink(missing_ok=True)
        with sqlite3.connect(path) as database:
            database.executescript(text)
        path.chmod(0o644)

    def serve(self, conf: str) -> None:
        """Start smtpd with this configuration."""
        self.stop()
        (self.view / self.conf.lstrip("/")).write_text(conf)
        self.lab.server.conf = self.conf
        self.lab.server.restart()

    def stop(self) -> None:
        """Stop smtpd, and forget its mail: it delivers some twice that it was stopped amid."""
        self.lab.server.stop()
        self.run("rm -rf /var/spool/smtpd/queue/* /home/*/Maildir")

    def folder(self, user: str = "alice") -> str:
        """Wait for a mail of a user; returns where it went."""
        return Maildir(self.lab.guide.home(user) / "Maildir").one().folder

    def from_alice(self, sender: str = "alice@example.com") -> bytes:
        """Have Alice send a mail to herself from a shell; returns how it came."""
        message = mail.compose(sender, "alice@example.com", "to myself")
        mail.sendmail(self.view, "alice", "alice@example.com", message)
        return self.lab.inbox.one().message
