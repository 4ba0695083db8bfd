import socket
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep

import pytest

from opensmtpd.backends.mysql.connection import MysqlConnection, MysqlQuery
from opensmtpd.backends.mysql.login import MysqlLogin
from opensmtpd.backends.network.connection import Reconnecting
from opensmtpd.errors import ServerLate, ServerLost, ServerRefused, Unavailable
from unit.support.mysql_server import (
    Answer,
    CutOff,
    Overheard,
    Statements,
    UntilAnswered,
    error,
    log_in,
    packet,
    receive,
    result,
    serves,
)
from unit.support.scripted_server import Talk, scripted

SQL = "SELECT v FROM a WHERE k = ?"
QUERIES = {
    "query_alias": MysqlQuery(SQL, 3, 1, True, False),
    "query_credentials": MysqlQuery("SELECT u, h FROM c WHERE k = ?", 4, 2, True, False),
    "query_userinfo": MysqlQuery("SELECT 1, 2, '/h'", 5, 3, True, True),
    "fetch_source": MysqlQuery("SELECT s FROM s", 6, 1, False, False),
}


def echo(key: bytes) -> bytes:
    return result([(b"value of " + key,)])


KNOWN: Statements = {
    SQL.encode(): Answer(echo),
    b"SELECT u, h FROM c WHERE k = ?": Answer(lambda key: result([(key, None)], 2), 1, 2),
    b"SELECT 1, 2, '/h'": Answer(lambda _: result([(b"1", b"2", b"/h")], 3), 0, 3),
    b"SELECT s FROM s": Answer(lambda _: result([(b"192.0.2.1",), (b"192.0.2.2",)]), 0, 1),
}


def soon() -> float:
    return monotonic() + 0.2


def later() -> float:
    return monotonic() + 10


def to(path: Path, queries: dict[str, MysqlQuery] | None = None) -> MysqlConnection:
    login = MysqlLogin((str(path),), "", 0, b"smtpd", b"secret", b"mail", "utf8mb4", 1.0, None)
    return MysqlConnection((login, queries or QUERIES))


def asked_anew(connection: MysqlConnection, until: float) -> None:
    connection.connect(until)
    connection.ask([["query_alias", "k"]], until)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "s"


def test_questions_and_rows(path: Path) -> None:
    with scripted(path, serves(KNOWN)):
        connection = to(path)
        connection.connect(later())
        asked = [["query_alias", "ann"], ["query_credentials", "é"], ["fetch_source"]]
        assert connection.ask(asked, later()) == [
            [["value of ann"]],
            [["é", None]],
            [["192.0.2.1"], ["192.0.2.2"]],
        ]
        assert connection.ask([["query_userinfo", "any"]], later()) == [[["1", "2", "/h"]]]
        assert connection.ask([["query_alias", "\udcff"]], later()) == [[["value of \udcff"]]]
        connection.close()
        connection.close()


def test_a_session_that_only_reads(path: Path) -> None:
    settings: list[bytes] = []
    with scripted(path, serves(KNOWN, settings)):
        connection = to(path)
        connection.connect(later())
        connection.close()
    assert [setting for setting in settings if b"NAMES" not in setting] == [
        b"SET SESSION autocommit = 1, lock_wait_timeout = 1",
        b"SET SESSION TRANSACTION READ ONLY",
        b"SET SESSION max_statement_time = 1.0",
    ]


def test_nothing_is_wrong(path: Path) -> None:
    with scripted(path, serves(KNOWN)):
        connection = to(path)
        connection.connect(later())
        assert connection.check(later()) == []
        connection.close()


def test_what_is_wrong(path: Path) -> None:
    queries = {
        "query_alias": MysqlQuery("SELEKT", 3, 1, True, False),
        "query_domain": MysqlQuery("SELECT s FROM s", 4, 1, True, False),
        "query_credentials": MysqlQuery(SQL, 5, 2, True, False),
        "fetch_source": MysqlQuery(SQL, 6, 1, False, False),
        "query_source": MysqlQuery(SQL, 7, 1, True, False),
    }
    with scripted(path, serves(KNOWN)):
        connection = to(path, queries)
        connection.connect(later())
        faults = connection.check(later())
        with pytest.raises(ServerRefused, match="query_domain"):
            connection.ask([["query_domain", "k"]], later())
        connection.close()
    assert [fault[1:] for fault in faults] == [[3, ""], [4, ""], [5, ""], [6, ""]]
    assert [fault[0] for fault in faults] == [
        "query_alias: error 1064: You have an error in your SQL",
        "query_domain: it never uses the key, so all keys have one answer: put ? where the key"
        " belongs",
        "query_credentials: it gives 1 columns and should give 2",
        "fetch_source: there is a '?', and nothing to put there",
    ]


def test_what_cannot_be_used_is_forgotten(path: Path) -> None:
    """The server keeps a number of statements for all its clients, and refuses those over it."""
    heard: list[bytes] = []
    with scripted(path, lambda end: serves(KNOWN)(Overheard(end, heard))):
        connection = to(path, {"query_domain": MysqlQuery("SELECT s FROM s", 4, 1, True, False)})
        connection.connect(later())
        for _ in range(3):
            with pytest.raises(ServerRefused, match="never uses the key"):
                connection.ask([["query_domain", "k"]], later())
        connection.close()
    assert [each for each in heard if each[:1] == b"\x19"] == [b"\x19\1\0\0\0"] * 3


def stolen(key: bytes) -> bytes:
    return echo(key) + result([(b"value of another",)])


def stolen_later(end: socket.socket) -> None:
    """Say more when the answer has been read."""

    def give(key: bytes) -> bytes:
        end.sendall(echo(key))
        sleep(0.02)
        return result([(b"value of another",)])

    serves({SQL.encode(): Answer(give)})(end)


def stolen_behind_an_error(key: bytes) -> bytes:
    return packet(1, error(1370, b"denied")) + result([(b"value of another",)])


@pytest.mark.parametrize(
    "talk",
    [
        serves({SQL.encode(): Answer(stolen)}),
        stolen_later,
        serves({SQL.encode(): Answer(stolen_behind_an_error)}),
    ],
)
def test_an_answer_too_many_is_no_answer_to_the_next(path: Path, talk: Talk) -> None:
    with scripted(path, talk, serves(KNOWN)):
        asker = Reconnecting(to(path))
        with suppress(ServerRefused):
            assert asker.ask([["query_alias", "a"]], later()) == [[["value of a"]]]
        sleep(1.0)
        assert asker.ask([["query_alias", "b"]], later()) == [[["value of b"]]]
        asker.close()


def test_an_error_of_the_server_leaves_the_connection(path: Path) -> None:
    def give(key: bytes) -> bytes:
        return packet(1, error(1370, b"denied")) if key == b"bad" else echo(key)

    with scripted(path, serves({SQL.encode(): Answer(give)})):
        connection = to(path)
        connection.connect(later())
        with pytest.raises(ServerRefused, match="error 1370: denied"):
            connection.ask([["query_alias", "bad"]], later())
        assert connection.ask([["query_alias", "good"]], later()) == [[["value of good"]]]
        connection.close()


def test_rows_without_end_are_left(path: Path) -> None:
    """The next question goes over another connection, and finds nothing of them."""
    many = Answer(lambda _: result([(b"x" * 60_000,)] * 30))
    with scripted(path, serves({SQL.encode(): many}), serves(KNOWN)):
        asker = Reconnecting(to(path))
        with pytest.raises(ServerRefused, match="more than 1048576 bytes"):
            asker.ask([["query_alias", "k"]], later())
        assert asker.ask([["query_alias", "k"]], later()) == [[["value of k"]]]
        asker.close()


def test_a_server_that_closed_meanwhile(path: Path) -> None:
    def once(end: socket.socket) -> None:
        serves(KNOWN)(UntilAnswered(end, b"\x17"))

    with scripted(path, once, serves(KNOWN)):
        asker = Reconnecting(to(path))
        assert asker.ask([["query_alias", "a"]], later()) == [[["value of a"]]]
        assert asker.ask([["query_alias", "b"]], later()) == [[["value of b"]]]
        asker.close()


def silent(end: socket.socket) -> None:
    while end.recv(65536):
        pass


def silent_when_asked(end: socket.socket) -> None:
    log_in(end)
    while command := receive(end):
        if command[0] == 0x16:
            silent(end)
        elif command[0] == 3:
            end.sendall(packet(1, b"\0\0\0\2\0\0\0"))


def trickling(end: socket.socket) -> None:
    """Each byte comes in time, but not all."""

    def give(_: bytes) -> bytes:
        for byte in result([(b"alice",)] * 100):
            end.sendall(bytes([byte]))
            sleep(0.02)
        return b""

    serves({SQL.encode(): Answer(give)})(end)


def endless(end: socket.socket) -> None:
    def give(_: bytes) -> bytes:
        answer = result([(b"",)])[:-9]
        end.sendall(answer)
        number = 5
        while True:
            end.sendall(packet(number, b"\0\0\0"))
            number += 1

    serves({SQL.encode(): Answer(give)})(end)


@pytest.mark.parametrize("talk", [silent, silent_when_asked, trickling])
def test_the_deadline_is_one_for_all(path: Path, talk: Talk) -> None:
    """However the server says nothing, or too little; in the login, too."""
    with scripted(path, talk):
        connection = to(path)
        until = soon()
        with pytest.raises(ServerLate):
            asked_anew(connection, until)
        assert monotonic() >= until
        connection.close()


def test_an_endless_answer(path: Path) -> None:
    with scripted(path, endless):
        connection = to(path)
        connection.connect(later())
        with pytest.raises((ServerRefused, ServerLate)):
            connection.ask([["query_alias", "k"]], soon())
        connection.close()


@pytest.mark.parametrize(
    "greet",
    [b"", b"SSH-2.0-OpenSSH\r\n", b"\0" * 100, b"\xff" * 100, packet(0, b""), packet(0, b"\x0a"),
     packet(0, error(1040, b"Too many connections", b"08004")), packet(1, b"\x0a" + bytes(80))],
)  # fmt: skip
def test_no_server_of_ours(path: Path, greet: bytes) -> None:
    def talk(end: socket.socket) -> None:
        end.sendall(greet)
        end.shutdown(socket.SHUT_WR)
        silent(end)

    with scripted(path, talk):
        connection = to(path)
        with pytest.raises(ServerLost):
            connection.connect(later())
        connection.close()


def test_no_server_at_all(path: Path) -> None:
    connection = to(path)
    with pytest.raises(ServerLost):
        connection.connect(later())
    with pytest.raises(ServerLost):
        connection.ask([["query_alias", "k"]], later())
    with pytest.raises(ServerLost):
        connection.check(later())
    connection.close()


def test_closed_in_the_middle_of_anything(path: Path) -> None:
    """Wherever the server closes, it is lost, and another connection answers right."""
    whole: list[int] = []

    def counted(end: socket.socket) -> None:
        serves(KNOWN)(CutOff(end, 10**9, whole.append))

    with scripted(path, counted):
        connection = to(path)
        asked_anew(connection, later())
        connection.close()
    path.unlink()
    cuts = range(0, whole[-1], 7)
    talks = [lambda end, cut=cut: serves(KNOWN)(CutOff(end, cut, whole.append)) for cut in cuts]
    with scripted(path, *talks):
        for _ in cuts:
            connection = to(path)
            with pytest.raises(Unavailable):
                asked_anew(connection, later())
            connection.close()
