"""A server that speaks PostgreSQL's protocol as a test has it, at a unix socket.

Source: https://www.postgresql.org/docs/current/protocol-message-formats.html.
"""

import socket
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from unit.support.scripted_server import Talk

Rows = Sequence[Sequence[bytes | None]]
READY = b"Z\0\0\0\5I"
WELCOME = b"R\0\0\0\x08\0\0\0\0" + READY
"""No password is asked for."""


def message(kind: bytes, body: bytes) -> bytes:
    """Return a message."""
    return kind + struct.pack("!I", len(body) + 4) + body


def refusal(state: bytes, text: bytes, severity: bytes = b"ERROR") -> bytes:
    """Return an error."""
    fields = (b"S" + severity, b"V" + severity, b"C" + state, b"M" + text)
    return message(b"E", b"\0".join(fields) + b"\0\0")


def described(columns: int) -> bytes:
    """Return the description of rows of text."""
    one = b"c\0" + struct.pack("!IHIhih", 0, 0, 25, -1, -1, 0)
    return message(b"T", struct.pack("!H", columns) + one * columns)


def row(cells: Sequence[bytes | None]) -> bytes:
    """Return a row."""
    body = struct.pack("!H", len(cells))
    for cell in cells:
        body += struct.pack("!i", -1) if cell is None else struct.pack("!I", len(cell)) + cell
    return message(b"D", body)


def rows_of(rows: Rows, columns: int = 1) -> bytes:
    """Return all that answers a prepared statement which has rows."""
    count = len(rows[0]) if rows else columns
    found = described(count) + b"".join(map(row, rows))
    return message(b"2", b"") + found + message(b"C", b"SELECT 1\0") + READY


def folder_conninfo(folder: Path) -> dict[str, str]:
    """Return the options to connect to the socket in a folder."""
    return {"host": str(folder), "user": "mail", "dbname": "mail"}


def place(folder: Path) -> Path:
    """Return the path of the socket in a folder."""
    return folder / ".s.PGSQL.5432"


def messages(end: socket.socket) -> Iterator[tuple[bytes, bytes]]:
    """Yield the messages of a client, behind the first one, which has no kind."""
    stream = end.makefile("rb")
    (length,) = struct.unpack("!I", stream.read(4))
    stream.read(length - 4)
    yield b"", b""
    while kind := stream.read(1):
        (length,) = struct.unpack("!I", stream.read(4))
        yield kind, stream.read(length - 4)


Answer = Callable[[str, str], Rows | bytes]
"""Returns the rows for a statement's name and a key, or the message of an error."""


def serves(
    answer: Answer,
    faults: Mapping[str, bytes] | None = None,
    parameters: Mapping[str, int] | None = None,
    columns: Mapping[str, int] | None = None,
    asked: list[str] | None = None,
) -> Talk:
    """Return a talk that prepares, describes and executes.

    ``faults`` are errors of preparing, by the name of the statement without the end that makes it
    unique; ``parameters`` and ``columns`` what a statement has, 1 by default; ``asked`` gets the
    SQL that is prepared.
    """

    def talk(end: socket.socket) -> None:
        name = key = ""
        failed = False
        for kind, body in messages(end):
            if kind in (b"S", b""):
                failed = False
                end.sendall(READY if kind else WELCOME)
            if failed or kind in (b"", b"S", b"H"):
                continue
            words = body.split(b"\0")
            if kind == b"P":
                name = _key(words[0])
                if asked is not None:
                    asked.append(words[1].decode())
                fault = (faults or {}).get(name)
                failed = fault is not None
                end.sendall(fault or message(b"1", b""))
            elif kind == b"D" and body[:1] == b"S":
                name = _key(words[0][1:])
                count = (parameters or {}).get(name, 1)
                types = struct.pack("!H", count) + struct.pack("!I", 25) * count
                end.sendall(message(b"t", types) + described((columns or {}).get(name, 1)))
            elif kind == b"B":
                name, key = _bound(body)
                end.sendall(message(b"2", b""))
            elif kind == b"E":
                found = answer(name, key)
                failed = isinstance(found, bytes)
                end.sendall(found if isinstance(found, bytes) else _executed(found))
            elif kind == b"X":
                return

    return talk


def _key(name: bytes) -> str:
    return name.decode().rpartition("_")[0]


def _executed(rows: Rows) -> bytes:
    count = len(rows[0]) if rows else 1
    return described(count) + b"".join(map(row, rows)) + message(b"C", b"SELECT 1\0")


def _bound(body: bytes) -> tuple[str, str]:
    """Return the statement's name and the first parameter of a Bind."""
    _, name, rest = body.split(b"\0", 2)
    formats, *_ = struct.unpack_from("!H", rest)
    at = 2 + 2 * formats
    count, *_ = struct.unpack_from("!H", rest, at)
    if not count:
        return _key(name), ""
    length, *_ = struct.unpack_from("!i", rest, at + 2)
    return _key(name), rest[at + 6 : at + 6 + max(0, length)].decode("utf-8", "surrogateescape")
