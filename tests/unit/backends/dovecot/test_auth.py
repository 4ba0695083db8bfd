"""Passwords, by a Dovecot that says whatever a test has it say."""

from base64 import b64decode
from contextlib import AbstractContextManager
from pathlib import Path
from time import monotonic

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensmtpd.backends.dovecot.auth import FIELDS_MAX, AuthClient
from opensmtpd.errors import ServerLate, ServerLost, ServerRefused
from unit.support.scripted_dovecot import GREETING, connected, greets, later, records
from unit.support.scripted_server import Talk, scripted, trickles


def client(folder: Path, talk: Talk) -> AbstractContextManager[AuthClient]:
    return connected(folder, talk, lambda path: AuthClient(path, "smtp", later()))


def test_the_request(tmp_path: Path) -> None:
    seen: list[bytes] = []
    with client(tmp_path, records(seen, GREETING, b"OK\t1\tuser=a\n")) as open:
        assert open.authenticate(b"alice", b"tim", later())
    with client(tmp_path, records(seen, GREETING, b"OK\t1\n")) as open:
        assert open.authenticate(b"a\tb\nc|", b"\xff: \n", later())
    head = b"AUTH\t1\tPLAIN\tservice=smtp\tsecured\tno-penalty\t"
    assert seen[0] == head + b"resp=AGFsaWNlAHRpbQ==\n"
    response = seen[1].removeprefix(head)
    assert b64decode(response.removeprefix(b"resp=")) == b"\0a\tb\nc|\0\xff: \n"


def test_passwords_that_no_line_of_dovecots_holds(tmp_path: Path) -> None:
    seen: list[bytes] = []
    with client(tmp_path, records(seen, GREETING, b"OK\t1\n")) as open:
        assert not open.authenticate(b"alice", b"x" * (FIELDS_MAX - 4), later())
        assert seen == []
        assert open.authenticate(b"alice", b"x" * (FIELDS_MAX - 5), later())
    assert len(seen[0]) < 8192


@pytest.mark.parametrize("size", [1, 7, 65536])
@pytest.mark.parametrize(
    ("reply", "right"),
    [
        (b"OK\t1\tuser=alice\n", True),
        (b"OK\t1\n", True),
        (b"OK\t1\tuser=alice\tnologin=\treason=closed\n", False),
        (b"OK\t1\tuser=alice\tnologin\n", False),
        (b"FAIL\t1\tuser=alice\n", False),
        (b"FAIL\t1\tuser=alice\tcode=authz_fail\n", False),
        (b"FAIL\t1\tuser=alice\tcode=user_disabled\treason=temp\n", False),
        (b"FAIL\t1\tcode=pass_expired\tauthz\n", False),
    ],
)
def test_what_dovecot_says(tmp_path: Path, reply: bytes, right: bool, size: int) -> None:
    with client(tmp_path, greets(GREETING, reply, size=size)) as open:
        assert open.authenticate(b"alice", b"x", later()) is right


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (b"FAIL\t1\tuser=alice\ttemp\n", "Dovecot says a temporary failure"),
        (b"FAIL\t1\tcode=temp_fail\treason=SQL is away\n", "Dovecot says SQL is away"),
        (
            b"OK\t1\tuser=alice\tproxy=\thost=192.0.2.1\n",
            "Dovecot did not check the password itself: it says proxy",
        ),
        (
            b"OK\t1\tuser=anonymous\tanonymous\n",
            "Dovecot did not check the password itself: it says anonymous",
        ),
    ],
)
def test_what_dovecot_cannot_tell(tmp_path: Path, reply: bytes, reason: str) -> None:
    with client(tmp_path, greets(GREETING, reply)) as open:
        with pytest.raises(ServerRefused) as caught:
            open.authenticate(b"alice", b"x", later())
        assert str(caught.value) == reason


@pytest.mark.parametrize("reply", [b"CONT\t1\tabc\n", b"OK\t2\n", b"ok\t1\n", b"OK\t1\nOK\t1\n"])
def test_what_is_no_answer(tmp_path: Path, reply: bytes) -> None:
    with client(tmp_path, greets(GREETING, reply)) as open, pytest.raises(ServerLost):
        open.authenticate(b"alice", b"x", later())


@pytest.mark.parametrize(
    ("user", "password"),
    [(b"alice", b""), (b"", b"x"), (b"", b""), (b"alice\0root", b"x"), (b"alice", b"x\0y")],
)
def test_what_dovecot_is_not_asked(tmp_path: Path, user: bytes, password: bytes) -> None:
    """Two fields with a NUL would be three, and for some servers an empty password is right."""
    seen: list[bytes] = []
    with client(tmp_path, records(seen, GREETING, b"OK\t1\n")) as open:
        assert open.authenticate(user, password, later()) is False
        assert open.authenticate(b"alice", b"x", later()) is True
    assert len(seen) == 1


def test_a_dovecot_without_plain(tmp_path: Path) -> None:
    talk = greets(GREETING.replace(b"MECH\tPLAIN", b"MECH\tGSSAPI"))
    with (
        scripted(tmp_path / "s", talk),
        pytest.raises(ServerLost, match="does not offer PLAIN; say auth_mechanisms = plain there"),
    ):
        AuthClient(str(tmp_path / "s"), "smtp", later())


def test_a_greeting_that_trickles_in(tmp_path: Path) -> None:
    with scripted(tmp_path / "s", trickles(GREETING, 0.02)), pytest.raises(ServerLate):
        AuthClient(str(tmp_path / "s"), "smtp", monotonic() + 0.1)


@pytest.mark.parametrize(
    "greeting", [b"x" * 20000, b"VERSION\t1\t2\nMECH\tPLAIN\n" + b"y" * 20000, b"VERSION\t9\t0\n"]
)
def test_a_greeting_that_is_none(tmp_path: Path, greeting: bytes) -> None:
    with scripted(tmp_path / "s", greets(greeting)), pytest.raises(ServerLost):
        AuthClient(str(tmp_path / "s"), "smtp", later())


class Scripted:
    """A LineChannel that keeps what is sent, and says yes."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    def ask(self, request: bytes, until: float) -> tuple[bytes, list[bytes]]:
        self.sent.append(request)
        return b"OK", []


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_no_user_and_no_password_is_more_than_a_field(user: bytes, password: bytes) -> None:
    open = AuthClient.__new__(AuthClient)
    channel = Scripted()
    open._service, open._channel = b"smtp", channel  # type: ignore[assignment]  # as good as one
    right = open.authenticate(user, password, 0)
    assert right is bool(user and password and b"\0" not in user + password)
    for line in channel.sent:
        assert line.count(b"\n") == 1
        *_, response = line[:-1].split(b"\t")
        assert b64decode(response.removeprefix(b"resp=")).split(b"\0") == [b"", user, password]
