"""The format of a capture: a header and records in msgpack, one behind the other.

The header is a map. Each record is an array that begins with the time, in seconds since the epoch:

- ``[time, 0 or 1, lines]``: whole lines, their line feeds included, that smtpd (0) or the plugin
  (1) wrote;
- ``[time, 0 or 1, line, true]``: one line, in which ``***`` stands for what was taken out;
- ``[time, 2, bytes]``: so many bytes were not recorded;
- ``[time, 3, status]``: the plugin ended, with this exit status; negative for a signal.
"""

from collections.abc import Callable
from enum import IntEnum, StrEnum
from typing import Any, NamedTuple, TypeAlias, TypeGuard

MARK = "opensmtpd-capture"
"""The key of the header by which a capture is known; its value is FORMAT."""
FORMAT = 1
HIDDEN = b"***"
"""Stands where something was taken out."""
LINE_MAX = 1 << 20
"""Bytes of one line, at most; smtpd's have less than 70,000."""
RECORD_MAX = 1 << 22
"""Bytes of the lines in one record, at most."""


class CaptureKind(StrEnum):
    """The program that was recorded."""

    FILTER = "filter"
    TABLE = "table"


class Speaker(IntEnum):
    """The side that wrote something."""

    SMTPD = 0
    PLUGIN = 1


_LOSS, _END = 2, 3
_TIME_MAX = 1e10


class CaptureHeader(NamedTuple):
    """The beginning of each file. ``part`` counts the files of one run of the program, from 1.

    ``program`` is a name without arguments: they may hold a password. So many records behind the
    header are the ``handshake``, which each file repeats.
    """

    kind: CaptureKind
    program: str
    begun: float
    part: int = 1
    handshake: int = 0


class CapturedLines(NamedTuple):
    """Lines that one side wrote, each with its line feed. ``hidden``: it is one line with a gap."""

    time: float
    speaker: Speaker
    data: bytes
    hidden: bool = False


class CaptureLoss(NamedTuple):
    """A gap: a disk was full, or too slow."""

    time: float
    size: int


class CaptureEnd(NamedTuple):
    """The end of the program."""

    time: float
    status: int


CaptureEntry: TypeAlias = CapturedLines | CaptureLoss | CaptureEnd


def header_value(header: CaptureHeader) -> dict[str, object]:
    """Return what stands for a header in msgpack."""
    return {MARK: FORMAT, **header._asdict(), "kind": str(header.kind)}


def read_header(value: object) -> CaptureHeader:
    """Return the header of a value. Raises ValueError for one that is none."""
    if not isinstance(value, dict) or MARK not in value:
        raise ValueError("it is no capture")
    if value[MARK] != FORMAT:
        raise ValueError("it is a capture of a format that is not known here")
    kind, program = value.get("kind"), value.get("program")
    begun, part, handshake = value.get("begun"), value.get("part"), value.get("handshake")
    if kind not in tuple(CaptureKind) or not isinstance(program, str):
        raise ValueError("its header is damaged")
    if not _is_time(begun) or type(part) is not int or type(handshake) is not int:
        raise ValueError("its header is damaged")
    if part < 1:
        raise ValueError("its header is damaged")
    return CaptureHeader(CaptureKind(kind), program, begun, part, max(handshake, 0))


def entry_value(entry: CaptureEntry) -> list[object]:
    """Return what stands for an entry in msgpack."""
    match entry:
        case CapturedLines(time, speaker, data, hidden):
            return [time, int(speaker), data, True] if hidden else [time, int(speaker), data]
        case CaptureLoss(time, size):
            return [time, _LOSS, size]
        case CaptureEnd(time, status):
            return [time, _END, status]


def read_entry(value: object) -> CaptureEntry:
    """Return the entry of a value. Raises ValueError for one that is none."""
    if not isinstance(value, list) or not 3 <= len(value) <= 4 or not _is_time(value[0]):
        raise ValueError("a record that is none")
    time, kind, *rest = value
    read = _ENTRIES.get(kind) if type(kind) is int else None
    if read is None:
        raise ValueError("a record of an unknown kind")
    return read(time, kind, rest)


def _is_time(value: object) -> TypeGuard[float]:
    """Return whether a value is a time that is between 1970 and 2286, and so no infinity."""
    return type(value) is float and 0 <= value < _TIME_MAX


def _lines(time: float, kind: int, rest: list[Any]) -> CaptureEntry:
    if not isinstance(rest[0], bytes) or rest[0][-1:] != b"\n" or rest[1:] not in ([], [True]):
        raise ValueError("a record without whole lines")
    return CapturedLines(time, Speaker(kind), rest[0], len(rest) == 2)


def _loss(time: float, _kind: int, rest: list[Any]) -> CaptureEntry:
    return CaptureLoss(time, _number(rest))


def _end(time: float, _kind: int, rest: list[Any]) -> CaptureEntry:
    return CaptureEnd(time, _number(rest))


def _number(rest: list[Any]) -> int:
    if type(rest[0]) is not int or len(rest) != 1:
        raise ValueError("a record without its number")
    return rest[0]


_ENTRIES: dict[int, Callable[[float, int, list[Any]], CaptureEntry]] = {
    Speaker.SMTPD: _lines,
    Speaker.PLUGIN: _lines,
    _LOSS: _loss,
    _END: _end,
}
