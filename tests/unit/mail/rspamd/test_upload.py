"""Requests and answers over a socket, in an event loop of the test's own."""

import asyncio
import ssl
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from opensmtpd.backends.network import tls
from opensmtpd.errors import ServerLost, ServerRefused
from opensmtpd.mail.rspamd import upload as module
from opensmtpd.mail.rspamd.upload import Upload, body_of, plain_body
from opensmtpd.mail.rspamd.url import url
from unit.support import certificates
from unit.support.fake_rspamd import FakeRspamd, http

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
FIELDS = [[b"Pass", b"All"], [b"Rcpt", b"a@example.com"], [b"Rcpt", b"b\xff@example.com"]]


# --- answers --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("received", "body"),
    [
        (OK + b"Content-Length: 3\r\n\r\nabc", b"abc"),
        (OK + b"Content-Length: 3\r\n\r\nabcdef", b"abc"),
        (OK + b"\r\nabc", b"abc"),
        (OK + b"\r\n", b""),
        (OK + b"Content-Length: x\r\n\r\nabc", b"abc"),
        (OK + b"Content-Length: -1\r\n\r\nabc", b"abc"),
        (OK + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\nabc", b"abc"),
        (CHUNKED + b"1\r\na\r\n2;x\r\nbc\r\n0\r\n\r\n", b"abc"),
        (b"HTTP/1.0 200 fine\nContent-Length: 1\n\na", b"a"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"\r\nx", b"x"),
        (OK + b"X-\xff: \x00\xff\r\n\r\nx", b"x"),
    ],
)
def test_bodies(received: bytes, body: bytes) -> None:
    assert body_of(received) == body


@pytest.mark.parametrize(
    ("received", "words"),
    [
        (b"", "it has closed the connection without an answer"),
        (b"\r\n", "its answer is no HTTP"),
        (b"HTTP", "its answer is no HTTP"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "its answer is no HTTP"),
        (b'{"action": "no action"}', "its answer is no HTTP"),
        (b"\xff\x00" * 100, "its answer is no HTTP"),
        (b"HTTP/1.1 OK\r\n\r\n", "its answer is no HTTP"),
        (b"HTTP/2.0 200 OK\r\n\r\n", "its answer is no HTTP"),
        (b"HTTP/1.1 20000 OK\r\n\r\n", "its answer is no HTTP"),
        (b"HTTP/1.1 200 " + b"x" * 70_000, "its answer is no HTTP"),
        (OK + b"A: " + b"x" * 70_000 + b"\r\n\r\n", "its answer is no HTTP"),
        (OK + b"A: x\r\n" * 200 + b"\r\n", "its answer is no HTTP"),
        (OK + b"Content-Length: 4\r\n\r\nabc", "it has closed the connection amid its answer"),
        (OK + b"Content-Length: " + b"9" * 30 + b"\r\n\r\nabc", "its answer is no HTTP"),
        (CHUNKED, "it has closed the connection amid its answer"),
        (CHUNKED + b"4\r\nabc", None),
        (CHUNKED + b"3\r\nabc\r\n", None),
        (CHUNKED + b"x\r\nabc\r\n", None),
        (CHUNKED + b"-3\r\nabc\r\n", None),
        (CHUNKED + b"F" * 30 + b"\r\n", "its answer is no HTTP"),
    ],
)
def test_what_is_no_answer(received: bytes, words: str | None) -> None:
    with pytest.raises(ServerLost) as raised:
        body_of(received)
    assert str(raised.value) == words or words is None


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (b"400 Bad request", "it answers 400 Bad request"),
        (b"413 Payload Too Large", "it answers 413 Payload Too Large"),
        (b"500 Cannot process message", "it answers 500 Cannot process message"),
        (b"503", "it answers 503 "),
        (b"204 No Content", "it answers 204 No Content"),
        (b"301 Moved", "it answers 301 Moved"),
        (b"500 \xff\x1b[31m|", "it answers 500 \\xff\\x1b[31m|"),
        (b"500 " + b"x" * 1000, "it answers 500 " + "x" * 120),
    ],
)
def test_an_answer_that_is_an_error(status: bytes, words: str) -> None:
    with pytest.raises(ServerRefused) as raised:
        body_of(http(b'{"action": "no action"}', status))
    assert str(raised.value) == words


RSPAMD = (
    OK + b"Connection: close\r\nServer: rspamd/3.12.1\r\nDate: Mon, 30 Nov 2026 20:21:04 GMT\r\n"
    b"Content-Length: 3\r\nContent-Type: application/json\r\n\r\n"
)


@pytest.mark.parametrize("body", [b"", b"ab", b"abc", b"abcd"])
@pytest.mark.parametrize("head", [RSPAMD, OK + b"content-LENGTH:\t3\r\n\r\n"])
def test_the_place_of_a_body_is_in_a_plain_head(head: bytes, body: bytes) -> None:
    assert plain_body(head + body) == slice(len(head), len(head) + 3)
    assert all(plain_body(head[:end]) is None for end in range(len(head)))


@pytest.mark.parametrize(
    "received",
    [
        b"",
        OK + b"\r\nabc",
        OK.replace(b"200", b"204") + b"Content-Length: 3\r\n\r\nabc",
        OK + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        OK + b"Content-Length: 3\r\nContent-Length: x\r\n\r\nabcd",
        OK + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        OK + b"Content-Length : 3\r\n\r\nabc",
        OK + b"Content-Length: +3\r\n\r\nabc",
        OK + b"Content-Length: 3\r\n folded: 4\r\n\r\nabc",
        OK + b"Content-Length: 3\n\nabc",
        OK + b"X: \0\r\nContent-Length: 3\r\n\r\nabc",
        OK + b"X: \n\r\nContent-Length: 3\r\n\r\nabc",
        OK + b"X: y\r\n" * 2000 + b"Content-Length: 3\r\n\r\nabc",
        b"HTTP/1.1 100 Continue\r\n\r\n" + RSPAMD + b"abc",
        CHUNKED + b"3\r\nabc\r\n0\r\n\r\n",
    ],
)
def test_no_other_head_is_plain(received: bytes) -> None:
    assert plain_body(received) is None


# --- requests -------------------------------------------------------------------------------------


def done(
    server: str,
    act: Callable[[Upload], Coroutine[Any, Any, Any]],
    context: ssl.SSLContext | None = None,
) -> Any:
    """Return what a coroutine returns that has an upload to a server."""

    async def run() -> Any:
        upload = Upload(url(server), context)
        try:
            async with asyncio.timeout(60):
                return await act(upload)
        finally:
            upload.abort()
            upload.abort()
            await asyncio.sleep(0)

    return asyncio.run(run())


def whole(*parts: bytes, length: int | None = None) -> Callable[[Upload], Any]:
    """Return a request of some parts; its answer is what is returned."""

    async def act(upload: Upload) -> bytes:
        await upload.open("POST", "/checkv2", FIELDS, length)
        for number, part in enumerate(parts, 1):
            await upload.send(part, last=number == len(parts))
        return await upload.answer()

    return act


def test_a_request_in_one_piece() -> None:
    with FakeRspamd(http(b"yes")) as server:
        assert done(server.url + "/a/", whole(b"message\r\n", length=9)) == b"yes"
    [scanned] = server.scanned
    assert scanned == (
        "POST /a/checkv2 HTTP/1.1",
        [
            (b"Host", server.url.removeprefix("http://").encode()),
            (b"Connection", b"close"),
            (b"Content-Length", b"9"),
            (b"Pass", b"All"),
            (b"Rcpt", b"a@example.com"),
            (b"Rcpt", b"b\xff@example.com"),
        ],
        b"message\r\n",
    )


@pytest.mark.parametrize(
    "parts", [(b"a", b"", b"b" * 300_000, b"c"), (b"a", b""), (b"", b""), (b"",), (b"x" * 17,)]
)
def test_a_request_in_parts(parts: tuple[bytes, ...]) -> None:
    with FakeRspamd(http(b"yes")) as server:
        assert done(server.url, whole(*parts)) == b"yes"
    [scanned] = server.scanned
    assert scanned.fields[2] == (b"Transfer-Encoding", b"chunked")
    assert scanned.values(b"Content-Length") == []
    assert scanned.body == b"".join(parts)


def test_an_empty_message() -> None:
    with FakeRspamd(http(b"yes")) as server:
        assert done(server.url, whole(b"", length=0)) == b"yes"
    assert (server.scanned[0].body, server.scanned[0].values(b"Content-Length")) == (b"", [b"0"])


def test_a_unix_socket(tmp_path: Path) -> None:
    with FakeRspamd(http(b"yes"), path=str(tmp_path / "s")) as server:
        assert done(server.url, whole(b"x", length=1)) == b"yes"
    assert server.scanned[0].values(b"Host") == [b"localhost"]


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file with a certificate of localhost, which is its own authority, and its key."""
    path = tmp_path_factory.mktemp("tls") / "pem"
    text = certificates.certificate("localhost") + certificates.key_pem(certificates.KEY)
    path.write_bytes(text)
    return path


def server_side(pem: Path) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(pem)
    return made


def test_within_tls(pem: Path) -> None:
    with FakeRspamd(http(b"yes"), context=server_side(pem)) as server:
        place = f"https://localhost:{server.place[1]}"
        act = whole(b"a" * 100_000, b"b", b"")
        assert done(place, act, tls.context(str(pem))) == b"yes"
    assert server.scanned[0].body == b"a" * 100_000 + b"b"


@pytest.mark.parametrize(
    ("host", "trusted", "words"),
    [
        ("localhost", False, "its certificate is refused: self-signed certificate"),
        ("127.0.0.1", True, "its certificate is refused: IP address mismatch, certificate is not"
         " valid for '127.0.0.1'."),
    ],
)  # fmt: skip
def test_a_certificate_that_is_refused(pem: Path, host: str, trusted: bool, words: str) -> None:
    context = tls.context(str(pem) if trusted else "")
    with (
        FakeRspamd(context=server_side(pem)) as server,
        pytest.raises(ServerLost) as raised,
    ):
        done(f"https://{host}:{server.place[1]}", whole(b"x", length=1), context)
    assert str(raised.value) == words
    assert server.scanned == []


def test_a_server_that_speaks_no_tls() -> None:
    with FakeRspamd(closes_after=1) as server, pytest.raises(ServerLost):
        done(f"https://127.0.0.1:{server.place[1]}", whole(b"x"), tls.context(""))


@pytest.mark.parametrize(
    ("bytes_taken", "parts"),
    [
        (0, (b"x", b"y")),
        (1, (b"x", b"y")),
        (100, (b"x",) * 50),
        (0, (b"x" * 5_000_000, b"y")),
        (1000, (b"x" * 5_000_000, b"y")),
        (300_000, (b"x" * 65536,) * 100),
    ],
)
def test_a_server_that_closes(bytes_taken: int, parts: tuple[bytes, ...]) -> None:
    with FakeRspamd(closes_after=bytes_taken) as server, pytest.raises(ServerLost) as raised:
        done(server.url, whole(*parts))
    assert str(raised.value) in (
        "it has closed the connection without an answer",
        "Connection reset by peer",
        "Broken pipe",
    )


async def go_on(upload: Upload) -> None:
    for _ in range(100):
        await asyncio.sleep(0)
        await upload.send(b"x" * 65536, last=False)


def test_an_error_before_the_message_is_read() -> None:
    """The server closes at once: the next part meets a connection that is reset."""
    refused = http(b"too large", b"413 Payload Too Large")

    async def act() -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readexactly(20_000)
            writer.write(refused)
            writer.close()
            await writer.wait_closed()
            closed.set()

        closed = asyncio.Event()
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        upload = Upload(url(f"http://127.0.0.1:{port}"), None)
        await upload.open("POST", "/checkv2", [], None)
        await upload.send(b"x" * 65536, last=False)
        await closed.wait()
        with pytest.raises(ServerRefused, match="it answers 413 Payload Too Large"):
            await go_on(upload)
        upload.abort()
        server.close()

    asyncio.run(act())


def test_an_error_that_comes_before_all_is_sent() -> None:
    refused = http(b"too large", b"413 Payload Too Large")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(refused)
        await writer.drain()
        writer.write_eof()
        while await reader.read(65536):
            pass
        writer.close()

    async def act() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        upload = Upload(url(f"http://127.0.0.1:{port}"), None)
        await upload.open("POST", "/checkv2", [], None)
        for _ in range(100):
            await upload.send(b"x" * 65536, last=False)
        await upload.send(b"", last=True)
        with pytest.raises(ServerRefused, match="it answers 413 Payload Too Large"):
            await upload.answer()
        upload.abort()
        server.close()

    asyncio.run(act())


def test_an_answer_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for the rest."""
    monkeypatch.setattr(module, "ANSWER_MAX", 200_000)

    async def act() -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(OK + b"\r\n")
            with suppress(ConnectionError):
                while True:
                    writer.write(b"x" * 10_000)
                    await writer.drain()
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        upload = Upload(url(f"http://127.0.0.1:{port}"), None)
        await upload.open("GET", "/ping", [], 0)
        with pytest.raises(ServerLost) as raised:
            await asyncio.wait_for(upload.answer(), 60)
        assert str(raised.value) == "its answer has more than 200000 bytes"
        upload.abort()
        server.close()

    asyncio.run(act())


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    server = FakeRspamd()
    server.close()
    with pytest.raises(ServerLost, match="Connection refused"):
        done(server.url, whole(b"x"))
    with pytest.raises(ServerLost, match="No such file or directory"):
        done(str(tmp_path / "s"), whole(b"x"))


def test_close_before_open() -> None:
    upload = Upload(url("http://127.0.0.1:1"), None)
    upload.abort()
    upload.abort()
