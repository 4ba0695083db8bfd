"""Databases in WAL mode, and the worker that reads them."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from opensmtpd.backends.sqlite.wal.remote import WalPool
from unit.support.sqlite_files import create, write, write_elsewhere
from unit.support.workers import processes, pump, whole

PATIENCE = 20.0


def wal(path: Path, **rows: str) -> Path:
    """Make a database in WAL mode with one table of keys and values."""
    write(create(path, **rows), "PRAGMA journal_mode = WAL")
    return path


def beside(path: Path, name: str) -> Path:
    return path.with_name(f"{path.name}-{name}")


WRITER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
for statement in sys.argv[2:]:
    connection.execute(statement)
print("written", flush=True)
sys.stdin.read()
"""


@contextmanager
def writer(path: Path, *statements: str) -> Iterator[None]:
    """Have another process write, and keep the database open, so that its log stays."""
    command = [sys.executable, "-c", WRITER, str(path), *statements]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"written\n"
        yield
        process.communicate()


def set_mode(path: Path, mode: str) -> None:
    """Set the journal mode from another process, which waits until nobody has it open."""
    end = time.monotonic() + PATIENCE
    while write_elsewhere(path, f"PRAGMA journal_mode = {mode}"):
        assert time.monotonic() < end
        time.sleep(0.02)


def signal_worker(worker: WalPool, number: signal.Signals) -> int:
    """Send the worker a signal, once it serves; return its process id."""
    pump(worker.pool, lambda: whole(worker.pool))
    pid = processes(worker.pool)[-1]
    os.kill(pid, number)
    return pid


def mapped(path: Path) -> bool:
    """Return whether this process has a file beside the database in its memory."""
    return str(beside(path, "shm")) in Path("/proc/self/maps").read_text()
