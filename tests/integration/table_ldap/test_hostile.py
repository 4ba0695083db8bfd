"""table-ldap in front of servers that answer what they were not asked: nobody is let in by it."""

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeAlias

import pytest

from integration.support.ldap_directory import OURS, put, settings, starter, worker
from lab.support import ALONE

pytestmark = ALONE
PORT = 3390
DN = b"uid=alice,dc=x"
BIND, SEARCH = 0x60, 0x63
BOUND, ENTRY, DONE, REFERENCE, EXTENDED = 0x61, 0x64, 0x65, 0x73, 0x78
EVENT: TypeAlias = Callable[[int], bytes]
"""Makes the bytes of a reply to the message of a number."""


def ber(tag: int, *parts: bytes) -> bytes:
    """Return an element (X.690), with its length in five bytes."""
    data = b"".join(parts)
    return bytes([tag, 0x84]) + len(data).to_bytes(4, "big") + data


def message(number: int, *parts: bytes) -> bytes:
    return ber(0x30, ber(0x02, number.to_bytes(4, "big")), *parts)


def result(tag: int, code: int = 0, *more: bytes) -> bytes:
    return ber(tag, ber(0x0A, bytes([code])), ber(0x04), ber(0x04, b"a text"), *more)


def entry(dn: bytes) -> bytes:
    return ber(ENTRY, ber(0x04, dn), ber(0x30))


def says(*parts: bytes) -> EVENT:
    return lambda number: b"".join(message(number, part) for part in parts)


class Server:
    """Lets the table in; answers searches, and binds of others, as it is told to."""

    def __init__(self, found: EVENT, bound: EVENT) -> None:
        self.found, self.bound = found, bound

    def answer(self, request: bytes) -> bytes:
        """Return the bytes for a request, which is small."""
        number = int.from_bytes(request[4 : 4 + request[3]], "big")
        operation = request[4 + request[3] :]
        if operation[0] == SEARCH:
            return self.found(number)
        if operation[0] != BIND:
            return b""
        if b"cn=admin" in operation:
            return message(number, result(BOUND))
        return self.bound(number)


@contextmanager
def listening(server: Server) -> Iterator[None]:
    with socket.create_server(("127.0.0.1", PORT)) as listener:

        def talk(end: socket.socket) -> None:
            with end, suppress(OSError):
                while request := end.recv(65536):
                    end.sendall(server.answer(request))

        def accept() -> None:
            with suppress(OSError):
                while True:
                    end, _ = listener.accept()
                    threading.Thread(target=talk, args=(end,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        try:
            yield
        finally:
            listener.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def conf(ldap_view: Path) -> str:
    search = "auth_filter (uid=%s)\ntimeout 0.5\n"
    return put(ldap_view, "hostile", settings("dc=x", search, f"ldap://127.0.0.1:{PORT}"))


ONE = says(entry(DN), result(DONE))
RIGHT = says(result(BOUND))
LINK = ber(0x04, b"ldap://127.0.0.1/")
KIND = "error|ldap://127.0.0.1:3390: the reply is to another kind of request"
LATE = "error|ldap://127.0.0.1:3390: no answer in time"
SERVERS: dict[str, tuple[EVENT, EVENT, str]] = {
    "right": (ONE, RIGHT, "found"),
    "a right bind behind what nobody asked for": (ONE, says(ber(0x79), result(BOUND)), "found"),
    "bind: the end of a search": (ONE, says(result(DONE)), KIND),
    "bind: entry and end of a search": (ONE, says(entry(DN), result(DONE)), KIND),
    "bind: an extended operation": (ONE, says(result(EXTENDED)), KIND),
    "bind: a comparison": (ONE, says(result(0x6F)), KIND),
    "bind: an entry alone": (ONE, says(entry(DN)), LATE),
    "bind: a reference": (ONE, says(ber(REFERENCE, LINK)), LATE),
    "bind: nothing in it": (ONE, says(ber(BOUND)), "error|"),
    "bind: half of it": (ONE, says(ber(BOUND, ber(0x0A, b"\0"))), "error|"),
    "bind: referral": (ONE, says(result(BOUND, 10, ber(0xA3, LINK))), "error|"),
    "bind: in progress": (ONE, says(result(BOUND, 14)), "error|"),
    "bind: true": (ONE, says(result(BOUND, 6)), "error|"),
    "bind: wrong": (ONE, says(result(BOUND, 49)), "not-found"),
    "bind: one before": (ONE, lambda number: message(number - 1, result(BOUND)), LATE),
    "bind: one behind": (ONE, lambda number: message(number + 1, result(BOUND)), LATE),
    "bind: of no number": (ONE, lambda number: message(0, result(BOUND)), LATE),
    "search: nobody": (says(result(DONE)), RIGHT, "not-found"),
    "search: no name": (says(entry(b""), result(DONE)), RIGHT, "not-found"),
    "search: no UTF-8": (says(entry(b"uid=\xff,dc=x"), result(DONE)), RIGHT, "error|"),
    "search: two": (says(entry(DN), entry(DN), result(DONE)), RIGHT, "error|"),
    "search: one, and a limit": (says(entry(DN), result(DONE, 4)), RIGHT, "error|"),
    "search: elsewhere": (says(ber(REFERENCE, LINK), result(DONE)), RIGHT, "not-found"),
    "search: the end of a bind": (says(entry(DN), result(BOUND)), RIGHT, "error|"),
    "search: an extended operation": (says(result(EXTENDED)), RIGHT, "error|"),
}
"""How a search and a bind are answered, and what the table makes of that."""


@pytest.mark.parametrize("name", SERVERS)
def test_who_is_let_in(ldap_view: Path, conf: str, name: str) -> None:
    found, bound, expected = SERVERS[name]
    server = Server(found, bound)
    with listening(server), starter(ldap_view, OURS, conf)() as table:
        answer = table.check("auth", b"alice:Secret")
        assert answer.decode().startswith(expected), answer
        assert "Secret" not in table.log
        assert table.process.poll() is None


class Reversing(Server):
    """Answers the searches that come in one go, the last one first."""

    def __init__(self, *networks: bytes) -> None:
        super().__init__(ONE, RIGHT)
        self._networks = networks
        self._came = b""

    def answer(self, request: bytes) -> bytes:
        """Return the bytes for all requests that have come whole."""
        self._came += request
        replies = []
        while len(self._came) > 1 and len(self._came) >= (end := 2 + self._came[1]):
            one, self._came = self._came[:end], self._came[end:]
            number, operation = one[2 : 4 + one[3]], one[4 + one[3] :]
            reply = ber(0x30, number, result(BOUND))
            if operation[0] == SEARCH:
                found = any(network in operation for network in self._networks)
                parts = [ber(0x30, number, entry(DN))] if found else []
                reply = b"".join([*parts, ber(0x30, number, result(DONE))])
            replies.append(reply)
        return b"".join(reversed(replies))


def test_searches_are_answered_in_any_order(ldap_view: Path) -> None:
    """So OpenLDAP does with several processors: of 33 networks, one is there."""
    search = "netaddr_filter (ip=%s)\nnetaddr_attributes ip\n"
    path = put(ldap_view, "order", settings("dc=x", search, f"ldap://127.0.0.1:{PORT}"))
    with listening(Reversing(b"192.0.2.0/24")), starter(ldap_view, OURS, path)() as table:
        assert table.check("netaddr", b"192.0.2.7") == b"found"
        assert table.check("netaddr", b"192.0.3.7") == b"not-found"
        assert table.log == ""


def test_a_bind_that_is_answered_late_is_nobodys(ldap_view: Path, conf: str) -> None:
    """Alice's is right, and its answer comes when the next one is asked for."""
    server = Server(ONE, RIGHT)

    def late(number: int) -> bytes:
        time.sleep(0.6)
        server.bound = says(result(BOUND, 49))
        return message(number, result(BOUND))

    with listening(server), starter(ldap_view, OURS, conf)() as table:
        assert table.check("auth", b"alice:Secret") == b"found"
        server.bound = late
        assert table.check("auth", b"alice:Secret").decode() == LATE
        while (answer := table.check("auth", b"bob:Other")).startswith(b"error|"):
            time.sleep(0.05)
        assert answer == b"not-found"


def test_a_server_that_hangs_up_at_a_password(ldap_view: Path, conf: str) -> None:
    """It is asked once, and is not away for others."""
    asked = []

    def hang_up(number: int) -> bytes:
        asked.append(number)
        raise OSError

    server = Server(ONE, hang_up)
    with listening(server), starter(ldap_view, OURS, conf)() as table:
        assert table.check("auth", b"alice:Secret").startswith(b"error|")
        assert len(asked) == 1
        server.bound = RIGHT
        assert table.check("auth", b"alice:Secret") == b"found"
        assert "server-away" not in table.log


@pytest.mark.parametrize(("code", "answer"), [(0, b"found"), (49, b"not-found")])
def test_a_worker_that_dies_in_a_bind(ldap_view: Path, conf: str, code: int, answer: bytes) -> None:
    """The next one is asked the same, and its answer is not that of the one before."""
    server = Server(ONE, RIGHT)
    with listening(server), starter(ldap_view, OURS, conf)() as table:
        dying = worker(table)

        def kill(number: int) -> bytes:
            os.kill(dying, signal.SIGKILL)
            server.bound = says(result(BOUND, code))
            return message(number, result(BOUND, 49 - code))

        server.bound = kill
        assert table.check("auth", b"alice:Secret") == answer
        server.bound = says(result(BOUND, 49))
        assert table.check("auth", b"bob:Other") == b"not-found"
