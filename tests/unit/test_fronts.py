"""The modules that the process which smtpd talks to has loaded when it is ready.

Each takes time at the start and memory for as long as the process runs, and its faults would be
smtpd's. What needs one of those below is done in a worker, which is another process.
"""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from unit.support.dkim_material import RSA_PEM

DEAR = frozenset(
    [
        *("_cffi_backend", "aiodns", "argon2", "asyncio", "bcrypt", "concurrent"),
        *("configparser", "cryptography", "ctypes.util", "dataclasses", "decimal", "dns"),
        *("email", "hashlib", "http", "importlib.metadata", "importlib.resources"),
        *("inspect", "json", "ldap", "logging", "multiprocessing", "pathlib", "psycopg"),
        *("psycopg_binary", "pycares", "pymysql", "random", "sqlite3", "ssl", "subprocess"),
        *("tempfile", "traceback", "typing_extensions", "unittest", "urllib"),
    ]
)
"""What takes a millisecond or more, or brings what does."""
TO_WAIT = "asyncio concurrent inspect logging ssl subprocess traceback"
"""asyncio, and what it brings, for those who have a client wait."""

LOADED = """\
import os, sys
from opensmtpd import run
from opensmtpd._runtime import program

def loaded(make, parser, argv, serve):
    plugin = make(parser.parse_args(argv))
    print(*sys.modules)
    sys.stdout.flush()
    os._exit(0)

program.run = loaded
sys.argv = {argv!r}
from {module} import main
main()
"""


def dear(module: str, *argv: str) -> frozenset[str]:
    """Return those of DEAR that a front has when it has made its plugin."""
    return loaded(module, *argv) & DEAR


def loaded(module: str, *argv: str) -> frozenset[str]:
    """Return the modules that a front has when it has made its plugin."""
    code = LOADED.format(argv=[module, *argv], module=module)
    run = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True)
    return frozenset(run.stdout.decode().split())


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    """Return arguments for all programs."""
    with closing(sqlite3.connect(tmp_path / "db")) as db:
        db.execute("CREATE TABLE aliases (key TEXT, value TEXT)")
    query = "query_alias SELECT value FROM aliases WHERE key = {}\n"
    texts = {
        "key": RSA_PEM,
        "sqlite": f"dbpath {tmp_path}/db\n{query.format('?')}",
        "flat": "a: b\n",
        "passwd": "a:*:1:1::/home/a:\n",
        "postgres": f"conninfo host={tmp_path}\n{query.format('$1')}",
        "mysql": f"host localhost\n{query.format('?')}",
        "redis": f"master unix:{tmp_path}/none\nquery_alias GET alias:%s\n",
        "dovecot": f"auth {tmp_path}/none\n",
        "headers": "reject Subject /buy/\njunk From *@spam.example\nprivacy\n",
        "limits": "user messages 60/1h\nrecipient-domain messages 1/1s pace\n",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o600)
    return {name: str(tmp_path / name) for name in (*texts, "none")}


@pytest.mark.parametrize(
    ("name", "argv", "expected"),
    [
        ("archive", "-n {none}", ""),
        ("archive", "-n --lmtp {none} --lmtp-recipient archive {none}", ""),
        ("auth", "", "hashlib"),
        ("dkimsign", "-d a.example -s s -k {key}", "hashlib"),
        ("dnsbl", "bl.example", ""),
        ("greylist", "", "hashlib"),
        ("greylist", "--state {none}", "hashlib"),
        ("headers", "{headers}", ""),
        ("limit", "{limits}", f"hashlib {TO_WAIT}"),
        ("limit", "--state {none} {limits}", f"hashlib {TO_WAIT}"),
        ("metrics", "--file {none}", ""),
        ("milter", "{none}", ""),
        ("rdns", "", ""),
        ("rdns", "--verify", ""),
        ("rspamd", "", "urllib"),
        ("senderscore", "-slowFactor 1000", TO_WAIT),
    ],
)
def test_a_filter(name: str, argv: str, expected: str, files: dict[str, str]) -> None:
    words = argv.format_map(files).split()
    assert dear(f"opensmtpd_filters.{name}", *words) == set(expected.split())


@pytest.mark.parametrize(
    ("name", "argv", "expected"),
    [
        ("dovecot", "{dovecot}", ""),
        ("flat", "{flat}", ""),
        ("mysql", "{mysql}", "configparser decimal hashlib pymysql traceback"),
        ("passwd", "{passwd}", ""),
        ("postgres", "{postgres}", ""),
        ("redis", "{redis}", ""),
        ("socketmap", "{none}", ""),
        ("sqlite", "{sqlite}", "sqlite3"),
    ],
)
def test_a_table(name: str, argv: str, expected: str, files: dict[str, str]) -> None:
    words = argv.format_map(files).split()
    assert dear(f"opensmtpd_tables.{name}", *words) == set(expected.split())


@pytest.mark.parametrize("name", ["flat", "passwd"])
def test_a_table_of_a_file_talks_to_nobody(name: str, files: dict[str, str]) -> None:
    """It takes what it needs from the modules in C behind these, which are loaded at once."""
    found = loaded(f"opensmtpd_tables.{name}", files[name])
    assert not found & {"heapq", "queue", "selectors", "socket", "string"}
