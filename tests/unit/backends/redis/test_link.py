import socket
import ssl
import sys
import threading
from pathlib import Path
from time import monotonic

import pytest

from opensmtpd.backends.redis.link import AWAY, RedisLink
from opensmtpd.backends.redis.place import RedisPlace
from opensmtpd.backends.redis.resp import RespFailure, RespReply, pack
from opensmtpd.errors import ConfigError, ServerLate, ServerLost
from unit.support import certificates
from unit.support.scripted_server import Talk, says, scripted, then_closes, trickles

PONG = b"+PONG\r\n"
GET = pack([b"GET", b"k"])


def later() -> float:
    return monotonic() + 10


def opened(tmp_path: Path) -> RedisLink:
    link = RedisLink(RedisPlace(path=str(tmp_path / "s")))
    link.open(later())
    return link


def asked(tmp_path: Path, answer: bytes, count: int = 1) -> list[RespReply]:
    """Return the replies to that many commands."""
    with scripted(tmp_path / "s", says(PONG, answer)):
        link = opened(tmp_path)
        try:
            return link.exchange(GET * count, count, later())
        finally:
            link.close()


def test_it_greets_by_ping_alone(tmp_path: Path) -> None:
    received: list[bytes] = []
    with scripted(tmp_path / "s", recording(received, PONG)):
        opened(tmp_path).close()
    assert received == [b"*1\r\n$4\r\nPING\r\n"]


def recording(received: list[bytes], answer: bytes) -> Talk:
    def talk(end: socket.socket) -> None:
        received.append(end.recv(65536))
        end.sendall(answer)
        end.recv(1)

    return talk


@pytest.mark.parametrize(
    ("place", "sent", "answer"),
    [
        (RedisPlace(password="pass wörd"), "AUTH|pass wörd|PING", b"+OK\r\n+PONG\r\n"),
        (RedisPlace(user="u", password="p"), "AUTH|u|p|PING", b"+OK\r\n+PONG\r\n"),
        (RedisPlace(database=7), "SELECT|7|PING", b"+OK\r\n+PONG\r\n"),
        (
            RedisPlace(user="u", password="p", database=1),
            "AUTH|u|p|SELECT|1|PING",
            b"+OK\r\n+OK\r\n+PONG\r\n",
        ),
        # A user who may do little is none who may do nothing.
        (
            RedisPlace(),
            "PING",
            b"-NOPERM this user has no permissions to run the 'ping' command\r\n",
        ),
    ],
)
def test_it_logs_in_and_chooses_the_database(
    tmp_path: Path, place: RedisPlace, sent: str, answer: bytes
) -> None:
    received: list[bytes] = []
    with scripted(tmp_path / "s", recording(received, answer)):
        link = RedisLink(place._replace(path=str(tmp_path / "s")))
        link.open(later())
        link.close()
    words = [each for each in received[0].decode().split("\r\n") if each[:1] not in ("*", "$")]
    assert [word for word in words if word] == sent.split("|")


@pytest.mark.parametrize(
    ("place", "answer", "error"),
    [
        (
            RedisPlace(password="secret"),
            b"-WRONGPASS invalid\r\n+PONG\r\n",
            "refuses AUTH: WRONGPASS invalid$",
        ),
        (
            RedisPlace(password="secret"),
            b"-ERR unknown command 'AUTH', with args beginning with: 'secret'\r\n+PONG\r\n",
            "refuses AUTH: ERR$",
        ),
        (
            RedisPlace(database=99),
            b"-ERR DB index is out of range\r\n+PONG\r\n",
            "refuses SELECT: ERR DB index is out of range$",
        ),
        (
            RedisPlace(),
            b"-NOAUTH Authentication required.\r\n",
            "refuses PING: NOAUTH Authentication required.$",
        ),
        (RedisPlace(), b"-LOADING Valkey is loading the dataset in memory\r\n", "it says LOADING"),
        (RedisPlace(), b"220 mail.example ESMTP\r\n", "another protocol"),
    ],
)
def test_a_server_that_does_not_let_us_in(
    tmp_path: Path, place: RedisPlace, answer: bytes, error: str
) -> None:
    link = RedisLink(place._replace(path=str(tmp_path / "s")))
    with scripted(tmp_path / "s", says(answer)), pytest.raises(ServerLost, match=error) as raised:
        link.open(later())
    assert "secret" not in str(raised.value)
    with pytest.raises(ServerLost, match="not connected"):
        link.exchange(GET, 1, later())


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (
            b"-ERR max number of clients reached\r\n",
            "refuses AUTH: ERR max number of clients reached$",
        ),
        (
            b"-DENIED Valkey is running in protected mode\r\n",
            "refuses AUTH: DENIED Valkey is running",
        ),
    ],
)
def test_a_server_that_closes_before_it_is_asked(tmp_path: Path, said: bytes, error: str) -> None:
    place = RedisPlace(path=str(tmp_path / "s"), password="secret", database=1)
    talk = then_closes(said)
    with scripted(tmp_path / "s", talk), pytest.raises(ServerLost, match=error):
        RedisLink(place).open(later())


def test_more_replies_to_the_greeting_than_commands(tmp_path: Path) -> None:
    link = RedisLink(RedisPlace(path=str(tmp_path / "s")))
    with scripted(tmp_path / "s", says(PONG * 2)), pytest.raises(ServerLost, match="unasked"):
        link.open(later())


def test_replies_come_in_order(tmp_path: Path) -> None:
    assert asked(tmp_path, b"$1\r\na\r\n") == [b"a"]
    (tmp_path / "s").unlink()
    assert asked(tmp_path, b"$-1\r\n$1\r\na\r\n-ERR no\r\n", 3) == [
        None,
        b"a",
        RespFailure("ERR no"),
    ]


def test_a_reply_in_pieces(tmp_path: Path) -> None:
    pieces = trickles(b"*2\r\n$5\r\nalice\r\n$-1\r\n", 0.001, [PONG])
    with scripted(tmp_path / "s", pieces):
        link = opened(tmp_path)
        assert link.exchange(GET, 1, later()) == [[b"alice", None]]
        link.close()


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"$1\r\na\r\n$1\r\nb\r\n", "unasked"),
        (b"$1\r\na\r\n*", "unasked"),
        (b"HTTP/1.0 200 OK\r\n", "another protocol"),
        (b"$99999999\r\n", "more than"),
        *((f"-{code} for now\r\n".encode(), f"it says {code} for now") for code in sorted(AWAY)),
    ],
)
def test_a_link_is_closed_behind_what_is_no_answer(
    tmp_path: Path, answer: bytes, error: str
) -> None:
    with scripted(tmp_path / "s", says(PONG, answer, b"$6\r\nothers\r\n")):
        link = opened(tmp_path)
        with pytest.raises(ServerLost, match=error):
            link.exchange(GET, 1, later())
        with pytest.raises(ServerLost, match="not connected"):
            link.exchange(GET, 1, later())


def test_a_server_that_closes_in_the_middle(tmp_path: Path) -> None:
    with scripted(tmp_path / "s", then_closes(PONG, b"$5\r\nal")):
        link = opened(tmp_path)
        with pytest.raises(ServerLost, match="closed the connection"):
            link.exchange(GET, 1, later())


def test_a_reply_that_is_late_is_never_seen(tmp_path: Path) -> None:
    """The reply to the first question comes when the second is asked, on another connection."""

    def slow(end: socket.socket) -> None:
        end.recv(100)
        end.sendall(PONG)
        end.recv(100)
        end.recv(100)  # closed by then
        end.sendall(b"$5\r\nfirst\r\n")

    with scripted(tmp_path / "s", slow, says(PONG, b"$6\r\nsecond\r\n")):
        link = opened(tmp_path)
        with pytest.raises(ServerLate):
            link.exchange(GET, 1, monotonic() + 0.05)
        link.open(later())
        assert link.exchange(GET, 1, later()) == [b"second"]
        link.close()


def test_a_reply_that_trickles_in_ends_at_the_deadline(tmp_path: Path) -> None:
    endless = trickles(b"*10000\r\n" + b":1\r\n" * 10_000, 0.01, [PONG])
    with scripted(tmp_path / "s", endless):
        link = opened(tmp_path)
        with pytest.raises(ServerLate):
            link.exchange(GET, 1, monotonic() + 0.1)


def test_an_answer_that_came_unasked_answers_nothing(tmp_path: Path) -> None:
    said = threading.Event()

    def talk(end: socket.socket) -> None:
        end.recv(100)
        end.sendall(PONG)
        end.sendall(b"$5\r\nother\r\n")
        said.set()
        end.recv(100)

    with scripted(tmp_path / "s", talk):
        link = RedisLink(RedisPlace(path=str(tmp_path / "s")))
        with pytest.raises(ServerLost, match="unasked"):  # at once, or with the question
            open_and_ask(link, said)


def open_and_ask(link: RedisLink, said: threading.Event) -> None:
    link.open(later())
    said.wait()
    link.exchange(GET, 1, later())


def test_within_tls(tmp_path: Path) -> None:
    pem = tmp_path / "pem"
    pem.write_bytes(
        certificates.certificate("redis.example") + certificates.key_pem(certificates.KEY)
    )

    def talk(end: socket.socket) -> None:
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(pem)
        with made.wrap_socket(end, server_side=True) as inner:
            says(PONG, b"$1\r\na\r\n")(inner)

    place = RedisPlace("redis.example", path=str(tmp_path / "s"), tls=True, authorities=str(pem))
    with scripted(tmp_path / "s", talk):
        link = RedisLink(place)
        link.open(later())
        assert link.exchange(GET, 1, later()) == [b"a"]
        link.close()


def test_certificates_are_read_when_it_is_made(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot use it for TLS"):
        RedisLink(RedisPlace(tls=True, authorities=str(tmp_path / "none")))


def test_tls_that_cannot_be_loaded_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the sandbox, files of Python's own cannot be read."""
    monkeypatch.delattr("opensmtpd.backends.network.tls", raising=False)
    monkeypatch.setitem(sys.modules, "opensmtpd.backends.network.tls", None)
    with pytest.raises(ConfigError, match="TLS was not in use at the start; restart smtpd"):
        RedisLink(RedisPlace(tls=True))
