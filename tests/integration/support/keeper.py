"""The operator's command, with a configuration file that leads to an empty database of a server."""

import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from lab.peers.databases.mariadb import MariadbServer
from lab.peers.databases.postgres import PostgresServer
from lab.peers.databases.valkey import ValkeyServer

USER, SECRET = "keeper", "s3cret-s3cret"
DATABASE = "cli"
VALKEYS = 7
"""The number of a database of Valkey."""
SERVERS = {"postgres": "postgres", "mysql": "mariadb", "redis": "valkey"}
"""The fixtures of the kinds."""
HASH = "$2b$10$GuTIbGNKyVrwxvGlvRFoxuRpTtUnK4dgrwjGN7AYA4JQgGGdsYnoa"
SMTPD_CONF = """\
table domains file:{0}/domains
table aliases file:{0}/aliases
table users file:{0}/users
table base {{ alice = "1000:1000:/home/alice", bob = "1001:1001:/home/bob" }}
listen on 127.0.0.1 port 2525 auth <users>
action "d" maildir userbase <base> alias <aliases>
match from any for domain <domains> action "d"
"""
FILES = {
    "domains": "*.example.org\nexample.com\n",
    "aliases": 'info: "|/bin/cat \\\\ %s"\nroot: alice, bob\nünï: alice\n',
    "users": f"alice: alice:{HASH}\n",
}
"""As ``export`` writes them."""


class Said(NamedTuple):
    """Exit status and output of the command."""

    status: int
    out: str
    err: str


class Keeper:
    """The command, and a configuration file that leads to an empty database."""

    def __init__(self, folder: Path, kind: str, lines: str, sql: Callable[[str], str]) -> None:
        self.folder, self.kind, self.sql = folder, kind, sql
        self.file = folder / "connection.conf"
        self.file.write_text(lines)
        self.file.chmod(0o640)
        self.place = f"{kind}:{self.file}"
        self.conf = folder / "smtpd.conf"
        self.conf.write_text(SMTPD_CONF.format(folder))
        for name, text in FILES.items():
            (folder / name).write_text(text)

    def __call__(self, *arguments: object, given: str = "") -> Said:
        program = str(Path(sys.executable).with_name("opensmtpd-plugins"))
        done = subprocess.run(
            [program, *map(str, arguments)],
            input=given, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert SECRET not in done.stdout + done.stderr
        return Said(done.returncode, done.stdout, done.stderr)

    def done(self, *arguments: object, given: str = "") -> str:
        """Run a command that succeeds; return its output."""
        said = self(*arguments, given=given)
        assert said.status == 0, said.err
        return said.out

    def moved(self) -> None:
        """Import smtpd.conf."""
        self.done("import", self.conf, self.place)


def _postgres(server: PostgresServer) -> tuple[str, Callable[[str], str]]:
    server.database(DATABASE)
    server.account(USER, SECRET)
    server.execute(f"GRANT ALL ON SCHEMA public TO {USER}", DATABASE)
    conninfo = f"host=127.0.0.1 user={USER} password={SECRET} dbname={DATABASE}"
    return f"conninfo {conninfo}\n", lambda sql: server.execute(sql, DATABASE)


def _mariadb(server: MariadbServer) -> tuple[str, Callable[[str], str]]:
    server.database(DATABASE)
    server.account(USER, SECRET)
    server.execute(f"GRANT ALL ON {DATABASE}.* TO '{USER}'@'%'")
    lines = f"host 127.0.0.1\nusername {USER}\npassword {SECRET}\ndatabase {DATABASE}\n"
    return lines, lambda sql: server.execute(sql, DATABASE)


def valkey(server: ValkeyServer) -> tuple[str, Callable[[str], str]]:
    """Return the lines of a configuration file, and what runs a command of Valkey."""
    server.execute("FLUSHDB", database=VALKEYS)
    server.account(USER, SECRET)
    lines = f"master 127.0.0.1\nslave 127.0.0.1\nslave_port 6379\ndatabase {VALKEYS}\n"
    return f"{lines}user {USER}\npassword {SECRET}\n", lambda said: server.execute(
        *shlex.split(said), database=VALKEYS
    )


def made(folder: Path) -> Path:
    """Make a folder."""
    folder.mkdir()
    return folder


def keeper_of(kind: str, folder: Path, request: pytest.FixtureRequest) -> Keeper:
    """Return the command for a kind of servers, whose fixture ``request`` has."""
    server = request.getfixturevalue(SERVERS[kind])
    if isinstance(server, PostgresServer):
        lines, sql = _postgres(server)
    elif isinstance(server, MariadbServer):
        lines, sql = _mariadb(server)
    else:
        lines, sql = valkey(server)
    return Keeper(folder, kind, lines, sql)
