"""filter-senderscore over a session: phases, delays, and what messages say."""

import asyncio

import pytest

from unit.support.senderscore_client import (
    BLOCKED,
    MESSAGE,
    Visit,
    below,
    front,
    make,
    send,
)
from unit.support.talk import Talk, request, result

# --- phases ---------------------------------------------------------------------------------------

STEPS = ("ehlo", "starttls", "ehlo", "auth", "mail", "rcpt", "data", "send", "quit")
HELO = ("helo", "mail", "rcpt", "data", "send", "quit")


@pytest.mark.parametrize("version", ["6.8.0", "7.6.0", "7.9.0"])
@pytest.mark.parametrize(
    ("phase", "steps", "last"),
    [
        ("connect", STEPS, "connect"),
        ("helo", HELO, "helo"),
        ("ehlo", STEPS, "ehlo"),
        ("starttls", STEPS, "starttls"),
        ("auth", STEPS, "auth"),
        ("mail-from", STEPS, "mail"),
        ("rcpt-to", STEPS, "rcpt"),
        ("quit", STEPS, "quit"),
    ],
)
def test_where_clients_are_blocked(
    version: str, phase: str, steps: tuple[str, ...], last: str
) -> None:
    line = f"-blockBelow 10 -blockPhase {phase}"
    visit = Visit(make(line, 9), version)
    assert visit.end(steps) == last
    assert (visit.client.replies[-1], visit.client.connected) == (BLOCKED, False)
    good = Visit(make(line, 10), version)
    assert good.end(steps) == "quit"
    assert good.client.replies[-1] == b"221 2.0.0 Bye"


@pytest.mark.parametrize(("phase", "steps"), [("helo", STEPS), ("ehlo", HELO), ("auth", HELO)])
def test_who_does_without_the_phase_comes_through(phase: str, steps: tuple[str, ...]) -> None:
    visit = Visit(make(f"-blockBelow 10 -blockPhase {phase} -junkBelow 10", 9))
    assert visit.end(steps) == "quit"
    assert visit.client.junk
    assert visit.client.transactions[0].fate == "accepted"


def asked_for(line: str) -> set[str]:
    """Return the requests that the filter registers for."""
    lines = Talk(make(line)).registered.decode().splitlines()
    return {each.rpartition("|")[2] for each in lines if each.startswith("register|filter|")}


ALL = {"connect", "helo", "ehlo", "starttls", "mail-from", "rcpt-to", "data", "commit", "quit"}


@pytest.mark.parametrize(
    ("line", "phases"),
    [
        ("", {"connect"}),
        ("-blockBelow 10 -junkBelow 70", {"connect"}),
        ("-scoreHeader", {"connect", "data", "data-line", "commit"}),
        ("-blockBelow 1 -blockPhase helo", {"connect", "helo", "ehlo"}),
        ("-blockBelow 1 -blockPhase ehlo", {"connect", "helo", "ehlo"}),
        ("-blockBelow 1 -blockPhase rcpt-to", {"connect", "rcpt-to"}),
        ("-blockBelow 1 -blockPhase auth", {"connect", "auth"}),
        ("-slowFactor 1", ALL),
        ("-slowFactor 0", {"connect"}),
        ("-slowFactor 1 -blockBelow 1 -blockPhase auth", {*ALL, "auth"}),
        ("-blockPhase auth", {"connect"}),
        ("-blockBelow 0 -blockPhase auth", {"connect"}),
        ("-slowFactor 1 -blockPhase auth", ALL),
        ("-slowFactor 1 -scoreHeader", {*ALL, "data-line"}),
    ],
)
def test_it_asks_for_what_it_needs(line: str, phases: set[str]) -> None:
    assert asked_for(line) == phases


def test_a_session_whose_beginning_it_has_not_seen() -> None:
    talk = Talk(make("-blockBelow 10 -blockPhase mail-from -scoreHeader", 5))
    answer = talk.say(request(b"mail-from", b"bob@remote.example"))
    assert answer + talk.rest() == result(b"proceed")


# --- delays ---------------------------------------------------------------------------------------


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds of each delay, which take no time."""
    seconds: list[float] = []

    async def sleep(delay: float) -> None:
        seconds.append(delay)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    return seconds


ANSWERS = 9
"""Of STEPS and the greeting, without AUTH."""


@pytest.mark.parametrize(
    ("line", "score", "delay"),
    [
        ("-slowFactor 1000", 0, 1.0),
        ("-slowFactor 1000", 1, 0.99),
        ("-slowFactor 1000", 42, 0.58),
        ("-slowFactor 5000", 99, 0.05),
        ("-slowFactor 150", 99, 0.001),
        ("-slowFactor 99", 99, None),
        ("-slowFactor 1000", 100, None),
        ("-slowFactor 1000", None, None),
        ("-slowFactor 0", 0, None),
        ("-slowFactor -1", 0, None),
    ],
)
def test_each_answer_is_delayed(
    line: str, score: int | None, delay: float | None, slept: list[float]
) -> None:
    visit = Visit(make(line, score))
    assert visit.end(STEPS) == "quit"
    assert slept == ([] if delay is None else [delay] * ANSWERS)


def test_two_recipients_are_two_delays(slept: list[float]) -> None:
    assert send("-slowFactor 1000", 50, recipients=(b"a@example.com", b"b@example.com")).accepted
    assert slept == [0.5] * 8


def test_who_is_blocked_waits_too(slept: list[float]) -> None:
    line = "-slowFactor 1000 -blockBelow 10 -blockPhase"
    assert send(f"{line} connect", 5).reply == BLOCKED
    assert slept == [0.95]
    assert send(f"{line} mail-from", 5).reply == BLOCKED
    assert slept == [0.95] * 4


# --- the header -----------------------------------------------------------------------------------


def test_the_message_has_the_score() -> None:
    outcome = send("-scoreHeader", 42)
    assert front(outcome) == b"X-SenderScore: 42\n"
    assert below(outcome) == MESSAGE


FORGED = b"x-senderscore: 100\n\tand more\nSubject: hello\nX-SenderScore : 99\nX-Sender: me\n\nX\n"
CLEAN = b"Subject: hello\nX-Sender: me\n\nX\n"


@pytest.mark.parametrize("score", [0, 100, None])
def test_the_client_has_no_say_in_it(score: int | None) -> None:
    outcome = send("-scoreHeader", score, message=FORGED)
    assert front(outcome) == (b"" if score is None else b"X-SenderScore: %d\n" % score)
    assert below(outcome) == CLEAN


def test_without_the_option_messages_are_not_touched() -> None:
    outcome = send("-junkBelow 70", 42, message=FORGED)
    assert (front(outcome), below(outcome)) == (b"", FORGED)
    assert outcome.received.startswith(b"X-Spam: Yes\n")  # by smtpd


def test_each_message_of_a_session_has_it() -> None:
    visit = Visit(make("-scoreHeader", 42))
    steps = ("mail", "rcpt", "data", "send")
    assert visit.end(("ehlo", *steps, *steps)) == "send"
    for transaction in visit.client.transactions:
        assert transaction.content.count(b"X-SenderScore: 42\n") == 1
