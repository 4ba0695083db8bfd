import socket
import ssl
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep

import pytest
from pymysql import _auth

from opensmtpd.backends.mysql.login import MysqlLogin, connect, knows_charset, log_in
from opensmtpd.backends.network import tls
from opensmtpd.errors import ConfigError, ServerLate, ServerLost, ServerRefused
from unit.support import certificates
from unit.support.mysql_server import (
    OK,
    error,
    greeting,
    packet,
    receive,
    result,
    serves,
)
from unit.support.scripted_server import Talk, scripted

PASSWORD = b"s\xc3\xa9cret"


def later() -> float:
    return monotonic() + 10


def local(path: Path, **changes: object) -> MysqlLogin:
    login = MysqlLogin(
        (str(path),), "localhost", 3306, b"smtpd", PASSWORD, b"mail", "utf8mb4", 2.5, None
    )
    return login._replace(**changes)  # type: ignore[arg-type]  # of a test


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "s"


def failure(login: MysqlLogin) -> str:
    with pytest.raises(ServerLost) as caught:
        log_in(login, later())
    assert "s\xe9cret" not in str(caught.value)
    return str(caught.value)


def greeted(end: socket.socket, greet: bytes) -> bytes:
    end.sendall(greet)
    return receive(end)


def test_what_the_server_is_told(path: Path) -> None:
    told: list[bytes] = []

    def talk(end: socket.socket) -> None:
        told.append(greeted(end, greeting()))
        end.sendall(packet(2, OK))
        while receive(end):
            end.sendall(packet(1, OK))

    with scripted(path, talk):
        wire, client = log_in(local(path), later())
        wire.channel.close()
        assert client is not None
    assert b"smtpd\0" in told[0]
    assert b"mail\0" in told[0]
    assert _auth.scramble_native_password(PASSWORD, b"saltsaltmorescramble") in told[0]
    assert PASSWORD not in told[0]
    assert (
        not int.from_bytes(told[0][:4], "little") & 0x80
    )  # LOCAL_FILES: the server reads none of ours


def test_the_time_of_a_statement(path: Path) -> None:
    """MariaDB and MySQL have different settings, and an old server has none."""
    for version, setting in (
        (b"5.5.5-10.6.1-MariaDB", b"SET SESSION max_statement_time = 2.5"),
        (b"11.8.9-MariaDB-deb13", b"SET SESSION max_statement_time = 2.5"),
        (b"8.4.3", b"SET SESSION max_execution_time = 2500"),
    ):
        settings: list[bytes] = []
        with scripted(path, serves({}, settings, greeting(version), refuse=b" max_")):
            wire, _ = log_in(local(path), later())
            wire.channel.close()
        path.unlink()
        assert settings[-1] == setting
        assert b"SET SESSION TRANSACTION READ ONLY" in settings
        assert b"SET SESSION autocommit = 1, lock_wait_timeout = 2" in settings


def test_a_session_that_may_write_is_no_answer(path: Path) -> None:
    with (
        scripted(path, serves({}, refuse=b"READ ONLY")),
        pytest.raises(ServerRefused, match="1193"),
    ):
        log_in(local(path), later())


def test_the_operator_may_write(path: Path) -> None:
    settings: list[bytes] = []
    with scripted(path, serves({}, settings)):
        connection = connect(local(path), 10)
        connection.query("DELETE FROM a")
        connection.close()
    assert settings[-1] == b"DELETE FROM a"
    assert not any(b"READ ONLY" in setting for setting in settings)


def test_a_wrong_password(path: Path) -> None:
    def talk(end: socket.socket) -> None:
        greeted(end, greeting())
        end.sendall(packet(2, error(1045, b"Access denied for user 'smtpd'@'localhost'", b"28000")))

    with scripted(path, talk):
        assert failure(local(path)) == "error 1045: Access denied for user 'smtpd'@'localhost'"


def switch(plugin: bytes, *more: bytes) -> Talk:
    """Return a server that wants the password proved in another way."""

    def talk(end: socket.socket) -> None:
        greeted(end, greeting())
        end.sendall(packet(2, b"\xfe" + plugin + b"\0" + b"x" * 20 + b"\0"))
        for at, each in enumerate(more):
            if not receive(end):
                return
            end.sendall(packet(4 + 2 * at, each))
        while receive(end):
            end.sendall(packet(1, OK))

    return talk


def over_tcp(talk: Talk, ask: Callable[[MysqlLogin], str], **changes: object) -> str:
    """Return what ``ask`` says of a server on TCP."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            end, _ = listening.accept()
            end.settimeout(10)
            with end:
                try:
                    talk(end)
                except OSError:
                    return

        thread = threading.Thread(target=serve)
        thread.start()
        port = listening.getsockname()[1]
        try:
            return ask(local(Path("/"), sockets=(), host="127.0.0.1", port=port, **changes))
        finally:
            thread.join()


@pytest.mark.parametrize("plugin", [b"mysql_clear_password", b"dialog", b"mysql_old_password"])
def test_no_password_in_clear_over_the_network(plugin: bytes) -> None:
    """Whoever stands in the server's place could ask for it."""
    heard: list[bytes] = []

    def talk(end: socket.socket) -> None:
        greeted(end, greeting())
        end.sendall(packet(2, b"\xfe" + plugin + b"\0\4Password: "))
        heard.append(receive(end))

    assert over_tcp(talk, failure) == "the server asks for the password in clear: say 'ssl yes'"
    assert heard == [b""]


def test_a_password_in_clear_over_a_unix_socket(path: Path) -> None:
    with scripted(path, switch(b"mysql_clear_password", OK)):
        wire, _ = log_in(local(path), later())
        wire.channel.close()


def test_the_passwords_of_mysql_8(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server asks for the password itself where it does not know it from before: 4."""
    with scripted(path, switch(b"caching_sha2_password", b"\1\4", OK)):
        wire, _ = log_in(local(path), later())  # a unix socket is safe
        wire.channel.close()
    monkeypatch.setattr(_auth, "_have_cryptography", False)
    talk = switch(b"caching_sha2_password", b"\1\4", b"\1a public key")
    assert over_tcp(talk, failure) == (
        "the account's password (caching_sha2_password or sha256_password) can be sent over a unix"
        " socket, over TLS ('ssl yes'), or with the package cryptography"
    )


def test_a_way_that_nobody_knows(path: Path) -> None:
    with scripted(path, switch(b"parsec")):
        assert "not configured" in failure(local(path))


def test_a_server_that_wants_a_file(path: Path) -> None:
    """LOCAL INFILE: a server may ask for any file of the client, whatever the statement was."""

    def talk(end: socket.socket) -> None:
        greeted(end, greeting())
        end.sendall(packet(2, OK))
        while receive(end):
            end.sendall(packet(1, b"\xfb/etc/passwd"))

    with scripted(path, talk):
        assert failure(local(path))


def test_the_deadline_of_the_login(path: Path) -> None:
    def talk(end: socket.socket) -> None:
        greeted(end, greeting())
        for byte in packet(2, OK):
            end.sendall(bytes([byte]))
            sleep(0.02)

    with scripted(path, talk), pytest.raises(ServerLate):
        log_in(local(path), monotonic() + 0.1)


@pytest.mark.parametrize("name", ["utf8mb4", "utf8", "latin1", "koi8r"])
def test_charsets(name: str) -> None:
    assert knows_charset(name)


def test_a_charset_that_cannot_be_loaded_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the sandbox, files of Python's own cannot be read."""

    def refuse(name: str) -> None:
        raise PermissionError(13, "Permission denied", f"/usr/lib/python3.11/encodings/{name}.py")

    monkeypatch.setattr("codecs.lookup", refuse)
    with pytest.raises(ConfigError, match="charset latin1 was not in use at the start; restart sm"):
        knows_charset("latin1")


def test_no_charset() -> None:
    assert not knows_charset("klingon; DROP TABLE a")


@pytest.mark.parametrize(
    "answer",
    [
        result([(b"x" * 60_000,)] * 100),
        packet(1, b"\xfb/etc/passwd"),
        packet(1, b"\1"),
        b"\xff\xff\xff\1" + b"x" * 1000,
        packet(1, OK) + packet(2, OK),
    ],
    ids=["rows", "file", "columns", "large", "twice"],
)
def test_no_answer_to_a_setting(path: Path, answer: bytes) -> None:
    def talk(end: socket.socket) -> None:
        greeted(end, greeting())
        end.sendall(packet(2, OK))
        while receive(end):
            end.sendall(answer)

    with scripted(path, talk):
        assert failure(local(path))


def test_a_greeting_without_an_end(path: Path) -> None:
    """PyMySQL puts together all packets of 16 MiB that follow each other."""

    def talk(end: socket.socket) -> None:
        while True:
            end.sendall(b"\xff\xff\xff\0" + bytes(0xFFFFFF))

    with scripted(path, talk):
        assert failure(local(path)) == "a packet of more than 1048576 bytes"


def test_ways_without_an_end(path: Path) -> None:
    """The server wants the password proved in one way after the other, and never says OK."""
    for say in (b"\xfemysql_native_password\0" + b"x" * 20 + b"\0", b"\1\3"):
        later_says = say

        def talk(end: socket.socket) -> None:
            greeted(end, greeting(b"8.4.3", b"caching_sha2_password"))
            for number in range(2, 200):
                end.sendall(packet(number, later_says))  # noqa: B023  at once
                sleep(0.01)

        with scripted(path, talk), pytest.raises((ServerLost, ServerLate)):
            log_in(local(path), monotonic() + 0.3)
        path.unlink()


def greeting_of(
    version: bytes, capabilities: int, more: bytes, plugin: bytes, charset: int
) -> bytes:
    """Return a greeting with all that a server can do."""
    low, high = struct.pack("<I", capabilities)[:2], struct.pack("<I", capabilities)[2:]
    head = b"\x0a" + version + b"\0" + struct.pack("<I", 12) + b"saltsalt\0"
    rest = low + bytes([charset]) + b"\2\0" + high + b"\x15" + more.rjust(10, b"\0")
    return packet(0, head + rest + b"morescramble\0" + plugin + b"\0")


NATIVE, SHA2 = b"mysql_native_password", b"caching_sha2_password"


@pytest.mark.parametrize(
    ("version", "capabilities", "more", "plugin", "charset"),
    [
        (b"5.7.44-log", 0xC1FFFFFF, b"", NATIVE, 8),
        (b"8.0.40", 0xDFFFFFFF, b"", SHA2, 255),
        (b"8.4.3", 0xDFFFFFFF, b"", SHA2, 255),
        (b"9.1.0", 0xDFFFFFFF, b"", SHA2, 255),
        (b"8.0.mysql_aurora.3.04.0", 0xC1FFFFFF, b"", NATIVE, 45),
        (b"5.7.25-TiDB-v7.5.0", 0x008FA68D | 1 << 19, b"", NATIVE, 46),
        (b"5.5.5-10.3.39-MariaDB", 0x81BFFFFE, b"\x07\0\0\0", NATIVE, 8),
        (b"5.5.5-10.11.6-MariaDB-0+deb12u1", 0x81FFFFFE, b"\x1d\0\0\0", NATIVE, 45),
        (b"11.4.5-MariaDB", 0x81FFFFFE, b"\x3d\0\0\0", NATIVE, 45),
        (b"11.8.3-MariaDB-0+deb13u1", 0x81FFFFFE, b"\x3d\0\0\0", NATIVE, 45),
    ],
)  # fmt: skip
def test_greetings(
    path: Path, version: bytes, capabilities: int, more: bytes, plugin: bytes, charset: int
) -> None:
    """Of all that a server offers, nothing is taken that changes what packets look like.

    Source: Protocol::HandshakeV10 and the Capabilities Flags of MySQL 9.1's documentation, the
    connection phase in MariaDB's.
    """
    told: list[bytes] = []

    def talk(end: socket.socket) -> None:
        told.append(greeted(end, greeting_of(version, capabilities, more, plugin, charset)))
        end.sendall(packet(2, b"\1\3") + packet(3, OK) if plugin == SHA2 else packet(2, OK))
        while receive(end):
            end.sendall(packet(1, OK))

    with scripted(path, talk):
        wire, _ = log_in(local(path), later())
        wire.channel.close()
    flags = int.from_bytes(told[0][:4], "little")
    compress, files, tracked, no_end, no_columns, zstd, attributes = 5, 7, 23, 24, 25, 26, 27
    for bit in (compress, files, tracked, no_end, no_columns, zstd, attributes):
        assert not flags >> bit & 1, bit
    assert plugin in told[0]
    assert PASSWORD not in told[0]


# --- TLS ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tls") / "pem"
    path.write_bytes(certificates.certificate("localhost") + certificates.key_pem(certificates.KEY))
    return path


def encrypting(pem: Path, heard: list[bytes]) -> Talk:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(pem)

    def talk(end: socket.socket) -> None:
        heard.append(greeted(end, greeting(tls=True)))
        try:
            with made.wrap_socket(end, server_side=True) as inner:
                heard.append(receive(inner))
                inner.sendall(packet(3, OK))
                while receive(inner):
                    inner.sendall(packet(1, OK))
        except ssl.SSLError:
            return

    return talk


def logged_in(login: MysqlLogin) -> str:
    wire, _ = log_in(login, later())
    wire.channel.close()
    return ""


def unnamed(pem: Path) -> ssl.SSLContext:
    """Trust it, whatever its name."""
    context = tls.context(str(pem))
    context.check_hostname = False
    return context


def test_nothing_is_said_before_tls(pem: Path) -> None:
    heard: list[bytes] = []
    over_tcp(encrypting(pem, heard), logged_in, tls=unnamed(pem))
    assert len(heard[0]) == 32  # the request of TLS, without a name
    assert b"smtpd\0" in heard[1]


@pytest.mark.parametrize("trusting", [False, True])
def test_a_certificate_that_is_refused(pem: Path, trusting: bool) -> None:
    """Of a stranger, or with another name than that of the server, here an address."""
    heard: list[bytes] = []
    context = tls.context(str(pem) if trusting else "")
    said = over_tcp(encrypting(pem, heard), failure, tls=context)
    assert said.startswith("its certificate is refused: ")
    assert len(heard) == 1


def test_a_server_without_tls() -> None:
    """Or somebody who takes the offer away: nothing is said then."""
    heard: list[bytes] = []

    def talk(end: socket.socket) -> None:
        heard.append(greeted(end, greeting()))

    assert over_tcp(talk, failure, tls=tls.context("")) == "the server offers no TLS"
    assert heard == [b""]
