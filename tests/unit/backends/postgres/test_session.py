import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

import pytest

from opensmtpd.backends.postgres import session as tested
from opensmtpd.backends.postgres.conninfo import string, targets
from opensmtpd.backends.postgres.session import PostgresSession
from opensmtpd.errors import ServerLate, ServerLost, ServerRefused
from unit.support.postgres_server import (
    READY,
    WELCOME,
    described,
    folder_conninfo,
    message,
    place,
    refusal,
    row,
    rows_of,
)
from unit.support.scripted_server import Talk, says, scripted, then_closes, trickles

SOON, LONG = 0.3, 10.0
ROWS: list[list[bytes | None]] = [[b"one", None, b""], [b"\xff\xc3\xa9", b"a\nb", b"x" * 3000]]
CELLS = [["one", None, ""], ["\udcff\xe9", "a\nb", "x" * 3000]]


@contextmanager
def connected(folder: Path, *talks: Talk) -> Iterator[PostgresSession]:
    with scripted(place(folder), *talks):
        session = PostgresSession()
        options = folder_conninfo(folder)
        try:
            session.open(string(options, targets(options)[0]), monotonic() + LONG)
            yield session
        finally:
            session.close()


def ask(session: PostgresSession, seconds: float = LONG) -> list[list[str | None]]:
    return session.rows(
        lambda conn: conn.send_query_prepared(b"q", [b"key"]), monotonic() + seconds
    )


def ask_all(session: PostgresSession) -> None:
    session.all([[lambda conn: conn.send_query_prepared(b"q", [b"key"])]], monotonic() + LONG)


def listed(session: PostgresSession, seconds: float = LONG) -> list[list[str | None]]:
    step = lambda conn: conn.send_query_prepared(b"q", [])  # noqa: E731  one line of a test
    return session.listed(step, monotonic() + seconds)


def test_cells(tmp_path: Path) -> None:
    """NULL is not empty, and bytes that are no UTF-8 are kept."""
    with connected(tmp_path, says(WELCOME, rows_of(ROWS), rows_of([]), rows_of(ROWS))) as session:
        assert ask(session) == CELLS
        assert ask(session) == []
        assert listed(session) == CELLS


def test_byte_by_byte(tmp_path: Path) -> None:
    answer = rows_of([[b"value"]])
    with connected(tmp_path, trickles(answer, 0, [WELCOME])) as session:
        assert ask(session) == [["value"]]


def test_a_reply_that_trickles_in(tmp_path: Path) -> None:
    """Each byte comes in time, and all together do not."""
    with connected(tmp_path, trickles(rows_of([[b"v" * 400]]), 0.05, [WELCOME])) as session:
        begin = monotonic()
        with pytest.raises(ServerLate, match="no answer in time"):
            ask(session, SOON)
        assert monotonic() - begin >= SOON


def test_silence(tmp_path: Path) -> None:
    with connected(tmp_path, says(WELCOME, b"")) as session, pytest.raises(ServerLate):
        ask(session, SOON)


@pytest.mark.parametrize("cut", [1, 5, 30, -1])
def test_an_end_in_the_middle(tmp_path: Path, cut: int) -> None:
    answer = rows_of([[b"value"]])
    talk = then_closes(WELCOME, answer[:cut])
    with connected(tmp_path, talk) as session, pytest.raises(ServerLost):
        ask(session)


@pytest.mark.parametrize(
    "garbage", [b"\xff" * 50, b"HTTP/1.1 400 Bad Request\r\n\r\n", b"D\0\0\0\4"]
)
def test_garbage(tmp_path: Path, garbage: bytes) -> None:
    with (
        connected(tmp_path, says(WELCOME, garbage)) as session,
        pytest.raises((ServerLost, ServerLate)),
    ):
        ask(session, SOON)


def test_rows_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound holds, and the connection is good for the next question."""
    monkeypatch.setattr(tested, "ROWS_MAX", 1 << 20)
    many = rows_of([[b"x" * 1000]] * 5000)
    with connected(tmp_path, says(WELCOME, many, rows_of([[b"next"]]))) as session:
        with pytest.raises(ServerRefused, match="more than 1 MiB of rows"):
            listed(session)
        assert ask(session) == [["next"]]


def test_an_error(tmp_path: Path) -> None:
    """The server is well: the next question has its answer."""
    denied = refusal(b"42501", b"permission denied\nfor table t") + READY
    with connected(tmp_path, says(WELCOME, denied, rows_of([[b"v"]]))) as session:
        with pytest.raises(ServerRefused) as error:
            ask(session)
        assert str(error.value) == "permission denied for table t (SQLSTATE 42501)"
        assert ask(session) == [["v"]]


@pytest.mark.parametrize("severity", [b"FATAL", b"PANIC"])
def test_an_error_that_ends_the_session(tmp_path: Path, severity: bytes) -> None:
    answer = refusal(b"57P01", b"terminating connection", severity) + READY
    with connected(tmp_path, says(WELCOME, answer)) as session, pytest.raises(ServerLost):
        ask(session)


@pytest.mark.parametrize("state", [b"57P01", b"08001"])
def test_an_error_of_a_query_that_sounds_like_the_end(tmp_path: Path, state: bytes) -> None:
    """That of a foreign table, say, whose server is away: ours is well."""
    answer = refusal(state, b"could not connect to server") + READY
    with connected(tmp_path, says(WELCOME, answer, rows_of([[b"v"]]))) as session:
        with pytest.raises(ServerRefused, match="could not connect"):
            ask(session)
        assert ask(session) == [["v"]]


def test_a_pooler_that_says_no_other_severity(tmp_path: Path) -> None:
    answer = message(b"E", b"SFATAL\0C08P01\0Mquery_wait_timeout\0\0")
    with connected(tmp_path, says(WELCOME, answer)) as session, pytest.raises(ServerLost):
        ask(session)


@pytest.mark.parametrize("kind", [b"G", b"H", b"W"])
@pytest.mark.parametrize("many", [False, True])
def test_a_server_that_begins_to_copy(tmp_path: Path, kind: bytes, many: bool) -> None:
    """libpq has no end of results then."""
    answer = message(b"2", b"") + message(kind, b"\0\0\0")
    with connected(tmp_path, says(WELCOME, answer)) as session, pytest.raises(ServerLost):
        ask_all(session) if many else ask(session)


def test_an_error_behind_rows(tmp_path: Path) -> None:
    """Part of an answer is none."""
    answer = (
        message(b"2", b"") + described(1) + row([b"v"]) + refusal(b"22012", b"division") + READY
    )
    with (
        connected(tmp_path, says(WELCOME, answer)) as session,
        pytest.raises(ServerRefused, match="division"),
    ):
        ask(session)


def test_words_in_between(tmp_path: Path) -> None:
    """Notices, changed settings and notifications are no answers."""
    between = (
        message(b"N", b"SNOTICE\0C00000\0Mhello\0\0")
        + message(b"S", b"TimeZone\0UTC\0")
        + message(b"A", b"\0\0\0\1channel\0payload\0")
    )
    with connected(tmp_path, says(WELCOME, between + rows_of([[b"v"]]))) as session:
        assert ask(session) == [["v"]]


def test_a_server_that_does_not_welcome(tmp_path: Path) -> None:
    denied = message(b"E", b"SFATAL\0VFATAL\0C28P01\0Mpassword authentication failed\0\0")
    failed = pytest.raises(ServerLost, match="password authentication failed")
    with failed, connected(tmp_path, then_closes(denied)):
        pass


def test_nobody_listens(tmp_path: Path) -> None:
    options = folder_conninfo(tmp_path)
    session = PostgresSession()
    with pytest.raises(ServerLost, match="No such file or directory"):
        session.open(string(options, targets(options)[0]), monotonic() + LONG)
    session.close()
    with pytest.raises(ServerLost, match="not connected"):
        ask(session)


def test_a_login_that_is_not_answered(tmp_path: Path) -> None:
    options = folder_conninfo(tmp_path)
    with scripted(place(tmp_path), says(b"")):
        session = PostgresSession()
        with pytest.raises(ServerLate):
            session.open(string(options, targets(options)[0]), monotonic() + SOON)
        session.close()


def test_a_question_that_does_not_fit_into_the_socket(tmp_path: Path) -> None:
    """It is sent as the server takes it."""
    taken: list[int] = []

    def talk(end: socket.socket) -> None:
        end.recv(65536)
        end.sendall(WELCOME)
        while sum(taken) < 3_000_000:
            taken.append(len(end.recv(65536)))
        end.sendall(rows_of([[b"v"]]))
        end.recv(65536)

    with connected(tmp_path, talk) as session:
        big = b"k" * 3_000_000
        rows = session.rows(lambda conn: conn.send_query_prepared(b"q", [big]), monotonic() + LONG)
        assert rows == [["v"]]
    assert len(taken) > 1
