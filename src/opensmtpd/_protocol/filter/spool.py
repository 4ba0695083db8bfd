"""Lines that wait: small messages in memory, large ones in an unlinked file.

All spools share one Budget, so that no client can make their memory, or their files, grow without
bound.
"""

import os
from collections import deque
from collections.abc import Iterable
from contextlib import suppress

from opensmtpd.errors import SpoolError

MIB = 1024 * 1024
DISK = 1024 * MIB
"""Bytes that the files of all spools may take, where nobody says otherwise."""


def folder() -> str:
    """Return the folder of spool files: the first of three that may be written.

    /tmp is the last, for it is memory on many systems, and spool files are there to save memory.
    """
    folders = (os.environ.get("TMPDIR", ""), "/var/tmp", "/tmp")
    return next((each for each in folders if os.access(each, os.W_OK | os.X_OK)), "/tmp")


def _new_file() -> int:
    """Return the descriptor of a new file without a name. Raises OSError.

    The tempfile module does the same, and takes a tenth of the time until a filter is ready.
    """
    path = f"{folder()}/opensmtpd-spool-{os.urandom(16).hex()}"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.unlink(path)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _first(blocks: Iterable[bytes], size: int) -> bytes:
    """Return the first blocks, joined, with ``size`` bytes or some more."""
    taken, length = [], 0
    for block in blocks:
        taken.append(block)
        length += len(block)
        if length >= size:
            break
    return taken[0] if len(taken) == 1 else b"".join(taken)


class Budget:
    """Bytes that all spools together, and each alone, may keep in memory; ``disk`` is for files.

    What is reserved is counted apart, up to ``reservable``: headers that are being edited.
    ``message`` is for each message as it comes, wherever its lines are; None is no bound.
    """

    def __init__(
        self,
        total: int = 16 * MIB,
        each: int = 4 * MIB,
        reservable: int = 32 * MIB,
        disk: int = DISK,
        message: int | None = None,
    ) -> None:
        self.total, self.each, self.reservable, self.disk = total, each, reservable, disk
        self.message = message
        self.used = self.reserved = self.on_disk = 0


class Spool:
    """A queue of blocks; a block is one or more lines, each with its line feed.

    Raises SpoolError where there is no room, or the disk does not give back what was written.
    """

    __slots__ = (
        "_blocks",
        "_budget",
        "_file",
        "_memory",
        "_read",
        "_reserved",
        "_size",
        "_write",
        "appended",
    )

    def __init__(self, budget: Budget) -> None:
        self.appended = 0
        """Bytes that were ever queued: it tells whether a block was."""
        self._budget = budget
        self._blocks: deque[bytes] = deque()
        self._memory = 0
        self._file: int | None = None
        self._read = self._write = self._size = 0
        """Where the next byte is read and written, and the length of the file."""
        self._reserved = 0

    def __len__(self) -> int:
        """Return the bytes that wait."""
        return self._memory + self._write - self._read

    def append(self, block: bytes) -> None:
        """Queue ``block``, which ends in a line feed: all of it, or nothing."""
        budget, size = self._budget, len(block)
        fits = self._memory + size <= budget.each and budget.used + size <= budget.total
        try:
            if self._file is None and fits:
                self._blocks.append(block)
                self._memory += size
                budget.used += size
            else:
                if self._file is None:
                    self._open()
                self._put(block)
        except SpoolError:
            raise
        except Exception as error:  # MemoryError, too: a message without its lines must not pass
            fault = getattr(error, "strerror", None) or type(error).__name__
            raise SpoolError(f"cannot spool the message: {fault}") from error
        self.appended += size

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

    def look(self, at: int, size: int) -> bytes:
        """Return about ``size`` bytes from byte ``at`` of those that wait, and take none of them.

        They are whole lines, as of ``take``, and ``at`` is 0 or behind the last line of another
        look. Returns ``b""`` where no more waits. Raises SpoolError.
        """
        if self._file is not None:
            start = self._read + at
            return self._whole_lines(start, min(size, self._write - start))
        seen: deque[bytes] = deque()
        if 2 * at > self._memory:  # from the nearer end: small blocks may be many
            place, backwards = self._memory, reversed(self._blocks)
            while place > at:
                block = next(backwards)
                place -= len(block)
                seen.appendleft(block)
            return _first(seen, size)
        place = 0
        blocks = iter(self._blocks)
        while place < at:
            place += len(next(blocks))
        return _first(blocks, size)

    def reserve(self, size: int) -> None:
        """Count ``size`` bytes of memory until ``close``. Raises SpoolError where none are left."""
        budget = self._budget
        if budget.reserved + size > budget.reservable:
            raise SpoolError("no memory left to edit the message")
        self._reserved += size
        budget.reserved += size

    def unreserve(self, size: int) -> None:
        """Count ``size`` bytes of those that are reserved no more."""
        self._reserved -= size
        self._budget.reserved -= size

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
            descriptor, self._file = self._file, None
            with suppress(OSError):  # the file has no name: nothing of it stays
                os.close(descriptor)
        self._budget.on_disk -= self._size
        self._read = self._write = self._size = 0

    def _forget(self, size: int) -> None:
        self._memory -= size
        self._budget.used -= size

    def _open(self) -> None:
        self._file = _new_file()
        while self._blocks:
            self._put(self._blocks[0])
            self._forget(len(self._blocks.popleft()))

    def _put(self, block: bytes) -> None:
        assert self._file is not None
        self._grow(self._write + len(block))
        view, at = memoryview(block), self._write
        while view:
            written = os.pwrite(self._file, view, at)
            view, at = view[written:], at + written
        self._write = at  # only whole blocks count: a failed one leaves no half line behind

    def _grow(self, size: int) -> None:
        """Count a file of ``size`` bytes. Raises SpoolError where all files take too much then."""
        more = size - self._size
        if more > 0:
            if self._budget.on_disk + more > self._budget.disk:
                raise SpoolError(f"all spools together take {self._budget.disk} bytes on disk")
            self._budget.on_disk += more
            self._size = size

    def _from_file(self, size: int) -> bytes:
        taken = self._whole_lines(self._read, min(size, self._write - self._read))
        self._read += len(taken)
        if self._read == self._write:  # a stream that ran dry begins anew
            self._read = self._write = 0
        return taken

    def _whole_lines(self, start: int, size: int) -> bytes:
        """Return the lines in ``size`` bytes of the file, or the first one where it is longer."""
        assert self._file is not None
        end = 0
        while not end and size > 0:
            size = min(size, self._write - start)
            try:
                block = os.pread(self._file, size, start)
            except OSError as error:
                raise SpoolError(f"cannot read the spool: {error.strerror}") from error
            if len(block) < size:
                raise SpoolError("the spool file was cut")
            end = block.rfind(b"\n") + 1
            size *= 2
        return block[:end] if end else b""
