"""The mail server that the faults befall: its files, database, keys, name server and rspamd."""

import os
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from random import Random

from lab.chaos.ledger import Ledger
from lab.peers import mail
from lab.peers.clients import CONFIRMED_PTR, LYING_PTR, NO_PTR
from lab.peers.databases.valkey import ValkeyServer
from lab.peers.nameserver import NameServer, Records
from lab.peers.rspamd.server import RspamdServer
from lab.root import inside, stage
from lab.root.root import VENV
from lab.root.server import Server
from lab.shows.guide import PASSWORD, Guide, new_dkim_key, records

CONF = Path(__file__).with_name("smtpd.conf")
FOLDER = "etc/mail/chaos"
DATABASE = f"{FOLDER}/db/mail.sqlite"
KEY = "etc/mail/dkim/private.key"
SERVERS = "127.0.0.3"
"""Address of rspamd and Valkey, which smtpd.conf has, too; tests have theirs elsewhere."""
KEPT = "var/lib/opensmtpd-plugins/archive"
"""The folder of filter-archive."""
SPOOL = "var/tmp"
SPOOL_SIZE = "12m"
"""Of the file system that our filters spool to: too little for a few large messages."""
ADDRESSES = (CONFIRMED_PTR, LYING_PTR, NO_PTR, "192.0.2.100", "192.0.2.101", "192.0.2.119")
"""Clients: with names of all kinds, one of them listed."""
LISTED = LYING_PTR
STATES = "var/lib/states"
LIMITS = """\
user messages 1000/1s stop
address messages 1000/1s
network recipients 100K/1s reject
sender bytes 1G/1s
recipient-domain messages 1000/1s pace
"""
"""More than the clients send: it is asked for each message, and refuses none."""
RECIPIENTS = ("alice", "sales", "support")
KNOWN = 250
"""The reply to a recipient of those whom filter-greylist knows."""
MANY = 1000
"""Addresses ``many0`` and so on, of which all lead to nobody's mail."""

QUERIES = {
    "domains": "query_domain SELECT name FROM domains WHERE name = ?",
    "aliases": "query_alias SELECT value FROM aliases WHERE name = ?",
    "users": "query_userinfo SELECT uid, gid, home FROM users WHERE name = ?",
    "masks": "query_mailaddrmap SELECT value FROM masks WHERE name = ?",
    "accounts": "auth_before_7.9 yes\n"
    "query_auth SELECT name, password FROM accounts WHERE name = ?",
}
SCHEMA = """\
CREATE TABLE domains (name TEXT PRIMARY KEY);
CREATE TABLE aliases (name TEXT PRIMARY KEY, value TEXT);
CREATE TABLE users (name TEXT PRIMARY KEY, uid INTEGER, gid INTEGER, home TEXT);
CREATE TABLE masks (name TEXT PRIMARY KEY, value TEXT);
CREATE TABLE accounts (name TEXT PRIMARY KEY, password TEXT);
"""
SPAMMERS = r"""# @list
^(a|aa)+@slow\.example$
^([a-z0-9]+[-.]?)+@slow\.example$
(a|b)*a(a|b){12}!
^(([a-z])+.)+9([a-z])+$
"""
"""Expressions that take other matchers a time that doubles with each byte."""


@dataclass
class Stand:
    """What a fault may lay its hands on."""

    smtpd: str
    guide: Guide
    server: Server
    dns: NameServer
    rspamd: RspamdServer
    valkey: ValkeyServer
    ledger: Ledger
    keys: Path
    """A file with the public keys of all that may have signed, one a line."""
    dice: Random = field(default_factory=Random)
    zone: Records = field(default_factory=dict)
    """What the name server knows where nothing is wrong with it."""

    @property
    def view(self) -> Path:
        """The root of the server's file system."""
        return self.guide.view

    @property
    def database(self) -> Path:
        """The database of all tables."""
        return self.view / DATABASE

    @property
    def states(self) -> Path:
        """The folder of what filter-limit and filter-greylist know."""
        return self.view / STATES

    @property
    def key(self) -> Path:
        """The private key of filter-dkimsign."""
        return self.view / KEY

    def new_key(self) -> None:
        """Write a new key over the old one."""
        publish(self.keys, new_dkim_key(self.view))

    @contextmanager
    def rows(self) -> Iterator[sqlite3.Connection]:
        """Open the database to write."""
        connection = sqlite3.connect(self.database, isolation_level=None, timeout=5)
        try:
            yield connection
        finally:
            connection.close()


@contextmanager
def stand(prepared: stage.Stage, seed: int) -> Iterator[Stand]:
    """Run the mail server."""
    guide = prepared.guide(f"chaos-{prepared.smtpd}-{seed}")
    lay_out(guide)
    listed = ip_address(LISTED).reverse_pointer.removesuffix(".in-addr.arpa")
    told = {f"{listed}.bl.test": "127.0.0.2", f"{listed}.score.senderscore.com": "127.0.4.20"}
    zone = {**records(guide), **{(name, "A"): [answer] for name, answer in told.items()}}
    keys = guide.view.with_name("keys")
    publish(keys, guide.dkim_record)
    with (
        NameServer(zone) as dns,
        RspamdServer(stage.stages()["7.6"].root, address=SERVERS) as rspamd,
        ValkeyServer(stage.stages()["7.6"].root, address=SERVERS) as valkey,
        Server(guide.view) as server,
    ):
        become_known()
        yield Stand(
            prepared.smtpd, guide, server, dns, rspamd, valkey, Ledger(), keys, Random(seed), zone
        )


def become_known() -> None:
    """Come again until filter-greylist knows the network that all clients are of."""
    code = 0
    while code != KNOWN:
        with mail.connect() as client:
            client.mail("alice@example.com")
            code, _ = client.rcpt("alice@example.com")
        time.sleep(0.1)


def publish(keys: Path, record: str) -> None:
    """Add a key, as a TXT record in zone file form, to a file of keys."""
    text = record.replace('" "', "").strip('"')
    with open(keys, "a") as file:
        file.write(f"{text}\n")


def lay_out(guide: Guide) -> None:
    """Write the files of the server. Raises CommandError."""
    view = guide.view
    (view / "etc/mail/smtpd.conf").write_bytes(CONF.read_bytes())
    (view / DATABASE).parent.mkdir(parents=True)
    _mount(view / DATABASE, "8m")
    _mount(view / SPOOL / "any", SPOOL_SIZE)
    (view / SPOOL).chmod(0o1777)
    for name, queries in QUERIES.items():
        text = f"dbpath /{DATABASE}\n{queries}\n"
        (view / FOLDER / f"{name}.conf").write_text(text)
    (view / FOLDER / "spammers").write_text(SPAMMERS)
    (view / FOLDER / "limits").write_text(LIMITS)
    (view / STATES).mkdir()
    _own_package(view / VENV[1:])
    _fill(guide)
    # The folder, too: who reads a database in WAL mode writes into it.
    inside.done(view, "chown", "-R", "opensmtpd:opensmtpd", f"/{FOLDER}/db", f"/{STATES}")
    inside.done(view, "mkdir", "-p", f"/{Path(KEPT).parent}")
    inside.done(view, "install", "-d", "-o", "opensmtpd", "-m", "0700", f"/{KEPT}")
    inside.done(view, "smtpd", "-n", "-f", "/etc/mail/smtpd.conf")


def _own_package(installed: Path) -> None:
    """Have a whole copy of our package in the view: a folder of the root cannot be renamed."""
    copy = installed.with_name("copy")
    shutil.copytree(installed, copy, symlinks=True)
    shutil.rmtree(installed)
    copy.rename(installed)


def _mount(file: Path, size: str) -> None:
    options = f"size={size},mode=755"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", file.parent], check=True)


def _fill(guide: Guide) -> None:
    status = (guide.view / "home/alice").stat()
    hashed = inside.done(guide.view, "openssl", "passwd", "-6", PASSWORD).strip()
    connection = sqlite3.connect(guide.view / DATABASE)
    with connection as rows:
        rows.executescript(SCHEMA)
        rows.executemany("INSERT INTO domains VALUES (?)", [["example.com"], ["example.net"]])
        aliases = [[name, "alice"] for name in RECIPIENTS[1:]]
        aliases += [[f"many{number}", "/dev/null"] for number in range(MANY)]
        rows.executemany("INSERT INTO aliases VALUES (?, ?)", aliases)
        rows.execute(
            "INSERT INTO users VALUES ('alice', ?, ?, '/home/alice')",
            [status.st_uid, status.st_gid],
        )
        rows.execute("INSERT INTO masks VALUES ('alice', 'alice@example.com')")
        rows.execute("INSERT INTO accounts VALUES ('alice', ?)", [hashed])
    connection.close()


def room(stand: Stand) -> int:
    """Return the bytes that are free where our filters spool."""
    return shutil.disk_usage(stand.view / SPOOL).free


def owner_of(path: Path) -> tuple[int, int]:
    """Return the user and the group that a file belongs to."""
    status = os.stat(path)
    return status.st_uid, status.st_gid
