"""Names of hosts within a time, whatever the resolver of the system does."""

import ctypes
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from opensmtpd.backends.network import names
from opensmtpd.errors import ServerLate, ServerLost
from unit.support.confined import missing, tried


class Resolver:
    """getaddrinfo(3) as a test has it: names are answered when ``gate`` is open."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.asked: list[str] = []
        self.answer: object = ["192.0.2.1"]

    def __call__(self, host: str, port: int, *, type: int = 0, flags: int = 0) -> list[Any]:
        if flags:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        self.asked.append(host)
        self.gate.wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        assert isinstance(self.answer, list)
        return [(socket.AF_INET, type, 6, "", (address, port)) for address in self.answer]


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Resolver]:
    resolver = Resolver()
    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    monkeypatch.setattr(names, "_known", {})
    monkeypatch.setattr(names, "_under_way", {})
    yield resolver
    resolver.gate.set()


def soon(seconds: float = 20.0) -> float:
    return monotonic() + seconds


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", (socket.AF_INET, ("127.0.0.1", 25))),
        ("::1", (socket.AF_INET6, ("::1", 25, 0, 0))),
        ("2001:db8::1", (socket.AF_INET6, ("2001:db8::1", 25, 0, 0))),
    ],
)
def test_an_address_takes_no_thread(
    host: str, expected: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threading, "Thread", None)
    assert names.resolve(host, 25, 0.0) == [expected]


def test_a_name_is_asked_for_each_time(resolver: Resolver) -> None:
    assert names.resolve("db", 25, soon()) == [(socket.AF_INET, ("192.0.2.1", 25))]
    resolver.answer = ["192.0.2.3", "192.0.2.2"]
    assert names.resolve("db", 25, soon()) == [
        (socket.AF_INET, ("192.0.2.3", 25)),
        (socket.AF_INET, ("192.0.2.2", 25)),
    ]
    assert names.resolve("db", 26, soon())[0][1] == ("192.0.2.3", 26)
    assert resolver.asked == ["db", "db", "db"]


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (socket.gaierror(-2, "Name or service not known"), "db: Name or service not known"),
        (UnicodeError("label too long"), "db: no name of a host"),
        (ValueError("x"), "db: ValueError"),
        ([], "db: it has no address"),
    ],
)
def test_a_name_that_has_no_address(resolver: Resolver, answer: object, text: str) -> None:
    resolver.answer = answer
    with pytest.raises(ServerLost) as caught:
        names.resolve("db", 25, soon())
    assert str(caught.value) == text


def test_a_resolver_that_hangs_is_waited_for_until_the_time_and_by_one_thread(
    resolver: Resolver,
) -> None:
    resolver.gate.clear()
    for _ in range(5):
        with pytest.raises(ServerLate, match="db: its address is not known in time"):
            names.resolve("db", 25, soon(0.01))
    assert resolver.asked == ["db"]
    resolver.gate.set()
    assert names.resolve("db", 25, soon()) == [(socket.AF_INET, ("192.0.2.1", 25))]


def test_the_addresses_of_before_count_while_it_hangs_or_fails(resolver: Resolver) -> None:
    known = names.resolve("db", 25, soon())
    resolver.gate.clear()
    assert names.resolve("db", 25, soon(0.01)) == known
    resolver.answer = ["192.0.2.9"]
    resolver.gate.set()
    assert names.resolve("db", 25, soon()) == [(socket.AF_INET, ("192.0.2.9", 25))]
    resolver.answer = socket.gaierror(-3, "Temporary failure in name resolution")
    assert names.resolve("db", 25, soon()) == [(socket.AF_INET, ("192.0.2.9", 25))]


def test_a_file_that_was_replaced_is_told_once(
    resolver: Resolver, monkeypatch: pytest.MonkeyPatch, logged: list[str]
) -> None:
    """The sandbox keeps what took its place from the C library, which goes on without it."""
    real = os.open

    def refuse(path: str, *more: Any) -> int:
        if path == "/etc/hosts":
            raise PermissionError(13, "Permission denied", path)
        return real(path, *more)

    names.resolve("db.example.org", 1, soon())
    assert logged == []
    monkeypatch.setattr(names, "_replaced", set())
    monkeypatch.setattr(os, "open", refuse)
    resolver.answer = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    for _ in range(2):
        found = names.resolve("db.example.org", 1, soon())
        assert found == [(socket.AF_INET, ("192.0.2.1", 1))]
    assert logged == ['names-file-replaced path=/etc/hosts remedy="restart smtpd"']


def test_without_a_thread_to_be_had(resolver: Resolver, monkeypatch: pytest.MonkeyPatch) -> None:
    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", start)
        with pytest.raises(ServerLate):
            names.resolve("db", 25, soon())
    assert names.resolve("db", 25, soon()) == [(socket.AF_INET, ("192.0.2.1", 25))]


@pytest.mark.parametrize(
    ("text", "services"),
    [
        (
            "passwd: files sss\nhosts:      files mdns4_minimal [NOTFOUND=return] dns # last\n",
            ["files", "mdns4_minimal", "dns"],
        ),
        (
            "hosts: resolve [!UNAVAIL=return] files myhostname dns",
            ["resolve", "files", "myhostname", "dns"],
        ),
        ("# hosts: dns\n", []),
        ("hosts dns", []),
        ("", []),
    ],
)
def test_the_libraries_of_names_are_loaded(
    text: str, services: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "nsswitch.conf").write_text(text)
    monkeypatch.setattr(names, "_SWITCH", str(tmp_path / "nsswitch.conf"))
    loaded: list[str] = []
    monkeypatch.setattr(ctypes, "CDLL", loaded.append)
    names.prepare()
    assert loaded == [f"libnss_{name}.so.2" for name in services]


def test_a_system_without_that_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "_SWITCH", str(tmp_path / "none"))
    names.prepare()


@pytest.mark.skipif(missing() != [], reason=f"no sandbox: {missing()}")
def test_a_name_in_the_sandbox() -> None:
    def attempt() -> object:
        return [address[0] for _, address in names.resolve("localhost", 25, soon())]

    names.prepare()
    found = tried(names.NEEDS, attempt)
    assert isinstance(found, list)
    assert set(found) <= {"127.0.0.1", "::1"}
    assert found


def test_the_addresses_of_before_leave_time_to_connect(resolver: Resolver) -> None:
    names.resolve("db", 25, soon())
    resolver.gate.clear()
    until = soon(4.0)
    names.resolve("db", 25, until)
    assert monotonic() < until
