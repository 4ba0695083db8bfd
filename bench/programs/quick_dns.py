"""A name server for measurements: it knows little and answers fast, each time after a while.

Addresses in 10.1.0.0/16 have no names, all others have one that leads back; no list has anybody.
"""

import socket
import struct
import sys
import time
from collections import deque
from contextlib import suppress

A, PTR = 1, 12
RECORD = struct.Struct("!HHHIH")
ROOM = 32 << 20
"""Of the socket's buffers, for thousands of questions at once."""


def name_of(wire: bytes) -> list[bytes]:
    """Return the labels of a name in wire form."""
    labels = []
    while wire and wire[0]:
        labels.append(wire[1 : 1 + wire[0]].lower())
        wire = wire[1 + wire[0] :]
    return labels


def data(labels: list[bytes], kind: int) -> bytes | None:
    """Return the data of the one record that there is, None for none."""
    if kind == PTR and labels[-2:] == [b"in-addr", b"arpa"]:
        address = labels[3::-1]
        if address[:2] == [b"10", b"1"]:
            return None
        host = b"h-" + b"-".join(address)
        return b"%c%s\7example\3net\0" % (len(host), host)
    if kind == A and labels[-2:] == [b"example", b"net"] and labels[0].startswith(b"h-"):
        return bytes(map(int, labels[0][2:].split(b"-")))
    return None


def answer(query: bytes) -> bytes:
    """Return the answer to a question."""
    end = query.index(b"\0", 12)
    kind = int.from_bytes(query[end + 1 : end + 3], "big")
    found = data(name_of(query[12 : end + 1]), kind)
    head = query[:2] + (b"\x85\x80" if found else b"\x85\x83") + b"\0\1\0%c" % bool(found)
    asked = head + bytes(4) + query[12 : end + 5]
    if found is None:
        return asked
    return asked + RECORD.pack(0xC00C, kind, 1, 3600, len(found)) + found


def serve(address: str, port: int, delay: float) -> None:
    """Answer until the end of the process."""
    end = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for option in (32, 33):  # SO_SNDBUFFORCE, SO_RCVBUFFORCE: root may have more than others
        with suppress(OSError):
            end.setsockopt(socket.SOL_SOCKET, option, ROOM)
    end.bind((address, port))
    print("ready", flush=True)
    waiting: deque[tuple[float, bytes, tuple[str, int]]] = deque()
    while True:
        end.settimeout(max(0.0001, waiting[0][0] - time.monotonic()) if waiting else None)
        with suppress(OSError):
            query, client = end.recvfrom(4096)
            waiting.append((time.monotonic() + delay, answer(query), client))
        while waiting and waiting[0][0] <= time.monotonic():
            _, reply, client = waiting.popleft()
            with suppress(OSError):
                end.sendto(reply, client)


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
