"""Lines that wait: small messages in memory, large ones in an unlinked file.

All spools share one Budget, so that no client can make their memory grow without bound.
"""

import os
from collections import deque
from typing import BinaryIO

from opensmtpd.errors import SpoolError

KIB = 1024


def _folder() -> str | None:
    """Return the folder of spool files, None for Python's choice.

    /tmp is memory on many systems, and spool files are there to save memory.
    """
    if "TMPDIR" in os.environ or not os.access("/var/tmp", os.W_OK):
        return None
    return "/var/tmp"


class Budget:
    """Bytes that all spools together, and each alone, may keep in memory.

    What is reserved is counted apart, up to ``reservable``: headers that are being edited.
    """

    def __init__(
        self,
        total: int = 16 * KIB * KIB,
        each: int = 4 * KIB * KIB,
        reservable: int = 32 * KIB * KIB,
    ) -> None:
        self.total, self.each, self.reservable = total, each, reservable
        self.used = self.reserved = 0


class Spool:
    """A queue of blocks; a block is one or more lines, each with its line feed.

    Raises SpoolError where the disk takes no more, or does not give back what was written.
    """

    __slots__ = ("_blocks", "_budget", "_file", "_memory", "_read", "_reserved", "_write")

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._blocks: deque[bytes] = deque()
        self._memory = 0
        self._file: BinaryIO | None = None
        self._read = self._write = 0
        self._reserved = 0

    def __len__(self) -> int:
        """Return the bytes that wait."""
        return self._memory + self._write - self._read

    def append(self, block: bytes) -> None:
        """Queue ``block``, which ends in a line feed."""
        budget, size = self._budget, len(block)
        fits = self._memory + size <= budget.each and budget.used + size <= budget.total
        if self._file is None and fits:
            self._blocks.append(block)
            self._memory += size
            budget.used += size
            return
        try:
            if self._file is None:
                self._open()
            self._put(block)
        except OSError as error:
            raise SpoolError(f"cannot spool the message: {error.strerror}") from error

    def take(self, size: int) -> bytes:
        """Return about the next ``size`` bytes, whole lines, ``b""`` where nothing waits.

        A single block of memory comes whole, and a line that is longer than ``size`` too.
        """
        if self._file is not None and self._read < self._write:
            return self._from_file(size)
        taken, length = [], 0
        while self._blocks and length < size:
            taken.append(self._blocks.popleft())
            length += len(taken[-1])
        self._forget(length)
        return taken[0] if len(taken) == 1 else b"".join(taken)

    def reserve(self, size: int) -> None:
        """Count ``size`` bytes of memory until ``close``. Raises SpoolError where none are left."""
        budget = self._budget
        if budget.reserved + size > budget.reservable:
            raise SpoolError("no memory left to edit the message")
        self._reserved += size
        budget.reserved += size

    def truncate(self) -> None:
        """Drop all that waits."""
        self._blocks.clear()
        self._forget(self._memory)
        self._write = self._read

    def close(self) -> None:
        """Give everything back."""
        self._budget.reserved -= self._reserved
        self._reserved = 0
        self._blocks.clear()
        self._forget(self._memory)
        if self._file is not None:
            self._file.close()
            self._file = None
        self._read = self._write = 0

    def _forget(self, size: int) -> None:
        self._memory -= size
        self._budget.used -= size

    def _open(self) -> None:
        import tempfile  # noqa: PLC0415  most mail never gets here: start without it

        self._file = tempfile.TemporaryFile(buffering=0, dir=_folder())  # noqa: SIM115  closed with the spool
        while self._blocks:
            self._put(self._blocks[0])
            self._forget(len(self._blocks.popleft()))

    def _put(self, block: bytes) -> None:
        assert self._file is not None
        fd, view, at = self._file.fileno(), memoryview(block), self._write
        while view:
            written = os.pwrite(fd, view, at)
            view, at = view[written:], at + written
        self._write = at  # only whole blocks count: a failed one leaves no half line behind

    def _from_file(self, size: int) -> bytes:
        assert self._file is not None
        end = 0
        while not end:
            size = min(size, self._write - self._read)
            try:
                block = os.pread(self._file.fileno(), size, self._read)
            except OSError as error:
                raise SpoolError(f"cannot read the spool: {error.strerror}") from error
            if len(block) < size:
                raise SpoolError("the spool file was cut")
            end = block.rfind(b"\n") + 1
            size *= 2
        self._read += end
        return block[:end]
