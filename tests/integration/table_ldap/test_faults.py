"""table-ldap while its server is paused, killed, silent or full of rubbish: one answer for each
question, and right ones again afterwards.
"""

import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from integration.support.ldap_directory import (
    OURS,
    alias,
    emptied,
    put,
    settings,
    starter,
    worker,
)
from integration.support.network_scenes import until
from lab.peers.databases.slapd import SlapdServer
from lab.peers.table_client import TableClient
from lab.root import inside
from lab.support import ALONE

pytestmark = ALONE
SEARCH = "alias_filter (cn=%s)\nalias_attributes rfc822MailMember\n"
PORT = 3389


@pytest.fixture
def conf(slapd: SlapdServer, ldap_view: Path) -> str:
    base = emptied(slapd, "faults", lambda base: alias(base, "root", "alice"))
    return put(ldap_view, "faults", settings(base, SEARCH))


@pytest.fixture
def table(ldap_view: Path, conf: str) -> Iterator[TableClient]:
    with starter(ldap_view, OURS, conf)() as table:
        yield table


def right(table: TableClient) -> bool:
    return table.lookup("alias", b"root") == b"found|alice"


def wrong(table: TableClient) -> bool:
    return table.lookup("alias", b"root").startswith(b"error|")


def test_a_connection_that_is_closed(slapd: SlapdServer, table: TableClient) -> None:
    """Within the request: no answer is an error."""
    assert right(table)
    for _ in range(3):
        slapd.restart()
        assert right(table)
    assert table.log == ""


def test_a_paused_server(slapd: SlapdServer, table: TableClient) -> None:
    assert right(table)
    slapd.pause()
    assert all(wrong(table) for _ in range(3))
    slapd.resume()
    until(lambda: right(table), 10)
    assert table.lookup("alias", b"nobody") == b"not-found"
    assert (table.log.count("server-away"), table.log.count("server-back")) == (1, 1)


def test_a_server_that_is_killed(slapd: SlapdServer, table: TableClient) -> None:
    assert right(table)
    slapd.kill9()
    assert wrong(table)
    slapd.start()
    until(lambda: right(table), 10)


def test_it_starts_without_the_server(slapd: SlapdServer, ldap_view: Path, conf: str) -> None:
    slapd.stop()
    ended = inside.tried(ldap_view, f"/usr/libexec/opensmtpd/{OURS}", "-n", conf)
    assert ended.returncode == 1
    assert b"faults.conf:1: " in ended.stderr
    with starter(ldap_view, OURS, conf)() as table:
        assert wrong(table)
        slapd.start()
        until(lambda: right(table), 10)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGSTOP])
def test_the_worker_dies_or_stops(table: TableClient, number: signal.Signals) -> None:
    assert right(table)
    os.kill(worker(table), number)
    until(lambda: right(table), 10)


@contextmanager
def listening(reply: bytes | None) -> Iterator[None]:
    """Be a server that says ``reply`` to whatever it is asked, and nothing for None."""
    with socket.create_server(("127.0.0.1", PORT)) as server:
        server.settimeout(0.1)
        ending = threading.Event()

        def serve() -> None:
            kept = []
            while not ending.is_set():
                with suppress(TimeoutError):
                    end, _ = server.accept()
                    kept.append(end)
                    if reply is not None:
                        with suppress(OSError):
                            end.recv(4096)
                            end.sendall(reply)
            for end in kept:
                end.close()

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield
        finally:
            ending.set()
            thread.join()


BOUND = bytes.fromhex("300c02010161070a010004000400")
"""The end of a bind with the number 1: success."""
RUBBISH = {
    "silence": None,
    "no LDAP": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "zeros": bytes(1 << 16),
    "a length without end": b"\x30\x84\x7f\xff\xff\xff",
    "bound, then silence": BOUND,
    "bound, then half a frame": BOUND + b"\x30\x50\x02\x01\x02\x64",
    "bound twice": BOUND + BOUND,
    "a bind of another number": bytes.fromhex("300c02010961070a010004000400"),
}


@pytest.mark.parametrize("reply", RUBBISH.values(), ids=RUBBISH)
@pytest.mark.parametrize("url", [f"ldap://127.0.0.1:{PORT}", f"ldaps://127.0.0.1:{PORT}"])
def test_a_server_that_is_none(ldap_view: Path, url: str, reply: bytes | None) -> None:
    """That of TLS is silent in the middle of the handshake, where libldap looks at no clock."""
    path = put(ldap_view, "faults", settings("dc=x", f"{SEARCH}timeout 0.3\n", url))
    with listening(reply), starter(ldap_view, OURS, path)() as table:
        assert all(wrong(table) for _ in range(4))
        assert table.process.poll() is None


def test_starttls_that_is_never_answered(ldap_view: Path) -> None:
    url = f"ldap://127.0.0.1:{PORT}"
    path = put(ldap_view, "faults", settings("dc=x", f"{SEARCH}starttls yes\ntimeout 0.3\n", url))
    with listening(None), starter(ldap_view, OURS, path)() as table:
        assert all(wrong(table) for _ in range(3))
        assert "server-away" in table.log


def test_a_name_server_that_is_silent(slapd: SlapdServer, ldap_view: Path, conf: str) -> None:
    """The resolver of the C library waits for seconds; the worker is killed in it."""
    (ldap_view / "etc/hosts").write_text("127.0.0.1 localhost\n")
    text = (ldap_view / conf[1:]).read_text()
    resolver = ldap_view / "etc/resolv.conf"
    before = resolver.read_text() if resolver.exists() else ""
    path = put(ldap_view, "faults", text.replace("127.0.0.1", "slow.example") + "timeout 0.3\n")
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as silent:
        silent.bind(("127.0.0.9", 53))
        resolver.write_text("nameserver 127.0.0.9\n")
        try:
            with starter(ldap_view, OURS, path)() as table:
                assert all(wrong(table) for _ in range(3))
                put(ldap_view, "faults", text)
                until(lambda: table.update() == b"ok", 10)
                assert right(table)
        finally:
            resolver.write_text(before)
