import socket
import ssl
from pathlib import Path
from time import monotonic

import pytest

from opensmtpd.backends.network import tls
from opensmtpd.errors import ConfigError, ServerLate, ServerLost
from unit.support import certificates
from unit.support.scripted_server import Talk, says, scripted, then_closes, trickles

NAME = "redis.example"


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file with a certificate of NAME, which is its own authority, and its key."""
    path = tmp_path_factory.mktemp("tls") / "pem"
    path.write_bytes(certificates.certificate(NAME) + certificates.key_pem(certificates.KEY))
    return path


def later() -> float:
    return monotonic() + 10


def within(pem: Path, talk: Talk) -> Talk:
    """Return a talk in TLS."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(pem)

    def encrypted(end: socket.socket) -> None:
        with made.wrap_socket(end, server_side=True) as inner:
            talk(inner)

    return encrypted


def test_bytes_go_out_and_come_in(tmp_path: Path, pem: Path) -> None:
    context = tls.context(str(pem))
    with scripted(tmp_path / "s", within(pem, says(b"one", b"two"))):
        end = tls.connect(str(tmp_path / "s"), context, NAME, later())
        end.quiet()  # tickets of TLS 1.3 are nothing unasked
        end.send(b"a", later())
        assert end.receive(later()) == b"one"
        end.quiet()
        end.send(b"b", later())
        assert end.receive(later()) == b"two"
        end.close()
        end.close()


def test_much_at_once(tmp_path: Path, pem: Path) -> None:
    def talk(end: socket.socket) -> None:
        size = 0
        while size < 3_000_000:
            size += len(end.recv(65536))
        end.sendall(b"y" * 500_000)

    with scripted(tmp_path / "s", within(pem, talk)):
        end = tls.connect(str(tmp_path / "s"), tls.context(str(pem)), NAME, later())
        end.send(b"x" * 3_000_000, later())
        read = b""
        while len(read) < 500_000:
            read += end.receive(later())
        end.close()
    assert read == b"y" * 500_000


def test_a_certificate_of_another_name_is_refused(tmp_path: Path, pem: Path) -> None:
    with (
        scripted(tmp_path / "s", within(pem, says())),
        pytest.raises(ServerLost, match=r"certificate is refused: .*other\.example"),
    ):
        tls.connect(str(tmp_path / "s"), tls.context(str(pem)), "other.example", later())


def test_a_certificate_of_nobody_we_trust_is_refused(tmp_path: Path, pem: Path) -> None:
    with (
        scripted(tmp_path / "s", within(pem, says())),
        pytest.raises(ServerLost, match="certificate is refused: self-signed"),
    ):
        tls.connect(str(tmp_path / "s"), tls.context(""), NAME, later())


def test_a_server_without_tls(tmp_path: Path, pem: Path) -> None:
    with (
        scripted(tmp_path / "s", says(b"-ERR unknown command\r\n")),
        pytest.raises(ServerLost, match="TLS fails: "),
    ):
        tls.connect(str(tmp_path / "s"), tls.context(str(pem)), NAME, later())


def test_a_server_that_never_shakes_hands(tmp_path: Path, pem: Path) -> None:
    with scripted(tmp_path / "s", says(b"")), pytest.raises(ServerLate):
        tls.connect(str(tmp_path / "s"), tls.context(str(pem)), NAME, monotonic() + 0.1)


def test_the_time_is_absolute(tmp_path: Path, pem: Path) -> None:
    with scripted(tmp_path / "s", within(pem, trickles(b"x" * 1000, 0.01))):
        end = tls.connect(str(tmp_path / "s"), tls.context(str(pem)), NAME, later())
        end.send(b"?", later())
        until = monotonic() + 0.2
        read: list[bytes] = []
        with pytest.raises(ServerLate):
            read.extend(end.receive(until) for _ in range(1000))
        end.close()
    assert 0 < len(read) < 100


def test_closed_by_the_server(tmp_path: Path, pem: Path) -> None:
    with scripted(tmp_path / "s", within(pem, then_closes(b"one"))):
        end = tls.connect(str(tmp_path / "s"), tls.context(str(pem)), NAME, later())
        end.send(b"?", later())
        assert end.receive(later()) == b"one"
        with pytest.raises(ServerLost, match="closed the connection"):
            end.receive(later())
        with pytest.raises(ServerLost, match="closed the connection"):
            end.quiet()
        end.close()


def test_bytes_that_nobody_asked_for(tmp_path: Path, pem: Path) -> None:
    with scripted(tmp_path / "s", within(pem, says(b"onetwo"))):
        end = tls.connect(str(tmp_path / "s"), tls.context(str(pem)), NAME, later())
        end.send(b"?", later())
        assert end._retried(lambda: end._end.recv(3), later()) == b"one"
        with pytest.raises(ServerLost, match="unasked"):
            end.quiet()
        end.close()


def test_our_own_certificate_is_shown(tmp_path: Path, pem: Path) -> None:
    shown: list[bytes | None] = []

    def talk(end: socket.socket) -> None:
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(pem)
        made.load_verify_locations(pem)
        made.verify_mode = ssl.CERT_REQUIRED
        with made.wrap_socket(end, server_side=True) as inner:
            shown.append(inner.getpeercert(True))
            says(b"yes")(inner)

    context = tls.context(str(pem), str(pem))
    with scripted(tmp_path / "s", talk):
        end = tls.connect(str(tmp_path / "s"), context, NAME, later())
        end.send(b"?", later())
        assert end.receive(later()) == b"yes"
        end.close()
    assert shown == [ssl.PEM_cert_to_DER_cert(pem.read_text().partition("-----BEGIN PRIV")[0])]


def test_files_that_cannot_be_used(tmp_path: Path, pem: Path) -> None:
    odd = tmp_path / "odd"
    odd.write_text("no certificate")
    locked = tmp_path / "locked"
    locked.write_bytes(
        certificates.certificate(NAME) + certificates.key_pem(certificates.KEY, b"secret")
    )
    for authorities, certificate in [
        (str(odd), ""),
        (str(tmp_path / "none"), ""),
        (str(pem), str(odd)),
        (str(pem), str(locked)),
    ]:
        with pytest.raises(ConfigError, match="cannot use it for TLS") as raised:
            tls.context(authorities, certificate)
        assert raised.value.path == (certificate or authorities)
