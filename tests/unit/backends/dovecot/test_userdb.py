"""Users, by a Dovecot that says whatever a test has it say."""

from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from opensmtpd.backends.dovecot.userdb import Userdb
from opensmtpd.errors import ServerLost, ServerRefused
from unit.support.scripted_dovecot import USERS_GREETING, connected, greets, later, records
from unit.support.scripted_server import Talk, scripted


def users(folder: Path, talk: Talk) -> AbstractContextManager[Userdb]:
    return connected(folder, talk, lambda path: Userdb(path, "smtp", later()))


@pytest.mark.parametrize("size", [1, 7, 65536])
def test_a_user(tmp_path: Path, size: int) -> None:
    row = b"USER\t1\talice\tuid=1000\tgid=100\thome=/home/a b\x01tc\tuid=0\tuser=root\n"
    with users(tmp_path, greets(USERS_GREETING, row, size=size)) as open:
        assert open.user(b"Alice", later()) == {
            "user": "alice",
            "uid": "1000",
            "gid": "100",
            "home": "/home/a b\tc",
        }
    with users(tmp_path, greets(USERS_GREETING, b"NOTFOUND\t1\n", size=size)) as open:
        assert open.user(b"bob", later()) is None


def test_names_are_escaped(tmp_path: Path) -> None:
    seen: list[bytes] = []
    with users(tmp_path, records(seen, USERS_GREETING, b"NOTFOUND\t1\n")) as open:
        assert open.user(b"a\tservice=x\nUSER\t2\tb", later()) is None
    assert seen == [b"USER\t1\ta\x01tservice=x\x01lUSER\x01t2\x01tb\tservice=smtp\n"]


def test_names_that_are_not_asked_for(tmp_path: Path) -> None:
    seen: list[bytes] = []
    with users(tmp_path, records(seen, USERS_GREETING, b"NOTFOUND\t1\n")) as open:
        assert open.user(b"", later()) is None
        assert open.user(b"x" * 1003, later()) is None
        assert open.user(b"\t" * 502, later()) is None
        assert open.user(b"\t" * 501, later()) is None
    assert [len(line) for line in seen] == [1023]


def test_a_failure(tmp_path: Path) -> None:
    with (
        users(tmp_path, greets(USERS_GREETING, b"FAIL\t1\treason=x\n")) as open,
        pytest.raises(ServerRefused, match="cannot look the user up, or may not; see its log"),
    ):
        open.user(b"a", later())


@pytest.mark.parametrize("reply", [b"PASS\t1\ta\n", b"USER\t2\ta\n", b"USER\t1\ta\nUSER\t1\tb\n"])
def test_what_is_no_answer(tmp_path: Path, reply: bytes) -> None:
    with users(tmp_path, greets(USERS_GREETING, reply)) as open, pytest.raises(ServerLost):
        open.user(b"a", later())


def test_a_socket_of_another_kind(tmp_path: Path) -> None:
    with scripted(tmp_path / "s", greets(b"x" * 20000)), pytest.raises(ServerLost):
        Userdb(str(tmp_path / "s"), "smtp", later())
