"""The file that a filter keeps its state in, the processes that have it open, and harm to both."""

import os
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from integration.support.told import until
from lab.root import inside
from lab.shows import moves

NAME = "state.db"


class StateFile:
    """A file in a folder of its own; ``lay_out`` makes it a small file system, which can be full.

    Each method below ``workers`` does harm.
    """

    def __init__(self, view: Path, folder: str) -> None:
        self._view, self._folder = view, folder

    def lay_out(self, size: str) -> None:
        """Make the folder, of so many bytes, for the user whom filters run as."""
        folder = self.path().parent
        folder.mkdir(parents=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], check=True)
        self._give(self._folder)

    def path(self, end: str = "") -> Path:
        """Return the file, or with an ``end`` one beside it."""
        return self._view / self._folder[1:] / f"{NAME}{end}"

    def workers(self) -> list[int]:
        """Return the processes that have the file open."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                links = [os.readlink(fd) for fd in (entry / "fd").iterdir()]
            except OSError:  # it has ended
                continue
            if any(link.endswith(f"{self._folder}/{NAME}") for link in links):
                found.append(int(entry.name))
        return found

    def cut_short(self) -> None:
        os.truncate(self.path(), 100)

    def cut_to_nothing(self) -> None:
        os.truncate(self.path(), 0)

    def overwrite(self) -> None:
        with self.path().open("r+b") as file:
            file.write(os.urandom(self.path().stat().st_size))

    def delete(self) -> None:
        self.path().unlink()

    def delete_all(self) -> None:
        for each in self.path().parent.glob(f"{NAME}*"):
            each.unlink()

    def replace(self) -> None:
        """Rename a file of something else over it."""
        other = self.path(".other")
        other.write_bytes(b"something else\n" * 1000)
        self._give(f"{self._folder}/{NAME}.other")
        other.chmod(0o600)
        other.rename(self.path())

    def cut_the_index_of_the_log(self) -> None:
        """Truncate what SQLite maps into its memory: whoever reads there now gets a SIGBUS."""
        os.truncate(self.path("-shm"), 0)

    def cut_the_log(self) -> None:
        os.truncate(self.path("-wal"), 0)

    def overwrite_the_log(self) -> None:
        with self.path("-wal").open("r+b") as file:
            file.write(b"\xff" * self.path("-wal").stat().st_size)

    def fill(self) -> None:
        """Have pages in it that its worker has to read again."""
        with closing(sqlite3.connect(self.path())) as db:
            rows = [(b"c=%d" % number, 1, 0, 0, 1 << 60, None) for number in range(1500)]
            db.executemany("INSERT OR REPLACE INTO steps VALUES (?, ?, ?, ?, ?, ?)", rows)
            db.commit()
            assert db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0

    def kill(self) -> None:
        """End its workers, until nobody has it open."""
        while pids := self.workers():
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    @contextmanager
    def read_only(self) -> Iterator[None]:
        """Have its file system take nothing."""
        until(self._is_made_read_only)
        try:
            yield
        finally:
            self._remount("rw")

    def _is_made_read_only(self) -> bool:
        """Try it: the kernel allows it where no worker has a file open for writing."""
        self.kill()
        return self._remount("ro")

    def _remount(self, mode: str) -> bool:
        command = ["mount", "-o", f"remount,{mode}", str(self.path().parent)]
        return not subprocess.run(command, check=False, stderr=subprocess.DEVNULL).returncode

    @contextmanager
    def full(self) -> Iterator[None]:
        """Have no room for it, and delete it first: its log has room that was written before."""
        self.kill()
        self.delete_all()
        filler = self.path().parent / "filler"
        subprocess.run(["dd", "if=/dev/zero", f"of={filler}"], check=False, capture_output=True)
        try:
            yield
        finally:
            filler.unlink()

    def _give(self, path: str) -> None:
        inside.done(self._view, "chown", moves.USER, path)
