"""One mail server of a fleet."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab.fleet.network import DATABASES, SWITCH, address, network
from lab.root import inside
from lab.root.namespace import view
from lab.root.server import Server
from lab.shows import markdown
from lab.shows.markdown import DOCS

PAGE = DOCS / "fleet.md"
"""The page that shows all files of a node, for the first one."""
MAIL_UID = 5000
"""Of the user that all mailboxes belong to."""
SECRETS = ("postgres.conf", "redis.conf", "pgpass", "redis.password", "dns.password", "dns.secret")
CONF = "/etc/smtpd.conf"
PAGE_ADDRESS = "192.0.2.11"
"""Of the first node there."""
DRAIN = 10.0
"""Seconds that deliveries under way may take."""


@dataclass
class Node:
    """A mail server with its address, its files, and its mailboxes."""

    number: int
    address: str
    view: Path
    server: Server
    within: Sequence[str]
    """Goes before a command, to run it in the network of the node."""

    @property
    def name(self) -> str:
        """``mx1`` and so on."""
        return f"mx{self.number}"

    def take(self) -> Iterator[bytes]:
        """Yield the messages that were delivered here, each once, and have all others tried."""
        inside.tried(self.view, "smtpctl", "schedule", "all")
        for file in (self.view / "var/vmail").glob("*/Maildir/new/*"):
            yield file.read_bytes()
            file.unlink()

    def add(self, block: markdown.Block) -> None:
        """Add the lines of a block to its file, and have the tables read it again."""
        with open(self.view / block.place[1:], "a") as file:
            file.write(block.text)
        for table in ("domains", "aliases", "users", "logins"):
            inside.done(self.view, "smtpctl", "update", "table", table)

    def stop(self) -> None:
        """End smtpd when no delivery is under way: one that is cut off may be made again."""
        inside.done(self.view, "smtpctl", "pause", "mda")
        end = time.monotonic() + DRAIN
        while time.monotonic() < end:
            stats = inside.done(self.view, "smtpctl", "show", "stats").splitlines()
            if "scheduler.envelope.inflight=0" in stats:
                break
        self.server.stop()

    def version(self) -> str:
        """Return the version of our package that is installed here."""
        return inside.done(self.view, "opensmtpd-plugins", "--version").split()[-1]


def files(number: int) -> dict[str, str]:
    """Return the files of a node as the page shows them, by their paths."""
    shown = [block for block in markdown.blocks(PAGE) if block.heading == "Each server"]
    found = {block.place: block.text for block in shown}
    changed = found[CONF].replace("mx1", f"mx{number}").replace(PAGE_ADDRESS, address(number))
    return {**found, CONF: changed}


@contextmanager
def node(number: int, root: Path, authorities: Mapping[str, Path]) -> Iterator[Node]:
    """Lay a mail server out, which is not started.

    ``root`` has our package and the guide's certificate; ``authorities`` are the files of CAs, by
    their paths on the page.
    """
    host = f"mx{number}.example.com"
    with network(number) as within:
        own = view(root, f"mx{number}-{root.parent.name}")
        for path, content in {
            **files(number),
            **{path: file.read_text() for path, file in authorities.items()},
            "/etc/mailname": f"{host}\n",
            "/etc/resolv.conf": f"nameserver {SWITCH}\n",
            "/etc/hosts": f"127.0.0.1 localhost\n{DATABASES} db.example.com valkey.example.com\n",
        }.items():
            (own / path[1:]).write_text(content)
        for name in SECRETS:
            inside.done(own, "chown", "opensmtpd:", f"/etc/mail/{name}")
            (own / "etc/mail" / name).chmod(0o600)
        for kind in ("example.com.crt", "private/example.com.key"):
            folder, _, name = f"/etc/ssl/{kind}".rpartition("/")
            inside.done(own, "cp", "-p", f"{folder}/{name}", f"{folder}/mx{number}.{name}")
        inside.done(own, "install", "-d", "-o", str(MAIL_UID), "-g", str(MAIL_UID), "/var/vmail")
        server = Server(own, CONF, address=address(number), within=within)
        try:
            yield Node(number, address(number), own, server, within)
        finally:
            server.stop()
