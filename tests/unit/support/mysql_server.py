"""A server that speaks MySQL's protocol, and says what a test has it say."""

import socket
import struct
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple, TypeAlias

from unit.support.scripted_server import Talk

Cells: TypeAlias = Sequence[bytes | None]
Rows: TypeAlias = Sequence[Cells]

_LOW, _HIGH = 0xA20F, 0x0008
"""LONG_PASSWORD FOUND_ROWS LONG_FLAG CONNECT_WITH_DB, PROTOCOL_41 TRANSACTIONS SECURE_CONNECTION;
PLUGIN_AUTH."""
SSL = 0x0800
VAR_STRING, STRING = 253, 254


def packet(number: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "little") + bytes([number & 0xFF]) + payload


def packets(*payloads: bytes, first: int = 1) -> bytes:
    """Return packets that are numbered in turn."""
    return b"".join(packet(first + at, each) for at, each in enumerate(payloads))


def lenenc(text: bytes) -> bytes:
    if len(text) < 251:
        return bytes([len(text)]) + text
    return b"\xfc" + struct.pack("<H", len(text)) + text


def greeting(
    version: bytes = b"5.5.5-11.8.9-MariaDB",
    plugin: bytes = b"mysql_native_password",
    tls: bool = False,
) -> bytes:
    low = _LOW | (SSL if tls else 0)
    head = b"\x0a" + version + b"\0" + struct.pack("<I", 7) + b"saltsalt\0"
    rest = struct.pack("<HBHHB10x", low, 45, 2, _HIGH, 21)
    return packet(0, head + rest + b"morescramble\0" + plugin + b"\0")


OK = b"\0\0\0\2\0\0\0"
END = b"\xfe\0\0\2\0"


def error(code: int, text: bytes, state: bytes = b"42000") -> bytes:
    return b"\xff" + struct.pack("<H", code) + b"#" + state + text


def column(type: int = VAR_STRING, flags: int = 0, width: int = 100, decimals: int = 0) -> bytes:
    names = b"".join(map(lenenc, (b"def", b"mail", b"a", b"a", b"value", b"value")))
    return names + b"\x0c" + struct.pack("<HIBHBxx", 45, width, type, flags, decimals)


def row(*cells: bytes | None) -> bytes:
    """Return a row of strings; None is NULL."""
    marks = sum(1 << at + 2 for at, cell in enumerate(cells) if cell is None)
    nulls = marks.to_bytes((len(cells) + 9) // 8, "little")
    return b"\0" + nulls + b"".join(lenenc(cell) for cell in cells if cell is not None)


def result(rows: Rows, columns: int = 1) -> bytes:
    """Return all packets that answer a statement."""
    heads = [column()] * columns
    return packets(bytes([columns]), *heads, END, *(row(*cells) for cells in rows), END)


def prepared(parameters: int = 1, columns: int = 1, id: int = 1) -> bytes:
    """Return all packets that say that a statement is prepared."""
    head = b"\0" + struct.pack("<IHHxH", id, columns, parameters, 0)
    lists: list[bytes] = []
    for count in (parameters, columns):
        lists += [column()] * count + [END] * bool(count)
    return packets(head, *lists)


class Answer(NamedTuple):
    """A statement that the server knows."""

    give: Callable[[bytes], bytes]
    """Takes a key, and returns all bytes of the answer."""
    parameters: int = 1
    columns: int = 1


Statements: TypeAlias = Mapping[bytes, Answer | bytes]
"""By their SQL: answers to a key, or what is said in the place of preparing it."""


def receive(end: socket.socket) -> bytes:
    """Return the next packet without its head, b"" at the end."""
    head = _exactly(end, 4)
    return _exactly(end, int.from_bytes(head[:3], "little")) if head else b""


def _exactly(end: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = end.recv(size - len(data))
        if not more:
            return b""
        data += more
    return data


def log_in(end: socket.socket, greet: bytes | None = None) -> bytes:
    """Greet, and let anybody in; returns what the client said of itself."""
    end.sendall(greet or greeting())
    said = receive(end)
    end.sendall(packet(2, OK))
    return said


def serves(
    statements: Statements,
    settings: list[bytes] | None = None,
    greet: bytes | None = None,
    refuse: bytes = b"",
) -> Talk:
    """Return a talk that serves statements; ``settings`` gets the SQL of all others.

    Those that have ``refuse`` in them are answered with an error.
    """

    def talk(end: socket.socket) -> None:
        log_in(end, greet)
        known: dict[int, Answer] = {}
        with suppress(OSError):
            while command := receive(end):
                if command[0] == 1:
                    return
                end.sendall(_answer(command, statements, known, settings, refuse))

    return talk


def _answer(
    command: bytes,
    statements: Statements,
    known: dict[int, Answer],
    settings: list[bytes] | None,
    refuse: bytes,
) -> bytes:
    kind, rest = command[0], command[1:]
    if kind == 3:
        if settings is not None:
            settings.append(rest)
        refused = refuse and refuse in rest
        return packet(1, error(1193, b"Unknown system variable", b"HY000") if refused else OK)
    if kind == 0x16:
        answer = statements.get(rest, packet(1, error(1064, b"You have an error in your SQL")))
        if isinstance(answer, bytes):
            return answer
        id = max(known, default=0) + 1
        known[id] = answer
        return prepared(answer.parameters, answer.columns, id)
    if kind == 0x17:
        asked = known[int.from_bytes(rest[:4], "little")]
        return asked.give(key_of(rest, asked.parameters))
    if kind == 0x19:
        del known[int.from_bytes(rest, "little")]
        return b""
    return packet(1, error(1047, b"Unknown command", b"08S01"))


def key_of(execute: bytes, parameters: int) -> bytes:
    """Return the first key of the command that asks a statement."""
    if not parameters:
        return b""
    at = 9 + (parameters + 7) // 8 + 1 + 2 * parameters
    length = execute[at]
    if length == 0xFC:
        return execute[at + 3 : at + 3 + int.from_bytes(execute[at + 1 : at + 3], "little")]
    return execute[at + 1 : at + 1 + length]


class Overheard(socket.socket):
    """The end of a server whose commands are noted."""

    def __init__(self, end: socket.socket, heard: list[bytes]) -> None:
        super().__init__(fileno=end.detach())
        self.settimeout(10)
        self._heard = heard

    def recv(self, size: int, flags: int = 0) -> bytes:
        data = super().recv(size, flags)
        self._heard.append(data)
        return data


class UntilAnswered(socket.socket):
    """The end of a server that closes after it has answered one command of a kind."""

    def __init__(self, end: socket.socket, kind: bytes) -> None:
        super().__init__(fileno=end.detach())
        self.settimeout(10)
        self._kind, self._seen = kind, False

    def recv(self, size: int, flags: int = 0) -> bytes:
        if self._seen and size == 4:
            self.close()
            return b""
        data = super().recv(size, flags)
        self._seen |= size > 4 and data.startswith(self._kind)
        return data


class CutOff(socket.socket):
    """The end of a server that closes once it has said so many bytes."""

    def __init__(self, end: socket.socket, left: int, said: Callable[[int], object]) -> None:
        super().__init__(fileno=end.detach())
        self.settimeout(10)
        self._left, self._sum, self._said = left, 0, said

    def sendall(self, data: bytes, flags: int = 0) -> None:  # type: ignore[override]  # bytes alone
        super().sendall(data[: self._left], flags)
        self._left -= len(data)
        self._sum += len(data)
        self._said(self._sum)
        if self._left <= 0:
            self.close()
            raise OSError("closed")
