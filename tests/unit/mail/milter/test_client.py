"""The front's end of a chain: what it asks of the worker, and what it makes of the outcomes."""

from collections.abc import Callable
from typing import Any

import pytest

from opensmtpd.answer import Deferred
from opensmtpd.errors import WorkerError
from opensmtpd.filter import PROCEED, Disconnect, PhaseDecision, Reject, Session
from opensmtpd.mail.milter import client as module
from opensmtpd.mail.milter.client import DISCARDED, UNAVAILABLE, MilterClient, Milters, refused
from opensmtpd.mail.milter.macros import USES
from opensmtpd.mail.milter.outcome import MilterFate, MilterOutcome
from opensmtpd.mail.milter.process import orders

GOES_ON = MilterOutcome(MilterFate.GOES_ON)
THROWN_AWAY = MilterOutcome(MilterFate.GOES_ON, discarded=True)
REFUSED = MilterOutcome(MilterFate.REFUSED, 550, "5.7.1 No", 0)
FAILED = MilterOutcome(MilterFate.FAILED, milter=0, lost=((0, "gone"),))
GO, NO, AWAY = repr(PROCEED), repr(Reject(550, "5.7.1 No")), repr(UNAVAILABLE)
LOST = "5eed milter-lost milter=inet:1@a reason=gone"


class FakePool:
    """A worker whose replies are the test's."""

    def __init__(self, worker: str, setup: Any, **options: Any) -> None:
        self.made_of = worker, setup, options
        self.asked: list[list[Any]] = []
        self.waiting: list[Deferred[Any]] = []
        self.pings: dict[int, WorkerError] = {}
        self.deadlines: list[float] = []

    def ask(self, request: list[Any]) -> Deferred[Any]:
        self.asked.append(request)
        result: Deferred[Any] = Deferred()
        if request[0] not in (orders.ABORT, orders.QUIT):
            self.waiting.append(result)
        return result

    def request(self, request: list[Any], deadline: float) -> Any:
        self.deadlines.append(deadline)
        if request[1] in self.pings:
            raise self.pings[request[1]]
        return True

    def reply(self, *replies: Any) -> None:
        """Reply to what is asked, one after another."""
        for each in replies:
            waiting = self.waiting.pop(0)
            if isinstance(each, WorkerError):
                waiting.fail(each)
            else:
                waiting.settle(each.plain() if isinstance(each, MilterOutcome) else each)

    def orders(self) -> list[int]:
        return [request[0] for request in self.asked]


Make = Callable[..., tuple[MilterClient, FakePool]]


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch, logged: list[str]) -> Make:
    """Make a client of a session, and the worker that it asks."""

    def made(opens: bool = False, rejects: bool = False) -> tuple[MilterClient, FakePool]:
        monkeypatch.setattr(module, "Pool", FakePool)
        milters = Milters(
            ["/run/x", ("a", 1)],
            ["/run/x", "inet:1@a"],
            (1.0, 2.0, 3.0),
            patience=9.0,
            opens=opens,
            rejects_discarded=rejects,
            refuses_envelopes=False,
        )
        milters.names = ["inet:1@a", "inet:2@b"]
        session = Session("5eed", USES)
        session.source, session.rdns, session.fcrdns = b"192.0.2.5:25", b"c.example", "pass"
        pool: Any = milters.pool
        return MilterClient(milters, session), pool

    return made


def ended(answer: PhaseDecision | Deferred[Any]) -> list[str]:
    """Return the list to which the end of an answer comes, in words: decisions equal none."""
    if not isinstance(answer, Deferred):
        return [repr(answer)]
    found: list[str] = []
    answer.on_end(lambda value, error: found.append(repr(value if error is None else error)))
    return found


def greeted(made: tuple[MilterClient, FakePool]) -> tuple[MilterClient, FakePool]:
    client, pool = made
    for answer in (client.connect, lambda: client.helo(b"c.example")):
        found = ended(answer().then(client.greeted))
        pool.reply(GOES_ON)
        assert found == [GO]
    pool.asked.clear()
    return made


# --- the worker -----------------------------------------------------------------------------------


def test_the_worker(make: Make) -> None:
    _, pool = make(opens=True)
    worker, setup, options = pool.made_of
    assert worker == "opensmtpd.mail.milter.process.worker:MilterWorker"
    assert setup == [["/run/x", ["a", 1]], [1.0, 2.0, 3.0], True]
    assert options == {"deadline": 15.0, "queue": 20_000, "window": 20_000}


def test_numbers_of_chains(make: Make) -> None:
    client, pool = make()
    client.connect()
    client.connect()
    MilterClient(client.milters, client.session).connect()
    assert [request[1] for request in pool.asked] == [1, 2, 3]
    assert pool.asked[0][3:6] == [b"c.example", "192.0.2.5", 25]


def test_milters_that_are_away(make: Make) -> None:
    client, pool = make()
    assert client.milters.unreachable() == []
    pool.pings[1] = WorkerError("it is away")
    assert client.milters.unreachable() == ["inet:2@b: it is away"]
    assert pool.deadlines == [2.0] * 4


def test_it_asks_again_while_a_milter_takes_its_time(make: Make) -> None:
    client, pool = greeted(make())
    found = ended(client.command(orders.RCPT, b"x", {}))
    assert found == [GO]  # no message is under way
    found = ended(client.mail(b"a@example.org", b"c.example"))
    pool.reply(None, None, None)
    assert found == []
    pool.reply(GOES_ON)
    assert found == [GO]
    assert pool.orders() == [orders.MAIL, *[orders.WAIT] * 3]
    assert [request[1] for request in pool.asked] == [1] * 4


# --- outcomes -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "kind"), [(550, Reject), (451, Reject), (420, Reject), (421, Disconnect)]
)
def test_refusals(code: int, kind: type) -> None:
    found = refused(
        MilterOutcome(MilterFate.REFUSED, code, "4.7.1 x" if code < 500 else "5.7.1 x", 0)
    )
    assert type(found) is kind
    assert (found.code, found.text[1:]) == (code, ".7.1 x")


@pytest.mark.parametrize(
    ("outcome", "decision", "message", "discarded"),
    [
        (GOES_ON, GO, "under way", False),
        (MilterOutcome(MilterFate.GOES_ON, wanted=False), GO, "passes", False),
        (THROWN_AWAY, GO, "under way", True),
        (THROWN_AWAY._replace(wanted=False), GO, "passes", True),
        (REFUSED, NO, "under way", False),
    ],
)
def test_mail(
    make: Make, outcome: MilterOutcome, decision: str, message: str, discarded: bool
) -> None:
    client, pool = greeted(make())
    found = ended(client.mail(b"a@example.org", b"c.example"))
    assert pool.asked[0][:2] == [orders.MAIL, 1]
    assert pool.asked[0][3] == b"a@example.org"
    assert pool.asked[0][4]["{mail_addr}"] == b"a@example.org"
    pool.reply(outcome)
    assert (found, client.message, client.discarded) == ([decision], message, discarded)
    assert client.macros()["{mail_addr}"] == b"a@example.org"
    client.reset()
    assert not client.discarded
    assert "{mail_addr}" not in client.macros()


def test_mail_of_which_a_milter_was_lost_begins_a_chain(make: Make, logged: list[str]) -> None:
    client, pool = greeted(make())
    found = ended(client.mail(b"a", b"c.example"))
    pool.reply(FAILED)
    assert pool.orders() == [orders.MAIL, orders.QUIT, orders.CONNECT]
    pool.reply(GOES_ON, GOES_ON, GOES_ON)
    assert found == [GO]
    assert pool.orders()[3:] == [orders.HELO, orders.MAIL]
    assert [request[1] for request in pool.asked] == [1, 1, 2, 2, 2]
    assert logged == [LOST]


def test_all_steps_of_a_command_have_its_time(
    make: Make, monkeypatch: pytest.MonkeyPatch, logged: list[str]
) -> None:
    """And the next command begins it anew."""
    now = 100.0
    monkeypatch.setattr(module, "monotonic", lambda: now)
    client, pool = greeted(make())
    client.mail(b"a", b"c.example")
    for outcome in (FAILED, GOES_ON, GOES_ON, GOES_ON):
        now += 1.0
        pool.reply(outcome)
    steps = [orders.MAIL, orders.CONNECT, orders.HELO, orders.MAIL]
    assert [each[:3:2] for each in pool.asked if len(each) > 2] == [[each, 109.0] for each in steps]
    client.command(orders.RCPT, b"x", {})
    assert pool.asked[-1] == [orders.RCPT, 2, 113.0, b"x", {}]


def test_without_helo_a_begun_chain_says_none(make: Make) -> None:
    client, pool = make()
    found = ended(client.mail(b"a", b""))
    pool.reply(GOES_ON, GOES_ON)
    assert found == [GO]
    assert pool.orders() == [orders.CONNECT, orders.MAIL]


@pytest.mark.parametrize("replies", [[FAILED], [GOES_ON, FAILED], [GOES_ON, GOES_ON, FAILED]])
def test_a_begun_chain_that_fails(
    make: Make, replies: list[MilterOutcome], logged: list[str]
) -> None:
    client, pool = make()
    found = ended(client.mail(b"a", b"c.example"))
    pool.reply(*replies)
    if len(replies) == 3:  # MAIL does not begin it a second time
        assert pool.waiting == []
    assert (found, client.message) == ([AWAY], "failed")
    assert ended(client.command(orders.RCPT, b"x", {})) == [AWAY]
    assert logged == [LOST, "5eed milter-unavailable action=tempfail"]
    client.reset()
    assert client.message == ""


@pytest.mark.parametrize("replies", [[REFUSED], [GOES_ON, REFUSED]])
def test_a_begun_chain_that_is_refused(make: Make, replies: list[MilterOutcome]) -> None:
    client, pool = make()
    found = ended(client.mail(b"a", b"c.example"))
    pool.reply(*replies)
    assert found == [NO]
    assert ended(client.mail(b"a", b"c.example")) == [NO]


@pytest.mark.parametrize("opens", [False, True])
def test_the_worker_fails(make: Make, opens: bool, logged: list[str]) -> None:
    client, pool = greeted(make(opens=opens))
    found = ended(client.mail(b"a", b"c.example"))
    pool.reply(GOES_ON)
    found = ended(client.command(orders.RCPT, b"x", {}))
    pool.reply(WorkerError("dead"))
    assert found == [GO if opens else AWAY]
    assert client.message == ("passes" if opens else "failed")
    assert client.number == 0
    action = "open" if opens else "tempfail"
    assert logged == [
        "5eed milter-lost reason=dead",
        f"5eed milter-unavailable action={action}",
    ]
    assert pool.orders()[-1] == orders.QUIT


def test_one_of_several_is_lost(make: Make, logged: list[str]) -> None:
    """The others go on; the next message begins all anew."""
    client, pool = greeted(make(opens=True))
    client.mail(b"a", b"c.example")
    pool.reply(GOES_ON)
    found = ended(client.command(orders.RCPT, b"x", {}))
    pool.reply(MilterOutcome(MilterFate.GOES_ON, lost=((0, "gone"),)))
    assert (found, client.message, client.number) == ([GO], "under way", 1)
    pool.asked.clear()
    client.reset()
    client.mail(b"a", b"c.example")
    assert pool.orders() == [orders.QUIT, orders.CONNECT]
    pool.reply(GOES_ON, GOES_ON, GOES_ON)
    client.mail(b"a", b"c.example")
    pool.reply(GOES_ON)
    assert pool.orders()[2:] == [orders.HELO, orders.MAIL, orders.ABORT, orders.MAIL]
    assert logged == [LOST]


def test_a_session_that_nobody_wants(make: Make) -> None:
    client, pool = make()
    found = ended(client.connect().then(client.greeted))
    pool.reply(MilterOutcome(MilterFate.GOES_ON, wanted=False))
    assert found == [GO]
    assert ended(client.mail(b"a", b"c.example")) == [GO]
    assert client.message == "passes"
    assert pool.orders() == [orders.CONNECT]


# --- refusals and their ends ----------------------------------------------------------------------


def test_a_refused_session(make: Make) -> None:
    client, pool = make()
    found = ended(client.connect().then(client.greeted))
    pool.reply(REFUSED)
    assert found == [NO] == [repr(client.refusal)]
    client.reset()
    assert ended(client.mail(b"a", b"c.example")) == [NO]
    assert pool.orders() == [orders.CONNECT]


def test_refused_data_holds_to_the_end_of_the_message(make: Make) -> None:
    client, pool = greeted(make())
    client.mail(b"a", b"c.example")
    pool.reply(GOES_ON)
    found = ended(client.command(orders.DATA, {}))
    pool.reply(REFUSED)
    for answer in (client.command(orders.RCPT, b"x", {}), client.command(orders.DATA, {})):
        assert ended(answer) == [NO] == found
    client.reset()
    assert client.refused_message is None
    assert pool.orders() == [orders.MAIL, orders.DATA, orders.ABORT]


def test_a_refused_recipient_does_not(make: Make) -> None:
    client, pool = greeted(make())
    client.mail(b"a", b"c.example")
    pool.reply(GOES_ON)
    found = ended(client.command(orders.RCPT, b"x", {}))
    pool.reply(REFUSED)
    assert found == [NO]
    found = ended(client.command(orders.RCPT, b"x", {}))
    pool.reply(GOES_ON)
    assert found == [GO]


def test_discarded_and_refused(make: Make) -> None:
    client, pool = greeted(make(rejects=True))
    client.mail(b"a", b"c.example")
    pool.reply(GOES_ON)
    found = ended(client.command(orders.RCPT, b"x", {}))
    pool.reply(THROWN_AWAY)
    assert [repr(DISCARDED)] == found == ended(client.command(orders.DATA, {}))


def test_the_end(make: Make) -> None:
    client, pool = greeted(make())
    client.mail(b"a", b"c.example")
    pool.reply(GOES_ON)
    client.reset()
    client.reset()
    client.close()
    client.close()
    client.reset()
    assert pool.asked[1:] == [[orders.ABORT, 1], [orders.QUIT, 1]]
