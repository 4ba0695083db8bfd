"""Databases for tests, and the configuration files that name them."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from opensmtpd.backends.sql.config import Statement
from opensmtpd.backends.sqlite import config
from opensmtpd.backends.sqlite.database import Database

LOOKUP = "SELECT value FROM rows WHERE key = ?"
NEEDS_PROC = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="reads /proc")


def write(path: Path, *statements: str, wait: float = 0.0) -> None:
    """Change a database as another program does, a transaction for each call."""
    with closing(sqlite3.connect(path, timeout=wait)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def write_elsewhere(path: Path, *statements: str) -> str:
    """Have another process change a database at once; return its error, "" where there was none.

    Locks of POSIX belong to a process: only another one meets ours.
    """
    source = (
        "import sqlite3, sys\n"
        "connection = sqlite3.connect(sys.argv[1], timeout=0)\n"
        "with connection:\n"
        "    for statement in sys.argv[2:]:\n"
        "        connection.execute(statement)\n"
    )
    command = [sys.executable, "-c", source, str(path), *statements]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    return done.stderr.rpartition("OperationalError: ")[2].strip()


def create(path: Path, **rows: str) -> Path:
    """Make a database with one table of keys and values."""
    write(path, "CREATE TABLE rows (key, value)")
    put(path, **rows)
    return path


def put(path: Path, **rows: object) -> None:
    """Add rows."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executemany("INSERT INTO rows VALUES (?, ?)", rows.items())


def fill(path: Path) -> None:
    """Add rows for many pages: ``key0`` to ``key499``."""
    put(path, **{f"key{number}": "x" * 500 for number in range(500)})


def settings(path: Path, *lines: str) -> Path:
    """Write the configuration file of a database, and return its path."""
    conf = path.with_suffix(".conf")
    text = "\n".join([f"dbpath {path}", "busy_timeout 0.05", *lines, ""])
    conf.write_bytes(text.encode("utf-8", "surrogateescape"))
    return conf


def opened(path: Path, *lines: str) -> tuple[Database, Statement]:
    """Return a database, and its ``query_alias``."""
    read = config.read(str(settings(path, f"query_alias {LOOKUP}", *lines)))
    return Database(read), read.statements["query_alias"]


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Have another process lock a database."""
    source = (
        "import sqlite3, sys\n"
        "connection = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "connection.execute('BEGIN EXCLUSIVE')\n"
        "print('locked', flush=True)\n"
        "sys.stdin.read()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", source, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"locked\n"
    try:
        yield
    finally:
        process.communicate()


def descriptors(path: Path) -> int:
    """Return how many descriptors of this process lead to a file, by whatever name it has now."""
    count = 0
    for name in os.listdir("/proc/self/fd"):
        try:
            count += os.readlink(f"/proc/self/fd/{name}").startswith(str(path))
        except OSError:  # the one that listdir had
            continue
    return count
