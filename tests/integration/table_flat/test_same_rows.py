"""Rows of file tables on a real smtpd, and the same rows in table-flat and table-sqlite.

Each row is a table of its own, in a rule for a recipient of its own: the reply to RCPT tells
whether it matches.
"""

import argparse
import smtplib
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.support.table_rows import ADDRESSES, HELOS, ONLY_THERE, ROWS, SENDERS
from lab.root.namespace import SERVER4
from lab.shows import moves
from lab.shows.guide import Guide
from lab.support import Lab, setups
from opensmtpd.table import Table
from opensmtpd.testing import ask
from opensmtpd_tables import flat, sqlite

PROXY_PORT = 2525
PROXY = b"\r\n\r\n\0\r\nQUIT\n\x21"
FAILURES = 40
"""Refused recipients of a session: smtpd ends it after 50."""

CRITERIA = {
    "netaddr": "from src",
    "regex": "from any mail-from regex",
    "mailaddr": "from any mail-from",
    "domain": "from any helo",
}
FOLDER = "/etc/mail/rows"


def names(service: str) -> Iterator[tuple[str, str]]:
    """Yield names of tables and their rows."""
    for number, row in enumerate(ROWS[service]):
        yield f"{service}{number}", row


def write(folder: Path) -> str:
    """Write the files of all tables; returns the lines of smtpd.conf."""
    folder.mkdir()
    tables, rules = [], []
    for service, criterion in CRITERIA.items():
        for name, row in names(service):
            (folder / name).write_text(f"# @list\n{row}\n")
            tables.append(f"table {name} file:{FOLDER}/{name}")
            rules.append(f'match {criterion} <{name}> for rcpt-to "{name}@to.example" action "no"')
    action = 'action "no" relay host smtp://127.0.0.1:9'
    return "\n".join([*tables, action, *rules, ""])


def prepare(guide: Guide) -> None:
    """Have smtpd judge by nothing but the rows."""
    lines = write(guide.view / FOLDER[1:])
    conf = guide.view / moves.CONF[1:]
    listen = f"listen on {SERVER4} port 25\nlisten on {SERVER4} port {PROXY_PORT} proxy-v2\n"
    conf.write_text(f"smtp limit max-rcpt 10000\n{listen}{lines}")


SETUPS = setups("rows", prepare)
pytestmark = pytest.mark.parametrize("running", SETUPS, indirect=True, ids=str)


class Proxied(smtplib.SMTP):
    """A session from any address."""

    def __init__(self, address: str) -> None:
        self.address = address
        super().__init__(SERVER4, PROXY_PORT, local_hostname="client.example.net", timeout=60)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        made = socket.create_connection((host, port), timeout)
        family, kind = (socket.AF_INET6, 0x21) if ":" in self.address else (socket.AF_INET, 0x11)
        ends = socket.inet_pton(family, self.address) * 2 + struct.pack("!HH", 1025, 25)
        made.sendall(PROXY + struct.pack("!BH", kind, len(ends)) + ends)
        return made


def matching(service: str, key: str) -> set[str]:
    """Return the rows that match a key on smtpd."""
    found, left = set(), list(names(service))
    while left:
        client = Proxied(key if service == "netaddr" else "198.51.100.77")
        client.ehlo(key if service == "domain" else "client.example.net")
        code, text = client.mail(key if "@" in key else "x@from.example")
        assert code == 250, (key, text)
        failures = 0
        while left and failures < FAILURES:
            name, row = left.pop()
            code, text = client.rcpt(f"{name}@to.example")
            assert code in (250, 550), (name, row, key, text)
            failures += code != 250
            found |= {row} if code == 250 else set()
        client.close()
    return found


KEYS = {"netaddr": ADDRESSES, "regex": SENDERS, "mailaddr": SENDERS, "domain": HELOS}
Found = dict[tuple[str, str], dict[str, set[str]]]
"""Service and key to the rows that match, by the program."""


@pytest.fixture(scope="session")
def here(tmp_path_factory: pytest.TempPathFactory) -> Found:
    """Return what the same files give in table-flat, and in table-sqlite by ``import``."""
    folder = tmp_path_factory.mktemp("rows")
    lines = write(folder / "files").replace(FOLDER, str(folder / "files"))
    (folder / "smtpd.conf").write_text(f"listen on lo\n{lines}")
    program = Path(sys.executable).with_name("opensmtpd-plugins")
    moved = [str(program), "import", str(folder / "smtpd.conf"), str(folder / "db")]
    subprocess.run(moved, check=True, capture_output=True)
    found: Found = {
        (service, key): {"Flat": set(), "Sqlite": set()}
        for service in KEYS
        for key in KEYS[service]
    }
    for service in KEYS:
        for name, row in names(service):
            ask_all(flat.Flat(flags(folder / "files" / name)), service, row, found)
            table = sqlite.Sqlite(flags(folder / f"{name}.conf"))
            ask_all(table, service, row, found)
            table.state.database.close()  # SQLite's limit of memory is one for all of them
    return found


def flags(path: Path) -> argparse.Namespace:
    return argparse.Namespace(path=str(path), check=False)


def ask_all(table: Table, service: str, row: str, found: Found) -> None:
    """Ask a table of one row for all keys of a service, and note those that it matches."""
    for key in KEYS[service]:
        answer = ask(table, "check", service, f"[{key}]" if ":" in key else key.lower())
        assert answer.result in ("found", "not-found"), (row, key, answer)
        if answer.result == "found":
            found[service, key][type(table).__name__].add(row)


@pytest.mark.parametrize(
    ("service", "key"), [(service, key) for service in KEYS for key in KEYS[service]]
)
def test_the_same_rows_match(running: Lab, here: Found, service: str, key: str) -> None:
    theirs = matching(service, key) - set(ONLY_THERE)
    assert here[service, key] == {"Flat": theirs, "Sqlite": theirs}
    running.server.check()


def test_what_is_refused_here_matches_there(running: Lab) -> None:
    assert running.server.alive()
    keys = ("d@mail.example.org", "aa@example.org", "a@example.org", "e@example.org")
    assert set.union(*(matching("regex", key) for key in keys)) >= set(ONLY_THERE)
