"""Take copies out of the folder of filter-archive, and count them."""

import threading
from pathlib import Path

from lab.chaos.judge import NUMBER
from lab.chaos.ledger import Ledger
from lab.peers.copies import Copies, until

HEAD = 4096
"""Bytes of a copy that are read: the number is in them."""


class Kept:
    """``with Kept(path, ledger):`` tells the ledger which messages have been kept.

    It ends when no copy waits any more. Raises TimeoutError where one does, for a minute.
    """

    def __init__(self, path: Path, ledger: Ledger) -> None:
        self._copies, self._ledger = Copies(path), ledger
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Kept":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()
        until(lambda: not self._copies.names("tmp"))
        self._take()

    def _run(self) -> None:
        while not self._ending.wait(0.1):
            self._take()

    def _take(self) -> None:
        for name in self._copies.names("new"):
            path = self._copies.path / "new" / name
            with open(path, "rb") as file:
                found = NUMBER.search(file.read(HEAD))
            path.unlink()
            if found:
                self._ledger.kept(int(found[1]))
