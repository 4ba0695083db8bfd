"""table-socketmap beside the program in C: one socket, the same answers but for mended faults."""

import random
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import pytest

from integration.support.hostile_keys import some_key
from integration.support.network_scenes import DIED, Ask, Start, answers, differences
from lab.peers.databases.socketmap import SocketmapServer
from lab.peers.table_client import TableClient, original, ours
from lab.support import ALONE

pytestmark = ALONE
SERVICES = (
    "alias", "domain", "credentials", "netaddr", "userinfo", "source", "mailaddr", "addrname",
    "mailaddrmap",
)  # fmt: skip
"""Those that the program in C registers."""
WORDS = (
    b"alice", b"bob", b"root", b"a", b"7", b"example.com", b"alice@example.com", b"+tag",
    b"bob+tag@example.com", b"192.0.2.1", b"[2001:db8::1]", b"10.0.0.0/8", b"*.example.com", b"@",
    b"|", b"||", b"a|b", b"'", b"' OR '1'='1", b'"', b"\\", b"%", b"%s", b"%n", b"*", b"\t", b" ",
    b"a b", b" a", b"a ", b"\r", b"OK a", b"NOTFOUND ", b"TEMP x", "ä".encode(), "🐟".encode(),
    b"\xff\xfe", b"\x01\x7f", b",", b"3:a b,",
)  # fmt: skip
VALUES = (
    b"alice", b"bob@example.com", b"alice, bob", b"|/bin/false", b'"quoted, one"@example.com', b"0",
    b"1000:1000:/home/alice", b"alice:$6$salt$hash", "日本 🐟".encode(), b"caf\xe9", b" padded ",
    b"x" * 1500, b"x" * 2047, b"x" * 2048, b"x" * 50_000, b"OK OK", b"TEMP the database is away",
    b"TIMEOUT ", b"PERM no such map", b"temp", b"\x01",
)  # fmt: skip


def both(server: SocketmapServer, place: Path, asked: list[Ask]) -> dict[Ask, tuple[bytes, bytes]]:
    """Return the requests that the two programs answer differently, theirs first."""
    return differences(
        lambda: TableClient(original(server.view, "table-socketmap"), place),
        lambda: TableClient(ours("table-socketmap"), place),
        asked,
    )


def test_thousands_of_requests(socketmap: SocketmapServer) -> None:
    dice = random.Random("socketmap")
    keys = {
        key: dice.choice(VALUES) for key in (*WORDS, *(some_key(dice, WORDS) for _ in range(300)))
    }
    # Of its rows the server splits lines at these, and ends keys at the tab.
    keys = {key: value for key, value in keys.items() if len((key + b".").splitlines()) == 1}
    keys = {key: value for key, value in keys.items() if b"\t" not in key and b"\r" not in key}
    socketmap.rows(keys.items())
    there = list(keys)
    asked: list[Ask] = []
    for _ in range(4500):
        key = dice.choice(there) if dice.random() < 0.6 else some_key(dice, WORDS)
        asked.append((b"lookup", dice.choice(SERVICES), key))
    asked += [(b"update", None, None), (b"fetch", "source", None), (b"lookup", "alias", b"alice")]
    unlike = both(socketmap, socketmap.socket, asked)
    # The program in C asks for mailaddrmap, too, and then says that it does not know it.
    assert {service for _, service, _ in unlike} == {"mailaddrmap"}
    assert {theirs for theirs, _ in unlike.values()} == {b"error"}
    found = [our for _, our in unlike.values()]
    assert all(our.startswith(b"found|") for our in found)
    assert len(found) > 50


def test_checks_are_answered(socketmap: SocketmapServer) -> None:
    """In C each is an error, so that no rule can match."""
    socketmap.rows([(b"example.com", b"yes"), (b"empty", b""), (b"bad", b"TEMP x")])
    asked: list[Ask] = [
        (b"check", "domain", key) for key in (b"example.com", b"empty", b"none", b"bad")
    ]
    assert both(socketmap, socketmap.socket, asked) == {
        (b"check", "domain", b"example.com"): (b"error", b"found"),
        (b"check", "domain", b"empty"): (b"error", b"found"),
        (b"check", "domain", b"none"): (b"error", b"not-found"),
    }


@contextmanager
def scripted(path: Path, *replies: bytes, close: bool = False) -> Iterator[None]:
    """Serve all who come, each with these bytes in turn, whatever is asked."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen(50)
        listening.settimeout(0.05)
        over = threading.Event()

        def one(end: socket.socket) -> None:
            with end, suppress(OSError):
                for reply in replies:
                    if not end.recv(65536):
                        return
                    end.sendall(reply)
                while not close and end.recv(65536):
                    pass

        def serve() -> None:
            threads = []
            while not over.is_set():
                with suppress(TimeoutError):
                    end, _ = listening.accept()
                    end.settimeout(20)
                    threads.append(threading.Thread(target=one, args=(end,)))
                    threads[-1].start()
            for each in threads:
                each.join()

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


LOOKUP: Ask = (b"lookup", "alias", b"k")
REPLIES = {
    # An empty value: smtpd dies of it.
    b"OK \n": (b"illegal: lookup-result|5eed0001|found|", b"not-found"),
    # A word without the blank behind it.
    b"NOTFOUND\n": (b"error", b"not-found"),
    b"notfound\r\n": (b"error", b"not-found"),
    b"OK\n": (b"error", b"not-found"),
    # Line ends of other systems.
    b"OK alice\r\n": (b"found|alice\r", b"found|alice"),
    # A NUL ends the strings of C.
    b"OK alice\0bob\n": (b"found|alice", b"error"),
}
SAME = {
    b"OK alice\n": b"found|alice",
    b"ok alice\n": b"found|alice",
    b"OK  alice \n": b"found| alice ",
    b"NOTFOUND \n": b"not-found",
    b"nOtFoUnD why\n": b"not-found",
    b"TEMP \n": b"error",
    b"Timeout x\n": b"error",
    b"PERM x\n": b"error",
    b"\n": b"error",
    b"OKAY a\n": b"error",
    b" OK a\n": b"error",
    b"OK\ta\n": b"error",
    b"OK " + b"x" * 2044 + b"\n": b"found|" + b"x" * 2044,
    b"OK " + b"x" * 99_997 + b"\n": b"error",
    b"OK " + b"x" * 99_998 + b"\n": b"error",
}


@pytest.mark.parametrize("reply", REPLIES)
def test_replies_that_the_program_in_c_takes_otherwise(
    socketmap: SocketmapServer, tmp_path: Path, reply: bytes
) -> None:
    with scripted(tmp_path / "s", reply):
        assert both(socketmap, tmp_path / "s", [LOOKUP]) == {LOOKUP: REPLIES[reply]}


@pytest.mark.parametrize("reply", SAME)
def test_replies_that_both_take_alike(
    socketmap: SocketmapServer, tmp_path: Path, reply: bytes
) -> None:
    with scripted(tmp_path / "s", reply):
        for program in (original(socketmap.view, "table-socketmap"), ours("table-socketmap")):
            start = partial(TableClient, program, tmp_path / "s")
            assert answers(start, [LOOKUP]) == [SAME[reply]]


def test_half_a_reply(socketmap: SocketmapServer, tmp_path: Path) -> None:
    """It may be that of ``1000``: in C it is an answer."""
    with scripted(tmp_path / "s", b"OK 10", close=True):
        assert both(socketmap, tmp_path / "s", [LOOKUP]) == {LOOKUP: (b"found|10", b"error")}


def test_a_server_that_closes_each_connection(socketmap: SocketmapServer, tmp_path: Path) -> None:
    """In C all is an error from the second lookup on, until smtpd is restarted."""
    asked: list[Ask] = [(b"lookup", "alias", key) for key in (b"a", b"b", b"c")]
    with scripted(tmp_path / "s", b"OK alice\n", close=True):
        assert both(socketmap, tmp_path / "s", asked) == {
            (b"lookup", "alias", b"b"): (b"error", b"found|alice"),
            (b"lookup", "alias", b"c"): (b"error", b"found|alice"),
        }


def test_a_line_feed_in_a_key(socketmap: SocketmapServer) -> None:
    """Before 7.9 a user name may have one. In C what follows is another request, and its end."""
    socketmap.rows([(b"alice", b"hers"), (b"root", b"his"), (b"bob", b"bobs")])
    keys = (b"alice\nt root", b"bob", b"alice")
    asked: list[Ask] = [(b"lookup", "credentials", key) for key in keys]

    def start(command: list[str]) -> Start:
        return lambda: TableClient(command, socketmap.socket, smtpd="7.6.0")

    theirs = answers(start(original(socketmap.view, "table-socketmap")), asked)
    assert theirs == [b"found|hers", DIED, b"found|hers"]
    mine = answers(start(ours("table-socketmap")), asked)
    assert mine == [b"not-found", b"found|bobs", b"found|hers"]


def test_descriptors_do_not_leak(socketmap: SocketmapServer, tmp_path: Path) -> None:
    """In C each lookup without a server leaves one open."""

    def opened(command: list[str]) -> int:
        with TableClient(command, tmp_path / "nothing") as table:
            table.lookup("alias", b"k")
            folder = Path(f"/proc/{table.process.pid}/fd")
            before = len(list(folder.iterdir()))
            for _ in range(20):
                assert table.lookup("alias", b"k").startswith(b"error")
            return len(list(folder.iterdir())) - before

    assert opened(original(socketmap.view, "table-socketmap")) == 20
    assert opened(ours("table-socketmap")) == 0
