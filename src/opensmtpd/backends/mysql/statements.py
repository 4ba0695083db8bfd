"""Statements that the server prepares: what is asked, and the rows that it answers.

The key goes to the server beside the statement, not within it: no key can change what is asked.
"""

import struct
from typing import NamedTuple

from opensmtpd.backends.mysql.cells import CellReader, column, reader
from opensmtpd.backends.mysql.wire import EXECUTE, FORGET, PREPARE, Wire, encoded, is_end, number
from opensmtpd.errors import ServerLost, ServerRefused
from opensmtpd.table import to_str

ANSWER_MAX = 1 << 20
"""Bytes of all rows for a key, of which smtpd takes 2,047."""
LIST_MAX = 64 << 20
"""Bytes of all rows of a list."""
COLUMNS_MAX = 4096
"""Columns that the server can give."""
DESCRIBED_MAX = 4 << 20
"""Bytes of their descriptions."""
ROW = 64
"""Bytes that a row costs besides its own."""
_STRING = b"\xfe\0"
"""The type of a parameter: a string, as the program in C binds it."""
_MORE = 8
"""Flag of the status: another result follows."""


class KnownStatement(NamedTuple):
    """A statement that the server knows by a number."""

    number: bytes
    parameters: int
    columns: int


def prepare(wire: Wire, sql: bytes) -> KnownStatement:
    """Have the server prepare a statement. Raises ServerLost, ServerLate, ServerRefused."""
    wire.command(PREPARE + sql)
    answer = wire.packet()
    try:
        ok, id, columns, parameters = struct.unpack_from("<B4sHH", answer)
    except struct.error:
        raise ServerLost("a short answer to a statement") from None
    if ok:
        raise ServerLost("no answer to a statement")
    for count in (parameters, columns):
        for _ in range(count):
            wire.packet()
        if count:
            wire.end()
    return KnownStatement(id, parameters, columns)


def forget(wire: Wire, prepared: KnownStatement) -> None:
    """Have the server forget a statement: it keeps so many, for all its clients together.

    Raises ServerLost, ServerLate.
    """
    wire.command(FORGET + prepared.number)


class AskedStatement:
    """A prepared statement, which is asked again and again."""

    def __init__(self, wire: Wire, prepared: KnownStatement, most: int) -> None:
        """``most`` is the limit of an answer, in bytes."""
        self.prepared = prepared
        self._wire, self._most = wire, most
        count = prepared.parameters
        self._head = EXECUTE + prepared.number + b"\0\1\0\0\0"  # no cursor, one row of parameters
        if count:
            self._head += bytes((count + 7) // 8) + b"\1" + _STRING * count  # none is NULL
        self._described: list[bytes] = []
        self._readers: list[CellReader] = []

    def rows(self, key: bytes = b"") -> list[list[str | None]]:
        """Return the rows for a key, which stands for each parameter.

        Raises ServerLost, ServerLate, ServerRefused.
        """
        self._wire.command(self._head + encoded(key) * self.prepared.parameters)
        first = self._wire.packet()
        count, _ = number(first, 0)
        if not count:
            raise ServerRefused("the statement gives no rows")
        if count > COLUMNS_MAX:
            raise ServerLost(f"{count} columns")
        self._describe(count)
        self._wire.end()
        return self._read()

    def _describe(self, count: int) -> None:
        columns, size = [], 0
        for _ in range(count):
            columns.append(self._wire.packet())
            size += len(columns[-1])
            if size > DESCRIBED_MAX:
                raise ServerLost("columns without an end")
        if columns != self._described:  # most often they are what they were
            self._readers = [reader(column(each)) for each in columns]
            self._described = columns

    def _read(self) -> list[list[str | None]]:
        rows, size = [], 0
        while not is_end(packet := self._wire.packet()):
            size += len(packet) + ROW
            if size > self._most:
                raise self._wire.give_up(f"more than {self._most} bytes of rows")
            rows.append(self._row(packet))
        if len(packet) >= 5 and packet[3] & _MORE:
            raise self._wire.give_up("a second result")
        return rows

    def _row(self, packet: bytes) -> list[str | None]:
        at = 1 + (len(self._readers) + 9) // 8  # the marks of NULL begin with two that mean nothing
        marks = int.from_bytes(packet[1:at], "little") >> 2
        cells: list[str | None] = []
        if packet[0]:
            raise ServerLost("no row among the rows")
        for read in self._readers:
            if marks & 1:
                cells.append(None)
            else:
                cell, at = read(packet, at)
                cells.append(to_str(cell))
            marks >>= 1
        if at != len(packet):
            raise ServerLost("a row with a wrong length")
        return cells
