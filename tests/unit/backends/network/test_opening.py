import asyncio
import errno
import os
import resource
import socket
import ssl
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from opensmtpd.backends.network import opening, tls
from opensmtpd.backends.network.opening import ServerConnection, opened, reason
from opensmtpd.errors import ServerLost, Unavailable
from unit.support import certificates
from unit.support.scripted_server import Talk, says, scripted

NAME = "rspamd.example"


class Hello(ServerConnection):
    """Has three bytes of what is answered, or hears why there are not so many."""

    def __init__(self) -> None:
        super().__init__()
        self.said = bytearray()
        self.found: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        self.said += data
        if len(self.said) == 3:
            self.found.set_result(bytes(self.said))

    def ended(self) -> None:
        if not self.found.done():
            self.found.set_exception(EOFError(self.fault))


async def talked(place: str | tuple[str, int], *arguments: Any) -> bytes:
    """Return what a server answers that is told something."""
    async with asyncio.timeout(60):
        talk = Hello()
        await opened(talk, place, *arguments)
        assert await talk.write([b"hel", b"lo"])
        found = await talk.found
        talk.abort()
        while not talk.lost:  # TLS takes some turns of the loop
            await asyncio.sleep(0.01)
        assert not await talk.write([b"more"])
        return found


def said(place: str | tuple[str, int], *arguments: Any) -> bytes:
    """Return the same, in an event loop of its own."""
    return asyncio.run(talked(place, *arguments))


def refusal(place: str | tuple[str, int], *arguments: Any) -> str:
    with pytest.raises(ServerLost) as raised:
        said(place, *arguments)
    return str(raised.value)


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file with a certificate of NAME, which is its own authority, and its key."""
    path = tmp_path_factory.mktemp("tls") / "pem"
    path.write_bytes(certificates.certificate(NAME) + certificates.key_pem(certificates.KEY))
    return path


def within(pem: Path, talk: Talk) -> Talk:
    """Return a talk in TLS."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(pem)

    def encrypted(end: socket.socket) -> None:
        with made.wrap_socket(end, server_side=True) as inner:
            talk(inner)

    return encrypted


def test_a_unix_socket(tmp_path: Path) -> None:
    with scripted(tmp_path / "s", says(b"yes")):
        assert said(str(tmp_path / "s")) == b"yes"


@pytest.mark.skipif(sys.platform != "linux", reason="others refuse the connection")
def test_a_connection_waits_for_its_turn_at_a_unix_socket(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen(0)

        async def ask() -> list[bytes]:
            talks = [Hello(), Hello()]
            await opened(talks[0], path)
            second = asyncio.create_task(opened(talks[1], path))
            done, _ = await asyncio.wait([second], timeout=0.1)
            assert not done
            ends = [server.accept()[0]]
            await second
            ends.append(server.accept()[0])
            for end in ends:
                end.sendall(b"yes")
                end.close()
            return [await each.found for each in talks]

        assert asyncio.run(ask()) == [b"yes", b"yes"]


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS])
@pytest.mark.parametrize("place", ["/nowhere", ("127.0.0.1", 1)], ids=["unix", "host"])
def test_this_machine_is_at_fault(place: Any, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server is not away."""

    def full(*_: Any, **more: Any) -> socket.socket:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(socket.socket, "connect", full)
    monkeypatch.setattr(socket.socket, "connect_ex", full)
    with pytest.raises(Unavailable) as raised:
        said(place)
    assert not isinstance(raised.value, ServerLost)
    assert str(raised.value) == os.strerror(number)


@pytest.mark.parametrize("place", ["/nowhere", ("127.0.0.1", 1)], ids=["unix", "host"])
def test_no_descriptor_is_left(place: Any) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)

    async def act() -> None:
        talk = Hello()
        free = os.dup(0)
        os.close(free)
        resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
        try:
            await opened(talk, place)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    with pytest.raises(Unavailable, match=r"\AToo many open files\Z") as raised:
        asyncio.run(act())
    assert not isinstance(raised.value, ServerLost)


async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readexactly(5)
    writer.write(b"yes")
    writer.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_host(host: str) -> None:
    async def act() -> bytes:
        server = await asyncio.start_server(served, "127.0.0.1", 0)
        with closing(server):
            return await talked((host, server.sockets[0].getsockname()[1]))

    assert asyncio.run(act()) == b"yes"


def test_a_name_is_resolved_once_while_its_address_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    getaddrinfo = socket.getaddrinfo

    def counted(host: Any, *arguments: Any, **more: Any) -> Any:
        asked.append(host)
        return getaddrinfo("127.0.0.1", *arguments, **more)

    async def act() -> int:
        server = await asyncio.start_server(served, "127.0.0.1", 0)
        port: int = server.sockets[0].getsockname()[1]
        with closing(server):
            for _ in range(3):
                assert await talked(("rspamd.test", port)) == b"yes"
        return port

    monkeypatch.setattr(socket, "getaddrinfo", counted)
    port = asyncio.run(act())
    assert asked == ["rspamd.test"]
    assert refusal(("rspamd.test", port)) == "Connection refused"
    assert asked == ["rspamd.test", "rspamd.test"]


def test_an_address_that_hangs_is_asked_for_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """The host may have another one by now."""
    asked: list[Any] = []
    getaddrinfo = socket.getaddrinfo

    def counted(host: Any, *arguments: Any, **more: Any) -> Any:
        asked.append(host)
        return getaddrinfo("127.0.0.1", *arguments, **more)

    async def never(*_: Any) -> None:
        await asyncio.Event().wait()

    async def act() -> None:
        server = await asyncio.start_server(served, "127.0.0.1", 0)
        place = "rspamd.test", server.sockets[0].getsockname()[1]
        with closing(server):
            assert await talked(place) == b"yes"
            with monkeypatch.context() as hangs:
                hangs.setattr(asyncio.get_running_loop(), "sock_connect", never)
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.01):
                        await opened(Hello(), place)
            assert asked == ["rspamd.test"]
            assert await talked(place) == b"yes"

    monkeypatch.setattr(socket, "getaddrinfo", counted)
    asyncio.run(act())
    assert asked == ["rspamd.test", "rspamd.test"]


def test_a_name_that_resolves_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """The address of before counts while the DNS is away."""
    getaddrinfo = socket.getaddrinfo
    away = False

    def resolve(host: Any, *arguments: Any, **more: Any) -> Any:
        if away:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return getaddrinfo("127.0.0.1", *arguments, **more)

    async def act() -> None:
        nonlocal away
        server = await asyncio.start_server(served, "127.0.0.1", 0)
        place = "rspamd.test", server.sockets[0].getsockname()[1]
        with closing(server):
            assert await talked(place) == b"yes"
            away = True
            for _ in range(2):
                opening._addresses[place] = "127.0.0.1", 0.0  # ten seconds later
                assert await talked(place) == b"yes"
            with pytest.raises(ServerLost, match="Temporary failure in name resolution"):
                await talked(("other.test", place[1]))

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    asyncio.run(act())


def test_what_is_written_waits_until_it_is_taken(tmp_path: Path) -> None:
    taken: list[int] = []

    def slow(end: socket.socket) -> None:
        while data := end.recv(1 << 20):
            taken.append(len(data))
            if sum(taken) == 8_000_000:
                end.sendall(b"yes")

    async def act() -> bytes:
        talk = Hello()
        await opened(talk, str(tmp_path / "s"))
        assert await talk.write([b"x" * 8_000_000])
        assert sum(taken) > 4_000_000
        found = await talk.found
        talk.abort()
        return found

    with scripted(tmp_path / "s", slow):
        assert asyncio.run(act()) == b"yes"


def test_a_connection_that_is_lost_amid_a_write(tmp_path: Path) -> None:
    async def act() -> tuple[bool, str]:
        talk = Hello()
        await opened(talk, str(tmp_path / "s"))
        written = await talk.write([b"x" * 8_000_000])
        with pytest.raises(EOFError):
            await talk.found
        return written, talk.fault

    with scripted(tmp_path / "s", lambda end: None):
        assert asyncio.run(act()) in [(False, "Broken pipe"), (False, "Connection reset by peer")]


def test_within_tls(tmp_path: Path, pem: Path) -> None:
    with scripted(tmp_path / "s", within(pem, says(b"yes"))):
        assert said(str(tmp_path / "s"), tls.context(str(pem)), NAME) == b"yes"


def test_a_certificate_of_another_name(tmp_path: Path, pem: Path) -> None:
    with scripted(tmp_path / "s", within(pem, says())):
        assert refusal(str(tmp_path / "s"), tls.context(str(pem)), "other.example") == (
            "its certificate is refused: Hostname mismatch, certificate is not valid for"
            " 'other.example'."
        )


def test_a_certificate_of_nobody_we_trust(tmp_path: Path, pem: Path) -> None:
    with scripted(tmp_path / "s", within(pem, says())):
        assert refusal(str(tmp_path / "s"), tls.context(""), NAME) == (
            "its certificate is refused: self-signed certificate"
        )


def test_a_server_that_speaks_no_tls(tmp_path: Path) -> None:
    def talk(end: socket.socket) -> None:
        end.recv(65536)
        end.sendall(b"220 smtp.example ESMTP\r\n")

    with scripted(tmp_path / "s", talk):
        assert refusal(str(tmp_path / "s"), tls.context(""), NAME) == "WRONG_VERSION_NUMBER"


def test_nobody_is_there(tmp_path: Path) -> None:
    assert refusal(str(tmp_path / "s")) == "No such file or directory"
    (tmp_path / "s").touch()
    assert refusal(str(tmp_path / "s")) == "Connection refused"
    with socket.create_server(("127.0.0.1", 0)) as server:
        place = server.getsockname()
    assert refusal(place) == "Connection refused"


@pytest.mark.parametrize("name", ["x" * 64 + ".example", "a..b", "\ud800"])
def test_what_is_no_name_of_a_host(name: str) -> None:
    assert refusal((name, 25))


def test_a_name_that_does_not_resolve(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nothing)
    assert refusal(("missing.example", 25)) == "Name or service not known"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ConnectionResetError(104, "Connection reset by peer"), "Connection reset by peer"),
        (OSError("Multiple exceptions: a, b"), "Multiple exceptions: a, b"),
        (OSError(111, "Connect call failed ('127.0.0.1', 1)"), "Connection refused"),
        (OSError(), "OSError"),
        (
            ConnectionAbortedError("SSL handshake is taking longer"),
            "SSL handshake is taking longer",
        ),
        (UnicodeError("label too long"), "label too long"),
    ],
)
def test_reasons(error: Exception, words: str) -> None:
    assert reason(error) == words
