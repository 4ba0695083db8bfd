"""Databases and keys that are truncated, replaced, locked and corrupted under their readers."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from lab.chaos import processes
from lab.chaos.faults import Strikes, fault
from lab.chaos.stand import Stand, owner_of

BESIDE = ("-journal", "-wal", "-shm")


@fault("the database is truncated and overwritten")
def spoil_database(stand: Stand) -> Strikes:
    """Write into the file itself, as no program should."""
    good = stand.database.read_bytes()
    size = len(good)
    try:
        while True:
            for bad in (
                b"",
                good[: size // 2],
                good[:100],
                good[:100] + stand.dice.randbytes(size - 100),
                stand.dice.randbytes(size),
            ):
                stand.database.write_bytes(bad)
                yield 1
                stand.database.write_bytes(good)
                yield 0
    finally:
        stand.database.write_bytes(good)


@fault("pages of the database are corrupt")
def corrupt_database(stand: Stand) -> Strikes:
    """Change the header of a page, as a bad disk does, so that SQLite can tell."""
    good = stand.database.read_bytes()
    try:
        while True:
            bad = bytearray(good)
            page = stand.dice.randrange(len(good) // 4096) * 4096
            start = page + (100 if page == 0 else 0)
            # No page is of the type 255: with another one rows would be gone, and mail refused.
            bad[start : start + 8] = b"\xff" + stand.dice.randbytes(7)
            stand.database.write_bytes(bad)
            yield 1
            stand.database.write_bytes(good)
            yield 0
    finally:
        stand.database.write_bytes(good)


@fault("the database is replaced, removed and forbidden")
def replace_database(stand: Stand) -> Strikes:
    """Rename over it: a copy, one without tables, a folder, nothing, one that cannot be read."""
    good = stand.database.with_name("good")
    shutil.copy2(stand.database, good)
    owner = owner_of(stand.database)
    try:
        while True:
            for make in (_copy, _empty, _folder, _nothing, _forbidden):
                make(stand.database, good)
                yield 1
                _put_back(stand.database, good, owner)
                yield 0
    finally:
        _put_back(stand.database, good, owner)
        good.unlink()


def _new(database: Path, content: bytes, mode: int = 0o644) -> None:
    new = database.with_name("new")
    new.write_bytes(content)
    new.chmod(mode)
    new.rename(database)


def _copy(database: Path, good: Path) -> None:
    _new(database, good.read_bytes())


def _empty(database: Path, good: Path) -> None:
    _new(database, b"")


def _folder(database: Path, good: Path) -> None:
    database.unlink()
    database.mkdir()


def _nothing(database: Path, good: Path) -> None:
    database.unlink()


def _forbidden(database: Path, good: Path) -> None:
    _new(database, good.read_bytes(), 0o000)


def _put_back(database: Path, good: Path, owner: tuple[int, int]) -> None:
    if database.is_dir():
        database.rmdir()
    new = database.with_name("new")
    shutil.copy2(good, new)
    os.chown(new, *owner)
    new.rename(database)


@fault("the database is locked", pause=0.1)
def lock_database(stand: Stand) -> Strikes:
    """Hold the lock of a writer, for less and for more time than a table waits."""
    while True:
        for patience in (1, 2, 5, 20):
            with stand.rows() as rows:
                rows.execute("BEGIN EXCLUSIVE")
                rows.execute("UPDATE aliases SET value = value WHERE name = 'sales'")
                for _ in range(patience):
                    yield 1 if _ == 0 else 0
                rows.execute("COMMIT")
            yield 0


WRITER = """
import os, sqlite3, sys
os.setgroups([])
os.setgid(int(sys.argv[4]))
os.setuid(int(sys.argv[3]))
rows = sqlite3.connect(sys.argv[1], isolation_level=None)
rows.execute(f"PRAGMA journal_mode = {sys.argv[2]}")
rows.execute("PRAGMA cache_size = 1")
rows.execute("BEGIN IMMEDIATE")
rows.execute("UPDATE aliases SET value = value")
if sys.argv[2] == "WAL":
    rows.execute("COMMIT")
os._exit(0)
"""
"""Ends like one that crashed, and leaves ``-wal`` and ``-shm``, or ``-journal``, behind.

It is a process of its own: who has mapped a ``-shm`` that is truncated dies of SIGBUS.
"""


@fault("files beside the database: -journal, -wal, -shm")
def spoil_beside(stand: Stand) -> Strikes:
    """Have a writer crash; truncate, fill and remove what it left beside the database."""
    good = stand.database.read_bytes()
    try:
        while True:
            for mode, names in (("WAL", BESIDE[1:]), ("DELETE", BESIDE[:1])):
                for name in names:
                    for act in _acts(stand, stand.database.with_name(stand.database.name + name)):
                        _crash(stand, mode)
                        yield 1
                        with suppress(FileNotFoundError):
                            act()
                        yield 1
                        _clean(stand, good)
                        yield 0
    finally:
        _clean(stand, good)


def _crash(stand: Stand, mode: str) -> None:
    """Run WRITER as the user of the tables."""
    owner = map(str, owner_of(stand.database))
    command = [sys.executable, "-c", WRITER, str(stand.database), mode, *owner]
    subprocess.run(command, check=False)


def _acts(stand: Stand, file: Path) -> list[Callable[[], object]]:
    return [
        lambda: file.write_bytes(stand.dice.randbytes(40_000)),
        lambda: os.truncate(file, 10_000),
        lambda: os.truncate(file, 0),
        file.unlink,
    ]


def _clean(stand: Stand, good: bytes) -> None:
    for name in BESIDE:
        stand.database.with_name(stand.database.name + name).unlink(missing_ok=True)
    stand.database.write_bytes(good)


@fault("rows change all the time", pause=0.02)
def write_database(stand: Stand) -> Strikes:
    """Commit, roll back, vacuum; the rows that mail needs are in each state."""
    while True:
        with stand.rows() as rows, suppress(sqlite3.OperationalError):  # a lock of the reader's
            for number in range(20):
                rows.execute("BEGIN IMMEDIATE")
                name = f"new{stand.dice.randrange(500)}"
                rows.execute("INSERT OR REPLACE INTO aliases VALUES (?, 'alice')", [name])
                rows.execute("COMMIT" if number % 3 else "ROLLBACK")
                yield 1
            rows.execute("DELETE FROM aliases WHERE name LIKE 'new%'")
            rows.execute("VACUUM")
            yield 1


@fault("the key is truncated, replaced, removed; SIGHUP", pause=0.4)
def spoil_key(stand: Stand) -> Strikes:
    """Spoil the file and have it read: the keys of before go on signing."""
    status, good = stand.key.stat(), stand.key.read_bytes()

    def put(content: bytes) -> None:
        stand.key.unlink(missing_ok=True)
        stand.key.write_bytes(content)
        stand.key.chmod(0o640)
        os.chown(stand.key, status.st_uid, status.st_gid)

    def read_again() -> int:
        return processes.send(processes.fronts(stand.server), signal.SIGHUP)

    try:
        while True:
            for bad in (b"", good[:-700], good[:300] + stand.dice.randbytes(900), b"\0" * 5000):
                put(bad)
                read_again()
                yield 1
            stand.key.unlink()
            read_again()
            yield 1
            put(b"")
            stand.new_key()
            good = stand.key.read_bytes()
            put(good)
            read_again()
            yield 1
    finally:
        put(good)
        read_again()
