"""Milters that a test plays, for scenes about the lines of smtpd.conf, with frames of their own."""

import os
import shutil
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self, TypeAlias

import dkim

from lab.shows import inbound

EICAR = r"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
"""A file that every scanner takes for a virus: https://www.eicar.org."""
GREYLISTED = "4.7.1 Greylisting in action, please come back in 00:05:00"
INFECTED = "5.7.1 Message infected by Eicar-Signature"
UNPROVED = f"5.7.1 rejected by DMARC policy for {inbound.STRICT}"
_OFFER = struct.Struct("!III")
_SILENT = b"ADOQK"
"""The letters of commands that have no reply of the kind that others have."""


class Seen(NamedTuple):
    """What a milter has seen of a message, and of its client."""

    macros: dict[bytes, bytes]
    recipients: list[bytes]
    fields: list[tuple[bytes, bytes]]
    body: list[bytes]

    def values(self, name: bytes) -> list[bytes]:
        """Return the values of a field."""
        return [value for each, value in self.fields if each.lower() == name.lower()]

    @property
    def message(self) -> bytes:
        """The message with the line ends of SMTP."""
        header = b"".join(b"%s: %s\n" % field for field in self.fields)
        return header.replace(b"\n", b"\r\n") + b"\r\n" + b"".join(self.body)


Frames: TypeAlias = list[tuple[bytes, bytes]]
Judge: TypeAlias = Callable[[bytes, Seen], Frames]
"""Returns the reply to a command, a letter: frames before the last one; [] for CONTINUE."""


class MilterStandIn:
    """``with MilterStandIn(place, judge) as milter:``; ``milter.seen`` has a row for a message.

    ``place`` is the path of a socket with this mode and group, or a port.
    """

    def __init__(self, place: Path | int, judge: Judge, mode: int = 0o666, group: int = 0) -> None:
        self._judge, self._place = judge, place
        self.seen: list[Seen] = []
        self._open: list[socket.socket] = []
        if isinstance(place, int):
            self._server = socket.create_server(("127.0.0.1", place))
        else:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.unlink(missing_ok=True)
            self._server = socket.socket(socket.AF_UNIX)
            self._server.bind(str(place))
            place.chmod(mode)
            shutil.chown(place, group=group)
            self._server.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        """Be away: its connections end, too."""
        for each in (self._server, *self._open):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        if isinstance(self._place, Path):
            os.unlink(self._place)

    def _serve(self) -> None:
        with suppress(OSError):  # it is closed
            while True:
                connection, _ = self._server.accept()
                self._open.append(connection)
                threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        macros: dict[bytes, bytes] = {}
        seen = Seen(macros, [], [], [])
        with suppress(OSError):
            for letter, data in _frames(connection):
                if letter == b"M":
                    seen = Seen(macros, [], [], [])
                _take(seen, letter, data)
                if letter == b"O":
                    connection.sendall(_frame(b"O", _OFFER.pack(6, 0x1FF, 0)))
                elif letter not in _SILENT:
                    if letter == b"E":
                        self.seen.append(seen)
                    said = self._judge(letter, seen)
                    ends = not said or said[-1][0] in b"him"
                    frames = [*said, (b"c", b"")] if ends else said
                    connection.sendall(b"".join(_frame(*each) for each in frames))


def _frame(letter: bytes, data: bytes = b"") -> bytes:
    return struct.pack("!I", len(data) + 1) + letter + data


def _frames(connection: socket.socket) -> Iterator[tuple[bytes, bytes]]:
    with connection.makefile("rb") as stream:
        while head := stream.read(4):
            frame = stream.read(int.from_bytes(head))
            yield frame[:1], frame[1:]


def _take(seen: Seen, letter: bytes, data: bytes) -> None:
    if letter == b"D":
        names = data[1:].split(b"\0")
        seen.macros.update(zip(names[::2], names[1::2], strict=False))
    elif letter == b"R":
        seen.recipients.append(data.split(b"\0")[0].strip(b"<>"))
    elif letter == b"L":
        name, value, _ = data.split(b"\0")
        seen.fields.append((name, value))
    elif letter == b"B":
        seen.body.append(data)


def inserted(name: str, value: bytes) -> tuple[bytes, bytes]:
    """Return the frame that puts a field on top."""
    return b"i", bytes(4) + name.encode() + b"\0" + value + b"\0"


def refused(code: int, text: str) -> Frames:
    """Return the reply that refuses."""
    return [(b"y", f"{code} {text}".encode() + b"\0")]


# --- milters that there are -----------------------------------------------------------------------


def signer(key: Path) -> Judge:
    """Return OpenDKIM, which signs with a key for those who have authenticated, and this host."""

    def judge(letter: bytes, seen: Seen) -> Frames:
        ours = seen.macros.get(b"{client_addr}") == b"127.0.0.1"
        if letter != b"E" or not (ours or b"{auth_type}" in seen.macros):
            return []
        made: bytes = dkim.sign(seen.message, b"mail", b"example.com", key.read_bytes())
        name, _, value = made.partition(b": ")
        return [inserted(name.decode(), value.strip().replace(b"\r\n", b"\n"))]

    return judge


def verifier(letter: bytes, seen: Seen) -> Frames:
    """OpenDKIM, which finds no signature."""
    return [inserted("Authentication-Results", b"example.com; dkim=none")] if letter == b"E" else []


def policy(letter: bytes, seen: Seen) -> Frames:
    """OpenDMARC, where the domains of two authors ask for something."""
    if letter != b"E":
        return []
    assert seen.values(b"Authentication-Results") == [b"example.com; dkim=none"]
    (author,) = seen.values(b"From")
    if author.endswith(f"@{inbound.STRICT}".encode()):
        return refused(550, UNPROVED)
    result = inserted("Authentication-Results", b"example.com; dmarc=none")
    held = author.endswith(f"@{inbound.MILD}".encode())
    return [(b"q", b"no proof\0"), result] if held else [result]


def greylist() -> Judge:
    """Return milter-greylist, to which nobody is known yet."""
    known: set[bytes] = set()

    def judge(letter: bytes, seen: Seen) -> Frames:
        client = seen.macros[b"{client_addr}"]
        if letter != b"R" or client in known:
            return []
        known.add(client)
        return refused(451, GREYLISTED)

    return judge


def scanner(letter: bytes, seen: Seen) -> Frames:
    """clamav-milter, which knows one virus."""
    infected = letter == b"E" and EICAR.encode() in b"".join(seen.body)
    return refused(550, INFECTED) if infected else []


def spamassassin(letter: bytes, seen: Seen) -> Frames:
    """spamass-milter, which likes no mail."""
    return [inserted("X-Spam-Flag", b"YES")] if letter == b"E" else []
