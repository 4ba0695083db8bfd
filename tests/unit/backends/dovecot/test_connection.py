"""Questions to both sockets of a Dovecot."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

import pytest

from opensmtpd.backends.dovecot import connection
from opensmtpd.backends.dovecot.connection import DovecotConnection
from opensmtpd.backends.network.connection import Reconnecting
from opensmtpd.errors import ServerLate, ServerLost, ServerRefused
from unit.support.scripted_dovecot import GREETING, USERS_GREETING, greets, records
from unit.support.scripted_server import Talk, scripted, then_closes

LONG = 10.0
ALICE = ["auth", "alice", "x"]


def later() -> float:
    return monotonic() + LONG


def soon() -> float:
    return monotonic() + 0.1


@contextmanager
def asking(tmp_path: Path, *talks: Talk, users: tuple[Talk, ...] = ()) -> Iterator[Reconnecting]:
    """Ask Dovecots that say this at the socket of clients and that of users, if they have it."""
    auth, userdb = tmp_path / "auth", tmp_path / "users"
    with scripted(auth, *talks), scripted(userdb, *users):
        data = [str(auth) if talks else "", str(userdb) if users else "", "smtp"]
        asker = Reconnecting(DovecotConnection(data))
        yield asker
        asker.close()


def test_passwords_and_users(tmp_path: Path) -> None:
    users = (
        greets(USERS_GREETING, b"USER\t1\tbob\tuid=1\n"),
        greets(USERS_GREETING, b"NOTFOUND\t1\n"),
    )
    with asking(tmp_path, greets(GREETING, b"OK\t1\n"), users=users) as asker:
        asked = [["user", "bob"], ALICE, ["user", "carol"]]
        assert asker.ask(asked, later()) == [{"user": "bob", "uid": "1"}, True, None]


def test_the_first_name_that_is_a_users(tmp_path: Path) -> None:
    seen: list[bytes] = []
    replies = (b"NOTFOUND\t1\n", b"USER\t1\tb\n")
    users = tuple(records(seen, USERS_GREETING, each) for each in replies)
    with asking(tmp_path, users=users) as asker:
        assert asker.ask([["user", "b+tag", "b", "c"]], later()) == [{"user": "b"}]
    assert seen == [b"USER\t1\tb+tag\tservice=smtp\n", b"USER\t1\tb\tservice=smtp\n"]


def test_each_question_has_a_connection_that_ends_with_it(tmp_path: Path) -> None:
    """A server that waits for the end of one before it takes the next one."""
    talks = [greets(GREETING, reply) for reply in (b"OK\t1\n", b"FAIL\t1\n", b"OK\t1\n")]
    with asking(tmp_path, *talks) as asker:
        for right in (True, False, True):
            assert asker.ask([ALICE], later()) == [right]


def test_a_dovecot_that_ends_is_asked_once_more(tmp_path: Path) -> None:
    talks = [then_closes(GREETING), greets(GREETING, b"OK\t1\n")]
    with asking(tmp_path, greets(GREETING, b"OK\t1\n"), *talks) as asker:
        assert asker.ask([ALICE], later()) == [True]
        assert asker.ask([ALICE], later()) == [True]


def test_a_refusal_that_is_held_back_is_no_sign_of_a_dovecot_that_is_away(tmp_path: Path) -> None:
    seen: list[bytes] = []
    talks = [greets(GREETING, b""), records(seen, GREETING, b"OK\t1\n")]
    with asking(tmp_path, *talks) as asker:
        with pytest.raises(ServerRefused, match="did not judge the password in time"):
            asker.ask([ALICE], soon())
        assert asker.ask([["auth", "bob", "y"]], later()) == [True]
    head = b"AUTH\t1\tPLAIN\tservice=smtp\tsecured\tno-penalty\t"
    assert seen == [head + b"resp=AGJvYgB5\n"]


def test_a_dovecot_that_is_paused_does_not_greet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "GREETING", 0.1)
    with (
        asking(tmp_path, greets(b""), users=(greets(b""),)) as asker,
        pytest.raises(ServerLate),
    ):
        asker.ask([ALICE], later())
    assert connection.soon(0.0) == 0.0


def test_users_that_come_late(tmp_path: Path) -> None:
    with asking(tmp_path, users=(greets(USERS_GREETING, b""),)) as asker, pytest.raises(ServerLate):
        asker.ask([["user", "bob"]], soon())


def test_delays_are_logged_once(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "DELAY", 0.05)

    def slow(reply: bytes) -> Talk:
        def talk(end: socket.socket) -> None:
            lines = end.makefile("rb")
            end.sendall(GREETING)
            while not lines.readline().startswith(b"AUTH"):
                pass
            sleep(0.1)
            end.sendall(reply)
            lines.readline()

        return talk

    right, wrong = slow(b"OK\t1\n"), slow(b"FAIL\t1\n")
    with asking(tmp_path, right, wrong, wrong) as asker:
        assert asker.ask([ALICE], later()) == [True]
        assert capfd.readouterr().err == ""
        assert asker.ask([ALICE, ALICE], later()) == [False, False]
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("auth-delayed seconds=0.")
    assert 'remedy="set auth_failure_delay' in line


def test_the_check_looks_at_both_sockets(tmp_path: Path) -> None:
    with asking(tmp_path, greets(GREETING), users=(greets(USERS_GREETING),)) as asker:
        assert asker.check(later()) == []
    missing = Reconnecting(DovecotConnection([str(tmp_path / "x"), "", "smtp"]))
    with pytest.raises(ServerLost, match="No such file or directory"):
        missing.check(later())
    with pytest.raises(ServerLost, match="No such file or directory"):
        missing.ask([ALICE], later())
