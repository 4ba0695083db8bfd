"""``check auth user:password``: what is compared, what is answered, and what is never told."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from opensmtpd.answer import Deferred, Offload
from opensmtpd.table import Service, Table, passwords
from opensmtpd.table.passwords import checks
from unit.support.handlers import explode
from unit.support.lookups import ID, Talk, answer, check, lookup

FOUND = answer(b"found", b"check")
NOT_FOUND = answer(b"not-found", b"check")
HASH = "$6$rounds=1000$salt$notreallyahash"
SECRET = "Pass:wo|rd"


class Users(Table):
    """Does what it was told to when it is asked for a user's hash."""

    services = (Service.AUTH, Service.CREDENTIALS)

    def __init__(self, act: Callable[[], Any] = lambda: HASH) -> None:
        self.act = act
        self.asked: list[object] = []

    def lookup(self, service: Service, key: str) -> Any:
        self.asked.append((service, key))
        return self.act()


class SlowUsers(Users):
    async def lookup(self, service: Service, key: str) -> Any:
        self.asked.append((service, key))
        return self.act()


BOTH = pytest.mark.parametrize("kind", [Users, SlowUsers], ids=["plain", "async"])


class Worker:
    """Stands for the worker that computes: the password of HASH is SECRET."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str | None, str]] = []
        """What was compared, and for whom."""
        self.slow = False
        self.replies: list[Callable[[], object]] = []
        """Those of a slow worker, to be called."""

    def ask(self, password: str, hash: str | None, user: str) -> Deferred[bool]:
        self.seen.append((password, hash, user))
        deferred: Deferred[bool] = Deferred()
        reply = partial(deferred.settle, (password, hash) == (SECRET, HASH))
        self.replies.append(reply)
        if not self.slow:
            reply()
        return deferred


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> Worker:
    """Have passwords checked by a Worker of these tests."""
    worker = Worker()
    monkeypatch.setattr(checks, "checks", lambda: worker)
    return worker


def said(talk: Talk, key: bytes) -> bytes:
    """Return what is answered to ``check auth``."""
    return talk.say(check(key, b"auth")) + talk.finish_all()


@BOTH
@pytest.mark.parametrize(
    ("key", "user", "password"),
    [
        ("alice:Pass:wo|rd", "alice", "Pass:wo|rd"),
        ("Alice@Example.ORG:Pass:wo|rd", "alice@example.org", "Pass:wo|rd"),
        ("ALICE:pass", "alice", "pass"),
        ("\xc9milie:x", "\xc9milie", "x"),
        ("al|ice:x", "al|ice", "x"),
        ("alice:", "alice", ""),
        ("alice::", "alice", ":"),
        (":x", "", "x"),
        ("alice", "alice", ""),
        ("", "", ""),
        ("a\udcff:\udcfe\xe9", "a\udcff", "\udcfe\xe9"),
    ],
)
def test_who_is_looked_up_and_what_is_compared(
    kind: type[Users], key: str, user: str, password: str, worker: Worker
) -> None:
    talk = Talk(table := kind())
    text = said(talk, key.encode("utf-8", "surrogateescape"))
    assert table.asked == [(Service.AUTH, user)]
    assert worker.seen == [(password, HASH, user)]
    assert text == (FOUND if password == SECRET else NOT_FOUND)
    assert talk.logged == []


@BOTH
@pytest.mark.parametrize(
    ("value", "hash"),
    [
        (HASH, HASH),
        (f"alice:{HASH}", HASH),
        (f":{HASH}", HASH),
        (f"alice:{HASH}:x", f"{HASH}:x"),
        ("alice:", ""),
        ("*", "*"),
        (None, None),
    ],
)
def test_what_a_row_may_say(
    kind: type[Users], value: str | None, hash: str | None, worker: Worker
) -> None:
    text = said(Talk(kind(lambda: value)), b"alice:" + SECRET.encode())
    assert worker.seen == [(SECRET, hash, "alice")]
    assert text == (FOUND if hash == HASH else NOT_FOUND)


@BOTH
def test_an_unknown_user_costs_as_much_as_a_wrong_password(
    kind: type[Users], worker: Worker
) -> None:
    talk = Talk(kind(lambda: None))
    assert said(talk, b"nobody:x") == NOT_FOUND
    assert worker.seen == [("x", None, "nobody")]
    assert talk.logged == []


@pytest.mark.parametrize("value", ["", "a\nb", b"hash", True, Offload(lambda: HASH)])
@BOTH
def test_rows_that_are_none(kind: type[Users], value: Any, worker: Worker) -> None:
    talk = Talk(kind(lambda: value))
    text = said(talk, b"alice:x")
    assert text.startswith(b"check-result|0c7d9dc5|error|")
    assert worker.seen == []
    assert len(talk.logged) == 1


def test_the_real_thing() -> None:
    hash = passwords.encrypt(SECRET)
    talk = Talk(Users(lambda: hash))
    assert said(talk, b"alice:Pass:wo|rd") == FOUND
    assert said(talk, b"alice:pass:wo|rd") == NOT_FOUND
    assert said(talk, b"alice:Pass:wo") == NOT_FOUND


def test_a_hash_that_cannot_be_checked_is_an_error_that_says_why() -> None:
    talk = Talk(Users(lambda: "$unheard$of"))
    text = said(talk, b"alice:x")
    fault = "alice: cannot check an unknown kind of hash: it is malformed"
    assert text == answer(b"error|" + fault.encode(), b"check")
    assert b"unheard" not in text
    [line] = talk.logged
    assert line == f'auth-failed table=aliases service=auth error=LocalError reason="{fault}"'


@pytest.mark.parametrize("kind", [Users, SlowUsers], ids=["plain", "async"])
def test_a_costly_hash_is_an_error_that_names_user_and_scheme(kind: type[Users]) -> None:
    talk = Talk(kind(lambda: "$y$jFT$saltsaltsaltsalt$" + 43 * "."))
    text = said(talk, b"Alice:x")
    fault = "alice: cannot check a yescrypt hash: it asks for too much memory or time"
    assert text == answer(b"error|" + fault.encode(), b"check")
    assert talk.logged == [
        f'auth-failed table=aliases service=auth error=LocalError reason="{fault}"'
    ]


@BOTH
def test_requests_wait_for_the_password_before_them(kind: type[Users], worker: Worker) -> None:
    talk = Talk(kind())
    two = [check(b"alice:x", b"auth"), check(b"bob:" + SECRET.encode(), b"auth")]
    assert talk.say(*two) + talk.finish_all() == NOT_FOUND + FOUND


def test_requests_wait_for_the_reply_of_the_worker(worker: Worker) -> None:
    worker.slow = True
    talk = Talk(Users())
    two = [check(b"alice:x", b"auth"), check(b"bob:" + SECRET.encode(), b"auth")]
    assert talk.say(*two, lookup(b"carol", b"credentials")) == b""
    assert [user for _, _, user in worker.seen] == ["alice"]
    worker.replies[0]()
    assert talk.protocol.data_to_send() == NOT_FOUND
    assert [user for _, _, user in worker.seen] == ["alice", "bob"]
    worker.replies[1]()
    assert talk.protocol.data_to_send() == FOUND + answer(b"found|" + HASH.encode())


def test_a_lookup_that_a_worker_answers(worker: Worker) -> None:
    row: Deferred[str] = Deferred()
    talk = Talk(Users(lambda: row))
    assert talk.say(check(b"alice:" + SECRET.encode(), b"auth")) == b""
    assert worker.seen == []
    row.settle(f"alice:{HASH}")
    assert talk.protocol.data_to_send() == FOUND
    assert worker.seen == [(SECRET, HASH, "alice")]


@BOTH
def test_credentials_are_looked_up_as_ever(kind: type[Users], worker: Worker) -> None:
    talk = Talk(table := kind(lambda: f"alice:{HASH}"))
    text = talk.say(lookup(b"alice", b"credentials")) + talk.finish_all()
    assert text == answer(b"found|alice:" + HASH.encode())
    assert table.asked == [(Service.CREDENTIALS, "alice")]
    assert worker.seen == []


def test_no_hash_is_sent_for_a_lookup() -> None:
    """smtpd only checks passwords; whoever asks otherwise gets nothing."""
    talk = Talk(Users())
    text = talk.say(lookup(b"alice", b"auth"), lookup(b"alice:x", b"auth")) + talk.finish_all()
    assert HASH.encode() not in text


# --- a table that asks something else -----------------------------------------------------------


class Server(Table):
    """Judges passwords itself, as it is told to."""

    services = (Service.AUTH,)

    def __init__(self, act: Callable[[], Any] = lambda: True) -> None:
        self.act = act
        self.asked: list[tuple[str, str]] = []

    def authenticate(self, user: str, password: str) -> Any:
        self.asked.append((user, password))
        return self.act()


class SlowServer(Server):
    async def authenticate(self, user: str, password: str) -> Any:
        self.asked.append((user, password))
        return self.act()


SERVERS = pytest.mark.parametrize("kind", [Server, SlowServer], ids=["plain", "async"])


@SERVERS
@pytest.mark.parametrize(
    ("key", "user", "password"),
    [
        ("alice:Pass:wo|rd", "alice", "Pass:wo|rd"),
        ("Alice@Example.ORG:Pass", "alice@example.org", "Pass"),
        ("alice:", "alice", ""),
        ("alice", "alice", ""),
        ("a\udcff:\udcfe\xe9", "a\udcff", "\udcfe\xe9"),
    ],
)
def test_what_a_table_of_its_own_way_is_asked(
    kind: type[Server], key: str, user: str, password: str
) -> None:
    talk = Talk(table := kind())
    assert said(talk, key.encode("utf-8", "surrogateescape")) == FOUND
    assert table.asked == [(user, password)]


@SERVERS
def test_its_bool_is_the_answer(kind: type[Server]) -> None:
    answers = iter([False, True, False])
    talk = Talk(kind(lambda: next(answers)))
    assert [said(talk, b"a:b") for _ in range(3)] == [NOT_FOUND, FOUND, NOT_FOUND]


@SERVERS
@pytest.mark.parametrize("value", [None, "", "alice", 1, 0, b"x", [True], bool])
def test_nothing_but_a_bool_lets_a_client_in(kind: type[Server], value: Any) -> None:
    talk = Talk(kind(lambda: value))
    assert said(talk, b"alice:x").startswith(b"check-result|0c7d9dc5|error|authenticate() returned")
    assert len(talk.logged) == 1


def test_an_answer_of_a_worker_of_its_own() -> None:
    reply: Deferred[bool] = Deferred()
    talk = Talk(Server(lambda: reply))
    assert talk.say(check(b"alice:x", b"auth")) == b""
    reply.settle(True)
    assert talk.protocol.data_to_send() == FOUND


@SERVERS
def test_a_failure_of_its_own_way_tells_no_password(kind: type[Server]) -> None:
    talk = Talk(kind(lambda: explode(OSError(SECRET))))
    assert said(talk, b"alice:" + SECRET.encode()) == answer(b"error|OSError", b"check")
    assert "wo|rd" not in "".join(talk.logged)


# --- nothing of it is told ------------------------------------------------------------------------

RAISERS: list[type[BaseException]] = [ValueError, KeyError, OSError, SystemExit, UnicodeError]
QUOTE = f"{SECRET} {HASH}"


@BOTH
@pytest.mark.parametrize("error", RAISERS)
@pytest.mark.parametrize("place", ["lookup", "worker"])
def test_neither_password_nor_hash_is_told(
    kind: type[Users],
    place: str,
    error: type[BaseException],
    worker: Worker,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    def act(*_: object) -> Any:
        return explode(error(QUOTE))

    monkeypatch.setattr(worker, "ask", act)
    talk = Talk(kind(act if place == "lookup" else lambda: HASH))
    text = talk.say(check(b"alice:" + SECRET.encode(), b"auth")) + talk.finish_all()
    assert text == answer(b"error|" + error.__name__.encode(), b"check")
    told = "\n".join(talk.logged) + "".join(capfd.readouterr())
    assert told.startswith(f"auth-failed table=aliases service=auth error={error.__name__}")
    for word in (SECRET, HASH, "wo|rd", "salt", "alice:"):
        assert word not in told
        assert word not in text.decode()


@pytest.mark.parametrize("line", [
    b"table|0.1|1|other|check|auth|" + ID + b"|alice:" + SECRET.encode(),
    b"table|0.1|1|aliases|CHECK|auth|" + ID + b"|alice:" + SECRET.encode(),
    b"table|0.2|1|aliases|check|auth|" + ID + b"|alice:" + SECRET.encode(),
    b"config|ready|alice:" + SECRET.encode(),
    SECRET.encode(),
])  # fmt: skip
def test_nor_is_it_in_the_log_of_a_line_that_makes_no_sense(line: bytes) -> None:
    talk = Talk(Users())
    assert talk.say(line + b"\n") == b""
    assert "wo|rd" not in "".join(talk.logged)


def test_nor_in_what_is_logged_of_an_unknown_service() -> None:
    talk = Talk(Users())
    text = talk.say(check(b"alice:" + SECRET.encode(), b"AUTH"))
    assert text == answer(b"error|an unknown service", b"check")
    assert "wo|rd" not in "".join(talk.logged)


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")
@BOTH
def test_nor_in_what_is_logged_of_a_late_one(kind: type[Users], worker: Worker) -> None:
    worker.slow = True
    talk = Talk(kind())
    talk.say(check(b"alice:" + SECRET.encode(), b"auth"))
    talk.protocol.dispatcher.expire(5.0)
    assert talk.protocol.data_to_send() == answer(b"error|no answer within 5 s", b"check")
    [line] = talk.logged
    assert line.startswith("auth-failed table=aliases service=auth error=HandlerTimeout")
    assert "wo|rd" not in line
