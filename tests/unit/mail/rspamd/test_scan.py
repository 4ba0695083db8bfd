"""A message on its way: the parts, and what follows from each answer of the worker."""

from types import SimpleNamespace
from typing import Any

import pytest

from opensmtpd.answer import Deferred
from opensmtpd.errors import LocalError, ServerLate, Unavailable, WorkerError
from opensmtpd.mail.rspamd import scan as module
from opensmtpd.mail.rspamd.scan import EARLY_MAX, PART, PARTS_MAX, RESTARTS, Scan, Scanner
from opensmtpd.mail.rspamd.servers import PAUSE, RspamdServers
from opensmtpd.mail.rspamd.url import url
from opensmtpd.mail.rspamd.verdict import RspamdVerdict
from opensmtpd.mail.rspamd.worker_orders import PING, SEND, STOP
from unit.support.rspamd_mail import verdict

FIELDS = [[b"Pass", b"All"]]
URLS = ("http://one.example", "http://two.example", "http://three.example")
LINE = b"x" * 1023 + b"\n"
HAM = list(verdict())


class Clock:
    now = 1000.0

    def monotonic(self) -> float:
        return self.now


class FakePool:
    """Keeps what it is asked until the test replies."""

    def __init__(self, worker: str, setup: Any, **bounds: Any) -> None:
        self.setup, self.bounds = setup, bounds
        self.asked: list[Any] = []
        self.open: list[Deferred[Any]] = []
        self.broken = False

    def ask(self, request: Any) -> Deferred[Any]:
        self.asked.append(request)
        reply: Deferred[Any] = Deferred()
        if self.broken:
            reply.fail(WorkerError("20000 requests wait for a worker"))
        elif request[0] == SEND:
            self.open.append(reply)
        return reply

    def request(self, request: Any) -> None:
        self.asked.append(request)
        if self.broken:
            raise WorkerError("Connect call failed", "ServerLost")

    # --- for the test ---

    def reply(self, value: Any = None) -> None:
        self.open.pop(0).settle(value)

    def fail(self, kind: str, words: str = "words") -> None:
        self.open.pop(0).fail(WorkerError(words, kind))

    def take(self) -> list[Any]:
        """Return what was asked since the last call."""
        asked, self.asked = self.asked, []
        return asked


class Lines:
    """A message that arrives; all of its readers read it."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.broken = False
        self.refused = False

    def come(self, *lines: bytes) -> None:
        self.lines += lines

    def reader(self) -> Any:
        return Reader(self)


class Reader:
    def __init__(self, message: Lines) -> None:
        self._message, self._at = message, 0

    @property
    def left(self) -> int:
        if self._message.refused:
            raise LocalError("a message can be read while it is held only")
        return sum(map(len, self._message.lines[self._at :]))

    def read(self, size: int) -> bytes:
        if self._message.broken:
            raise LocalError("the disk is broken")
        block = b""
        while self._at < len(self._message.lines) and len(block) < size:
            block += self._message.lines[self._at]
            self._at += 1
        return block


class Stage:
    """A scanner with one message."""

    def __init__(self, clock: Clock, servers: int = 1) -> None:
        self.clock = clock
        self.scanner = Scanner([url(each) for each in URLS[:servers]], 30.0)
        self.scanner.servers = RspamdServers(URLS[:servers], clock.monotonic)
        self.pool: Any = self.scanner.pool
        self.message = Lines()
        self.scan = self.another(self.message)
        self.outcomes: list[Any] = []

    def another(self, message: Lines) -> Scan:
        return Scan(self.scanner, message.reader, FIELDS)

    def come(self, *lines: bytes) -> None:
        """Have lines of the message come."""
        self.message.come(*lines)
        self.scan.more()

    def end(self) -> None:
        self.scan.end().on_end(lambda value, error: self.outcomes.append(error or value))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=made.monotonic))
    monkeypatch.setattr(module, "Pool", FakePool)
    return made


@pytest.fixture
def stage(clock: Clock) -> Stage:
    return Stage(clock)


def sends(requests: list[Any]) -> list[tuple[int, int | None, int, bool]]:
    """Return upload, server (None for a later part), size and end of each part."""
    assert [each[0] for each in requests] == [SEND] * len(requests)
    return [
        (number, None if head is None else head[0], len(part), last)
        for _, number, head, part, last, _ in requests
    ]


# --- a message without faults ---------------------------------------------------------------------


def test_a_small_message_is_sent_when_it_is_complete(stage: Stage) -> None:
    stage.come(b"Subject: x\n", b"\n", b"text\n")
    assert stage.pool.take() == []
    stage.end()
    assert stage.pool.take() == [
        [SEND, 1, [0, FIELDS], b"Subject: x\n\ntext\n", True, 1030.0],
    ]
    assert stage.scanner.on_their_way == 17
    stage.pool.reply(list(verdict("reject", reply="no")))
    assert stage.outcomes == [verdict("reject", reply="no")]
    assert isinstance(stage.outcomes[0], RspamdVerdict)
    assert (stage.pool.take(), stage.scanner.on_their_way) == ([], 0)
    assert stage.scan.server == "http://one.example"


def test_an_empty_message(stage: Stage) -> None:
    stage.end()
    assert stage.pool.take() == [[SEND, 1, [0, FIELDS], b"", True, 1030.0]]
    stage.pool.reply(HAM)
    assert stage.outcomes == [verdict()]


def test_a_large_message_is_uploaded_while_it_arrives(stage: Stage) -> None:
    stage.come(*[LINE] * 127)
    assert stage.pool.take() == []
    stage.come(LINE)
    assert sends(stage.pool.take()) == [(1, 0, PART, False)]
    stage.come(*[LINE] * 200)
    assert stage.pool.take() == []  # one part is on its way at a time
    stage.pool.reply()
    assert sends(stage.pool.take()) == [(1, None, PART, False)]
    stage.pool.reply()
    assert stage.pool.take() == []  # too little has come
    stage.come(*[LINE] * 100)
    assert sends(stage.pool.take()) == [(1, None, PART, False)]
    stage.end()
    assert stage.pool.take() == []
    stage.pool.reply()
    assert sends(stage.pool.take()) == [(1, None, 44 << 10, True)]
    stage.pool.reply(HAM)
    assert stage.outcomes == [verdict()]
    assert stage.scanner.on_their_way == 0


def test_a_message_that_ends_with_a_part(stage: Stage) -> None:
    """The last part is empty."""
    stage.come(*[LINE] * 128)
    stage.pool.reply()
    stage.end()
    assert sends(stage.pool.take()) == [(1, 0, PART, False), (1, None, 0, True)]


def test_the_end_comes_while_the_first_part_is_on_its_way(stage: Stage) -> None:
    stage.come(*[LINE] * 300)
    stage.end()
    sizes = []
    for _ in range(2):
        stage.pool.reply()
        sizes += sends(stage.pool.take())
    assert sizes == [(1, 0, PART, False), (1, None, PART, False), (1, None, 44 << 10, True)]


def test_each_message_has_a_number_of_its_own(stage: Stage) -> None:
    stage.end()
    stage.another(Lines()).end()
    assert [request[1] for request in stage.pool.take()] == [1, 2]


# --- the client goes ------------------------------------------------------------------------------


def test_stop_amid_an_upload(stage: Stage) -> None:
    stage.come(*[LINE] * 128)
    stage.pool.take()
    stage.scan.stop()
    stage.scan.stop()
    assert stage.pool.take() == [[STOP, 1]]
    stage.pool.reply()
    assert (stage.pool.take(), stage.scanner.on_their_way) == ([], 0)


def test_stop_while_the_verdict_is_waited_for(stage: Stage) -> None:
    waiting = stage.scan.end()
    waiting.cancel()
    assert stage.pool.take()[1:] == [[STOP, 1]]
    stage.pool.reply(HAM)
    assert stage.pool.take() == []


def test_stop_before_and_after(stage: Stage) -> None:
    stage.end()
    stage.pool.reply(HAM)
    stage.scan.stop()
    stage.another(Lines()).stop()
    assert [request[0] for request in stage.pool.take()] == [SEND]
    assert stage.outcomes == [verdict()]


@pytest.mark.parametrize("kind", ["ServerLost", "UnknownUpload", ""])
def test_what_fails_behind_a_stop_is_nothing(stage: Stage, kind: str) -> None:
    stage.end()
    stage.scan.stop()
    stage.pool.fail(kind)
    assert [request[0] for request in stage.pool.take()] == [SEND, STOP]
    assert stage.outcomes == []


# --- the server fails -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["ServerLost", "ServerLate"])
def test_a_server_that_fails(stage: Stage, kind: str, logged: list[str]) -> None:
    stage.end()
    stage.pool.fail(kind, "it is gone")
    [outcome] = stage.outcomes
    assert (type(outcome), str(outcome)) == (Unavailable, "it is gone")
    assert logged == ['server-away server=http://one.example reason="it is gone"']


def test_a_server_that_refuses_is_not_away(stage: Stage, logged: list[str]) -> None:
    stage.end()
    stage.pool.fail("ServerRefused", "it answers 400 Bad")
    assert str(stage.outcomes[0]) == "it answers 400 Bad"
    assert logged == []


def test_a_server_that_is_back(stage: Stage, logged: list[str]) -> None:
    for fails in (True, True, False, False):
        stage.another(Lines()).end()
        if fails:
            stage.pool.fail("ServerLost", "x")
        else:
            stage.pool.reply(HAM)
    assert logged == [
        "server-away server=http://one.example reason=x",
        "server-back server=http://one.example",
    ]


def test_the_next_one_is_asked_from_the_beginning(clock: Clock, logged: list[str]) -> None:
    stage = Stage(clock, 3)
    stage.message.come(*[LINE] * 200)
    stage.end()
    stage.pool.reply()
    stage.pool.fail("ServerLost")
    assert sends(stage.pool.take()) == [
        *((1, 0, PART, False), (1, None, 72 << 10, True), (2, 1, PART, False)),
    ]
    stage.pool.reply()
    stage.pool.fail("ServerRefused")
    stage.pool.reply()
    assert sends(stage.pool.take()) == [
        *((2, None, 72 << 10, True), (3, 2, PART, False), (3, None, 72 << 10, True)),
    ]
    stage.pool.reply(HAM)
    assert (stage.outcomes, stage.scan.server) == ([verdict()], "http://three.example")
    assert logged == ["server-away server=http://one.example reason=words"]
    stage.another(Lines()).end()
    assert sends(stage.pool.take()) == [(4, 1, 0, True)]  # the first one rests


def test_where_all_fail(clock: Clock, logged: list[str]) -> None:
    stage = Stage(clock, 3)
    stage.end()
    for words in ("a", "b", "c"):
        stage.pool.fail("ServerLost", words)
    assert [str(each) for each in stage.outcomes] == ["c"]
    assert [request[2][0] for request in stage.pool.take()] == [0, 1, 2]
    assert len(logged) == 3


def test_each_gets_an_equal_share_of_what_is_left(clock: Clock, logged: list[str]) -> None:
    stage = Stage(clock, 3)
    stage.end()
    clock.now += 2  # it was quick to fail
    stage.pool.fail("ServerLost")
    clock.now += 14
    stage.pool.fail("ServerLate")
    assert [request[5] for request in stage.pool.take()] == [1010.0, 1016.0, 1030.0]
    clock.now += 14
    stage.pool.fail("ServerLate")
    assert len(stage.outcomes) == 1


def test_a_share_is_for_all_parts(clock: Clock, logged: list[str]) -> None:
    stage = Stage(clock, 2)
    stage.come(*[LINE] * 300)
    clock.now += 7
    stage.end()
    clock.now += 4
    stage.pool.reply()
    clock.now += 5
    stage.pool.reply()
    clock.now += 3
    assert [request[5] for request in stage.pool.take()] == [1015.0, 1022.0, 1022.0]
    stage.pool.fail("ServerLate")
    assert [request[5] for request in stage.pool.take()] == [1037.0]


def test_no_time_is_left_for_the_next_part(clock: Clock, logged: list[str]) -> None:
    stage = Stage(clock, 2)
    stage.come(*[LINE] * 300)
    stage.end()
    clock.now += 15
    stage.pool.reply()
    assert [request[:2] for request in stage.pool.take()] == [[SEND, 1], [STOP, 1], [SEND, 2]]
    clock.now += 15
    stage.pool.reply()
    assert [request[:2] for request in stage.pool.take()] == [[STOP, 2]]
    assert [str(each) for each in stage.outcomes] == ["it does not answer in time"]
    assert logged == [
        'server-away server=http://one.example reason="it does not answer in time"',
        'server-away server=http://two.example reason="it does not answer in time"',
    ]


@pytest.mark.parametrize("kind", ["ServerLost", "ServerLate", "ServerRefused", "OverflowError", ""])
def test_an_upload_that_fails_early_begins_anew_at_the_end(
    stage: Stage, kind: str, logged: list[str]
) -> None:
    """The server is not at fault yet: a large message may have been too slow for it."""
    stage.come(*[LINE] * 128)
    stage.pool.fail(kind)
    stage.pool.take()
    stage.come(*[LINE] * 300)
    assert (stage.pool.take(), stage.outcomes, logged) == ([], [], [])
    stage.end()
    for _ in range(3):
        stage.pool.reply()
    assert sends(stage.pool.take()) == [
        (2, 0, PART, False),
        *[(2, None, PART, False)] * 2,
        (2, None, 44 << 10, True),
    ]
    stage.pool.reply(HAM)
    assert stage.outcomes == [verdict()]


@pytest.mark.parametrize("kind", ["ServerLost", "ServerRefused"])
@pytest.mark.parametrize("servers", [1, 2])
def test_an_upload_that_began_early_and_fails_at_the_end_begins_anew(
    clock: Clock, kind: str, servers: int, logged: list[str]
) -> None:
    """rspamd has waited for the client, and closed the connection: it is not at fault yet."""
    stage = Stage(clock, servers)
    stage.come(*[LINE] * 128)
    stage.pool.reply()
    stage.come(LINE)
    clock.now += 100
    stage.end()
    stage.pool.fail(kind)
    assert sends(stage.pool.take()) == [
        *((1, 0, PART, False), (1, None, 1024, True), (2, 0, PART, False)),
    ]
    assert (stage.outcomes, logged) == ([], [])
    stage.pool.fail(kind)
    if servers == 2:
        assert sends(stage.pool.take()) == [(3, 1, PART, False)]
        stage.pool.reply()
        stage.pool.reply(HAM)
        assert stage.outcomes == [verdict()]
    else:
        assert [str(each) for each in stage.outcomes] == ["words"]
    assert len(logged) == (kind == "ServerLost")


def test_a_server_that_no_time_was_left_for(clock: Clock, logged: list[str]) -> None:
    """It is not at fault: nobody has asked it."""
    stage = Stage(clock, 2)
    stage.end()
    clock.now += 30
    stage.pool.fail("ServerLate", "it does not answer in time")
    assert [request[:2] for request in stage.pool.take()] == [[SEND, 1]]
    [outcome] = stage.outcomes
    assert isinstance(outcome, ServerLate)
    assert str(outcome) == "no time is left to ask another server"
    assert logged == ['server-away server=http://one.example reason="it does not answer in time"']


def test_messages_that_were_under_way_when_a_server_failed(clock: Clock, logged: list[str]) -> None:
    """They have it rest as long as one of them does."""
    stage = Stage(clock, 2)
    for _ in range(5):
        stage.another(Lines()).end()
    clock.now += 1
    for _ in range(5):
        stage.pool.fail("ServerLost")
    clock.now += PAUSE
    stage.pool.take()
    stage.end()
    assert sends(stage.pool.take()) == [(11, 0, 0, True)]


# --- the worker fails -----------------------------------------------------------------------------


def test_a_worker_that_was_replaced(stage: Stage, logged: list[str]) -> None:
    """Nothing is lost, and the server is not at fault."""
    stage.come(*[LINE] * 256)
    stage.pool.reply()
    stage.pool.fail("UnknownUpload")
    assert sends(stage.pool.take()) == [
        (1, 0, PART, False),
        (1, None, PART, False),
        (2, 0, PART, False),
    ]
    stage.pool.reply()
    stage.end()
    stage.pool.reply()
    assert sends(stage.pool.take()) == [(2, None, PART, False), (2, None, 0, True)]
    stage.pool.reply(HAM)
    assert (stage.outcomes, logged) == ([verdict()], [])


def test_workers_that_are_replaced_again_and_again(stage: Stage, logged: list[str]) -> None:
    stage.end()
    for _ in range(RESTARTS + 1):
        assert stage.outcomes == []
        stage.pool.fail("UnknownUpload", "the parts before are not here")
    assert [str(each) for each in stage.outcomes] == ["the parts before are not here"]
    assert (len(stage.pool.take()), logged) == (4, [])


@pytest.mark.parametrize("kind", ["", "OverflowError", "LocalError"])
def test_a_worker_that_fails(stage: Stage, kind: str, logged: list[str]) -> None:
    stage.end()
    stage.pool.fail(kind, "no answer in time")
    [outcome] = stage.outcomes
    assert isinstance(outcome, WorkerError)
    assert (str(outcome), logged) == ("no answer in time", [])


def test_a_pool_that_takes_no_more(stage: Stage, logged: list[str]) -> None:
    """What the worker has of the message is stopped."""
    stage.come(*[LINE] * 128)
    stage.pool.reply()
    stage.pool.take()
    stage.pool.broken = True
    stage.end()
    assert [request[:2] for request in stage.pool.take()] == [[SEND, 1], [STOP, 1]]
    assert [str(each) for each in stage.outcomes] == ["20000 requests wait for a worker"]
    assert (stage.scanner.on_their_way, logged) == (0, [])


# --- bounds ---------------------------------------------------------------------------------------


def test_too_much_is_on_its_way(stage: Stage) -> None:
    stage.scanner.on_their_way = PARTS_MAX
    stage.come(*[LINE] * 128)
    assert stage.pool.take() == []
    stage.scanner.on_their_way = PARTS_MAX - 1
    stage.come(LINE)
    assert sends(stage.pool.take()) == [(1, 0, PART, False)]
    stage.scanner.on_their_way = 2 * PARTS_MAX
    stage.pool.reply()
    stage.end()
    assert stage.pool.take() == [[STOP, 1]]
    assert [str(each) for each in stage.outcomes] == ["too many messages are being scanned"]


def upload(stage: Stage) -> Scan:
    """Return a message that has more than a part, and wants to be uploaded."""
    message = Lines()
    message.come(*[LINE] * 129)
    scan = stage.another(message)
    scan.more()
    return scan


def test_so_many_messages_are_uploaded_while_they_arrive(stage: Stage) -> None:
    """Their clients may take their time: the others wait for their ends, as small ones do."""
    early = [upload(stage) for _ in range(EARLY_MAX)]
    assert len(stage.pool.take()) == EARLY_MAX == 100
    stage.come(*[LINE] * 300)
    assert stage.pool.take() == []
    stage.end()
    assert sends(stage.pool.take()) == [(101, 0, PART, False)]
    for scan in early[:2]:
        scan.stop()
    stage.pool.take()
    for _ in range(3):
        upload(stage)
    assert sends(stage.pool.take()) == [(102, 0, PART, False), (103, 0, PART, False)]


@pytest.mark.parametrize("way", ["stop", "end", "server", "spool", "refused"])
def test_one_more_where_one_has_come_to_its_end(stage: Stage, way: str) -> None:
    stage.come(*[LINE] * 129)
    for _ in range(EARLY_MAX - 1):
        upload(stage)
    assert stage.scanner.early == EARLY_MAX
    stage.message.broken = way == "spool"
    stage.message.refused = way == "refused"
    if way == "stop":
        stage.scan.stop()
    elif way == "end":
        stage.end()
    elif way == "server":
        stage.pool.fail("ServerLost")
    else:
        stage.message.come(*[LINE] * 300)
        stage.pool.reply()
    assert stage.scanner.early == EARLY_MAX - 1
    stage.scan.stop()
    assert stage.scanner.early == EARLY_MAX - 1
    stage.pool.take()
    upload(stage)
    upload(stage)
    assert len(stage.pool.take()) == 1


def test_a_message_that_the_engine_refuses_amid_an_upload(stage: Stage) -> None:
    """It is let go of, and so is what the worker has of it."""
    stage.come(*[LINE] * 300)
    stage.pool.take()
    stage.message.refused = True
    stage.pool.reply()
    assert stage.pool.take() == [[STOP, 1]]
    assert (stage.scanner.on_their_way, stage.scanner.early) == (0, 0)


def test_a_message_that_cannot_be_read(stage: Stage) -> None:
    stage.come(*[LINE] * 128)
    stage.pool.reply()
    stage.pool.take()
    stage.message.broken = True
    stage.end()
    assert stage.pool.take() == [[STOP, 1]]
    assert [str(each) for each in stage.outcomes] == ["the disk is broken"]


def test_a_message_that_cannot_be_read_while_it_arrives(stage: Stage) -> None:
    stage.come(*[LINE] * 128)
    stage.pool.take()
    stage.message.broken = True
    stage.come(*[LINE] * 128)
    stage.pool.reply()
    assert stage.pool.take() == [[STOP, 1]]
    stage.message.broken = False
    stage.come(*[LINE] * 128)
    stage.end()
    assert stage.pool.take() == []
    assert [str(each) for each in stage.outcomes] == ["the disk is broken"]


# --- the scanner ----------------------------------------------------------------------------------


def test_the_worker_gets_the_urls_and_has_time(stage: Stage) -> None:
    assert stage.pool.setup == [["http://one.example", "", "one.example", 80, False, ""]]
    assert stage.pool.bounds == {"deadline": 32.0, "queue": 20_000, "window": 20_000}


def test_servers_that_cannot_be_reached(clock: Clock) -> None:
    stage = Stage(clock, 2)
    assert stage.scanner.unreachable() == []
    assert stage.pool.take() == [[PING, 0, 2.0], [PING, 1, 2.0]]
    stage.pool.broken = True
    assert stage.scanner.unreachable() == [
        "http://one.example: Connect call failed",
        "http://two.example: Connect call failed",
    ]
