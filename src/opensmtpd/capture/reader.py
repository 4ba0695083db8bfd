"""Read a capture again: what is readable of it, in bounded memory."""

import os
from collections.abc import Iterator
from itertools import islice

import msgpack

from opensmtpd.capture.format import (
    RECORD_MAX,
    CaptureEntry,
    CaptureHeader,
    read_entry,
    read_header,
)
from opensmtpd.errors import ConfigError
from opensmtpd.files import reading

_CHUNK = 1 << 18
_NUMBERS_MAX = 1000


class CaptureReader:
    """Iterate over it: the entries of all files of one run, the oldest first."""

    def __init__(self, path: str) -> None:
        """Find the files of the run that NAME belongs to. Raises ConfigError for no capture."""
        self.header = _header(path)
        self.damage = ""
        """The fault behind which nothing could be read, known at the end; ``""`` for none."""
        self._paths = _run(path, self.header)
        self.first = _header(self._paths[0]).part
        """The number of the first file that is still there; 1 if nothing was removed."""

    def __iter__(self) -> Iterator[CaptureEntry]:
        for number, path in enumerate(self._paths):
            try:
                yield from islice(_entries(path), _header(path).handshake if number else 0, None)
            except ValueError as error:
                self.damage = f"{path}: {error}; what follows is not read"
                return


def _header(path: str) -> CaptureHeader:
    """Return the header of a file. Raises ConfigError."""
    with reading(path) as file:
        unpacker = _unpacker()
        unpacker.feed(file.read(4096))
        try:
            value = unpacker.unpack()
        except Exception:  # msgpack's own, of several kinds
            value = None
        try:
            return read_header(value)
        except ValueError as error:
            fault = str(error)
    raise ConfigError(
        fault, path=path, remedy="name a file that filter-record or table-record wrote"
    )


def _run(path: str, header: CaptureHeader) -> list[str]:
    """Return the paths of all files of a run, up to ``path``, the oldest first."""
    stem, dot, number = path.rpartition(".")
    start = int(number) if dot and number.isascii() and number.isdigit() and len(number) < 4 else 0
    base = stem if start else path
    paths, part = [path], header.part
    for following in range(start + 1, min(start + part, _NUMBERS_MAX)):
        older = f"{base}.{following}"
        try:
            found = _header(older) if os.path.exists(older) else None
        except ConfigError:
            break
        if found is None or found.begun != header.begun or found.part != part - 1:
            break
        part = found.part
        paths.insert(0, older)
    return paths


def _entries(path: str) -> Iterator[CaptureEntry]:
    """Yield the entries of a file. Raises ValueError where it is damaged, ConfigError."""
    unpacker = _unpacker()
    read = 0
    with reading(path) as file:
        while chunk := file.read(_CHUNK):
            try:
                unpacker.feed(chunk)
            except Exception:
                raise ValueError("a record that is too large") from None
            while True:
                try:
                    value = unpacker.unpack()
                except msgpack.OutOfData:
                    break
                except Exception:  # msgpack's own, of several kinds
                    raise ValueError("a record that is none") from None
                if read:
                    yield read_entry(value)
                read = unpacker.tell()
        if read != file.tell():
            raise ValueError("its last record is cut off")


def _unpacker() -> msgpack.Unpacker:
    return msgpack.Unpacker(
        max_buffer_size=2 * RECORD_MAX,
        max_bin_len=RECORD_MAX,
        max_str_len=4096,
        max_array_len=8,
        max_map_len=16,
        max_ext_len=0,
        use_list=True,
    )
