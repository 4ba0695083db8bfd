"""Cells of the binary protocol, as text: the text that libmariadb gives for a string (3.4.x).

Source: the functions ``ps_fetch_*`` of ``ma_stmt_codec.c`` and ``ma_gcvt`` of ``ma_dtoa.c`` there.
"""

import struct
from collections.abc import Callable
from math import isfinite
from typing import NamedTuple, TypeAlias

from opensmtpd.backends.mysql.wire import number, string
from opensmtpd.errors import ServerLost

CellReader: TypeAlias = Callable[[bytes, int], tuple[bytes, int]]
"""Takes a row, and where a cell begins; returns its text, and where it ends. Raises ServerLost."""

_UNSIGNED, _ZEROFILL = 32, 64
"""Flags of columns."""
_NOT_FIXED = 31
"""Decimals of a column that has no fixed number of them."""
_WIDTH_MAX = 255
"""Digits that a column can be filled up to with zeros."""
_FLOAT_DIGITS, _PLAIN_MAX = 6, 15
"""Digits of a float; digits before the point that a number without exponent has."""


class CellColumn(NamedTuple):
    """A column, as the server describes it."""

    type: int
    flags: int
    width: int
    decimals: int


def column(packet: bytes) -> CellColumn:
    """Read a packet that describes a column. Raises ServerLost."""
    at = 0
    for _ in range(6):  # catalog, schema, table and its true name, name and true name
        _, at = string(packet, at)
    try:
        fixed, at = number(packet, at)
        _, width, type, flags, decimals = struct.unpack_from("<HIBHB", packet, at)
    except struct.error:
        raise ServerLost("a column without a type") from None
    if fixed < 10:
        raise ServerLost("a column without a type")
    return CellColumn(type, flags, width, decimals)


def reader(column: CellColumn) -> CellReader:
    """Return what reads the cells of a column. Raises ServerLost for an unknown type."""
    if column.type in _STRINGS:
        return string
    if column.type in _WHOLE:
        return _whole(_WHOLE[column.type], column)
    if column.type in _REAL:
        return _real(_REAL[column.type], column)
    if column.type in (_DATE, *_DATETIMES):
        return _datetime(column)
    if column.type == _TIME:
        return _time(column)
    raise ServerLost(f"a column of type {column.type}")


_STRINGS = frozenset([0, 6, 14, 15, 16, *range(245, 256)])
"""DECIMAL, NULL, NEWDATE, VARCHAR, BIT; JSON, NEWDECIMAL, ENUM, SET, blobs, strings, GEOMETRY."""
_WHOLE = {1: "b", 2: "h", 3: "i", 8: "q", 9: "i", 13: "h"}
"""TINY, SHORT, LONG, LONGLONG, INT24, YEAR."""
_REAL = {4: "f", 5: "d"}
_DATE, _TIME, _DATETIMES = 10, 11, (7, 12)


def _fixed(layout: str) -> Callable[[bytes, int], tuple[int | float, int]]:
    take = struct.Struct(f"<{layout}")

    def read(row: bytes, at: int) -> tuple[int | float, int]:
        try:
            return take.unpack_from(row, at)[0], at + take.size
        except struct.error:
            raise ServerLost("a row that is too short") from None

    return read


def _filled(column: CellColumn) -> int:
    """Return the digits of numbers that begin with zeros, else 0. Raises ServerLost."""
    if not column.flags & _ZEROFILL:
        return 0
    if column.width > _WIDTH_MAX:
        raise ServerLost(f"a number of {column.width} digits")
    return column.width


def _whole(layout: str, column: CellColumn) -> CellReader:
    take = _fixed(layout.upper() if column.flags & _UNSIGNED else layout)
    width = _filled(column)

    def read(row: bytes, at: int) -> tuple[bytes, int]:
        cell, end = take(row, at)
        return b"%d" % cell if not width else str(cell).rjust(width, "0").encode(), end

    return read


def _real(layout: str, column: CellColumn) -> CellReader:
    take = _fixed(layout)
    width = _filled(column)

    def read(row: bytes, at: int) -> tuple[bytes, int]:
        cell, end = take(row, at)
        if column.decimals < _NOT_FIXED:
            text = f"{cell:.{column.decimals}f}"
        else:
            text = shortest(cell, f"{cell:.{_FLOAT_DIGITS - 1}e}" if layout == "f" else None)
        return text.rjust(width, "0").encode(), end

    return read


def shortest(cell: float, scientific: str | None = None) -> str:
    """Return a number as ``ma_gcvt``: all digits that it needs, an exponent where it is short.

    ``scientific`` is the number in that form, by default with as many digits as it needs.
    """
    if not isfinite(cell):
        return "0"
    if scientific is None:
        scientific = _exact(cell)
    mantissa, _, exponent = scientific.partition("e")
    sign = "-" if mantissa.startswith("-") else ""
    digits = mantissa.lstrip("-").replace(".", "").rstrip("0") or "0"
    point = int(exponent) + 1
    if not (point > -_PLAIN_MAX and (point <= _PLAIN_MAX or len(digits) > point)):
        fraction = f".{digits[1:]}" if digits[1:] else ""
        return f"{sign}{digits[0]}{fraction}e{point - 1}"
    if point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    whole = digits[:point].ljust(point, "0")
    return sign + whole + (f".{digits[point:]}" if digits[point:] else "")


def _exact(cell: float) -> str:
    """Return a number with an exponent, and the fewest digits that tell it from all others."""
    for digits in range(16):
        text = f"{cell:.{digits}e}"
        if float(text) == cell:
            return text
    return f"{cell:.16e}"


def _parts(row: bytes, at: int, longest: int) -> tuple[bytes, int]:
    """Return the bytes of a time, filled up with zeros, and where they end."""
    raw, end = string(row, at)
    if len(raw) > longest:
        raise ServerLost("a time that is too long")
    return raw.ljust(longest, b"\0"), end


def _fraction(column: CellColumn, micros: int) -> str:
    if 0 < column.decimals <= 6:
        return f".{micros:06}"[: column.decimals + 1]
    return ""


def _datetime(column: CellColumn) -> CellReader:
    def read(row: bytes, at: int) -> tuple[bytes, int]:
        raw, end = _parts(row, at, 11)
        year, month, day, hour, minute, second, micros = struct.unpack("<HBBBBBI", raw)
        text = f"{year:04}-{month:02}-{day:02}"
        if column.type != _DATE:
            text += f" {hour:02}:{minute:02}:{second:02}{_fraction(column, micros)}"
        return text.encode(), end

    return read


def _time(column: CellColumn) -> CellReader:
    def read(row: bytes, at: int) -> tuple[bytes, int]:
        raw, end = _parts(row, at, 12)
        negative, days, hour, minute, second, micros = struct.unpack("<BIBBBI", raw)
        sign = "-" if negative else ""
        text = f"{sign}{days * 24 + hour:02}:{minute:02}:{second:02}{_fraction(column, micros)}"
        return text.encode(), end

    return read
