"""The files of a capture as they are written: bounded in size and number, each readable by itself.

NAME is written to. When it is full, it becomes NAME.1, what was NAME.1 becomes NAME.2, and the
oldest is removed. So it goes at each start, too. Each file begins with the handshake.
"""

import contextlib
import errno
import fcntl
import os
import stat
import struct
from collections.abc import Callable
from typing import Any

from msgpack import Packer

from opensmtpd.capture.format import (
    CapturedLines,
    CaptureEntry,
    CaptureHeader,
    CaptureLoss,
    entry_value,
    header_value,
)

_FLAGS = os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
_HANDSHAKE_MAX, _RECORDS_MAX = 1 << 14, 64
"""Bytes of a record of the handshake, and records: what each file begins with."""
_COPIED = 4096
_AT_ONCE = 64
_LINES = struct.Struct(">BBdBBI")
_CODES, _BIN_32 = (0x93, 0xCB), 0xC6
"""msgpack's codes of an array of three, a double, and bytes with a length of 32 bits."""
_BATCH = 1 << 20
"""Bytes that are written at once."""


class CaptureFile:
    """The file that is written to, and the older ones behind it.

    Nothing is raised after the start: what cannot be written is counted, and ``failed`` is called
    with the first error.
    """

    def __init__(
        self,
        path: str,
        header: CaptureHeader,
        *,
        size: int,
        files: int,
        failed: Callable[[OSError], object],
    ) -> None:
        """Open it. Raises OSError; BlockingIOError where another program writes to it."""
        self._path, self._header, self._size, self._files = path, header, size, files
        self._failed: Callable[[OSError], object] | None = failed
        self._pack: Callable[[Any], bytes] = Packer(autoreset=True).pack
        self._handshake: list[bytes] = []
        self._shaken = False
        self._batch: list[bytes] = []
        self._batched = self._lost = 0
        self._lost_at = 0.0
        self._written = self._began = 0
        self._fd = self._free_place()
        try:
            self._begin()
        except OSError as error:
            self._tell(error)

    def add(self, entry: CaptureEntry) -> None:
        """Take an entry; it is written with others."""
        record = self._record(entry)
        if not self._shaken:
            self._keep(entry, b"".join(record))
        self._batch += record
        self._batched += sum(map(len, record))
        if self._batched >= _BATCH:
            self.write(entry.time)

    def write(self, now: float) -> None:
        """Write what was added."""
        if not self._batch:
            return
        data, size = self._batch, self._batched
        self._batch, self._batched = [], 0
        try:
            full = self._written > self._began and self._written + size > self._size
            if full or self._fd < 0:
                self._rotate()
            gap = self._record(CaptureLoss(self._lost_at, self._lost)) if self._lost else []
            self._append([*gap, *data])
            self._lost = 0
        except OSError as error:
            self._lost_at = self._lost_at if self._lost else now
            self._lost += size
            self._tell(error)

    def close(self, now: float) -> None:
        """Write the rest, and close it."""
        self.write(now)
        if self._fd >= 0:
            os.close(self._fd)

    # --- files ----------------------------------------------------------------------------------

    def _free_place(self) -> int:
        """Return a new file in the place of an old one, which is kept. Raises OSError."""
        with contextlib.suppress(FileNotFoundError):
            old = os.open(self._path, _FLAGS)
            try:
                if not stat.S_ISREG(os.fstat(old).st_mode):
                    raise OSError(errno.EINVAL, "it is not a regular file", self._path)
                fcntl.flock(old, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self._shift()
            finally:
                os.close(old)
        return self._new()

    def _new(self) -> int:
        fd = os.open(self._path, _FLAGS | os.O_CREAT | os.O_EXCL, 0o600)
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return fd

    def _shift(self) -> None:
        """Rename each file to the next number; the last one is written over."""
        if self._files == 1:
            os.unlink(self._path)
            return
        for number in range(self._files - 2, 0, -1):
            with contextlib.suppress(FileNotFoundError):
                os.rename(f"{self._path}.{number}", f"{self._path}.{number + 1}")
        os.rename(self._path, f"{self._path}.1")

    def _rotate(self) -> None:
        """Begin the next file. Raises OSError, and is tried again then."""
        if self._fd >= 0:
            self._shift()
            os.close(self._fd)
            self._fd = -1
            self._header = self._header._replace(part=self._header.part + 1)
        self._fd = self._new()
        self._begin()

    def _begin(self) -> None:
        """Write what each file begins with; or remove it, and raise OSError."""
        self._written = 0
        handshake = self._handshake if self._shaken else []
        header = self._header._replace(handshake=len(handshake))
        records = [self._pack(header_value(header)), *handshake]
        try:
            self._append(records)
        except OSError:
            os.close(self._fd)
            self._fd = -1
            os.unlink(self._path)
            raise
        self._began = self._written

    def _record(self, entry: CaptureEntry) -> list[bytes]:
        """Return a record, whose lines are not copied."""
        if isinstance(entry, CapturedLines) and not entry.hidden and len(entry.data) > _COPIED:
            return [_LINES.pack(*_CODES, entry.time, entry.speaker, _BIN_32, len(entry.data)),
                    entry.data]  # fmt: skip
        return [self._pack(entry_value(entry))]

    def _append(self, data: list[bytes]) -> None:
        """Write all of it or nothing. Raises OSError."""
        try:
            for at in range(0, len(data), _AT_ONCE):
                some = data[at : at + _AT_ONCE]
                left = sum(map(len, some)) - os.writev(self._fd, some)
                while left:  # the disk is full, as the next call says
                    left -= os.write(self._fd, b"".join(some)[-left:])
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, self._written)
                os.lseek(self._fd, self._written, os.SEEK_SET)
            raise
        self._written += sum(map(len, data))

    def _keep(self, entry: CaptureEntry, record: bytes) -> None:
        """Keep what belongs to the handshake, for the files that follow."""
        if isinstance(entry, CapturedLines) and len(record) <= _HANDSHAKE_MAX:
            self._handshake.append(record)
            self._shaken = b"register|ready\n" in entry.data
        if not isinstance(entry, CapturedLines) or len(self._handshake) > _RECORDS_MAX:
            self._handshake, self._shaken = [], True

    def _tell(self, error: OSError) -> None:
        if self._failed:
            self._failed(error)
            self._failed = None
