"""Hostile answers of the DNS, clients and messages before filter-senderscore."""

import asyncio
import re
from collections.abc import Generator, Iterator
from ipaddress import IPv4Address
from random import Random
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opensmtpd._protocol.filter.connection import FilterConnection
from opensmtpd.answer import Deferred
from opensmtpd.dns import Absent, Failed, Found, Question, Reply, run_lookup
from opensmtpd.mail.dnsbl.reputation import Reputation
from opensmtpd.testing import Smtpd, Zone, run_message
from opensmtpd_filters.senderscore import PHASES, SenderScore, parser
from property.hostile import Pause
from property.storm import LINES
from property.test_hostile_policies import Crowd, Oracle, play
from unit.support.senderscore_client import BLOCKED, QUESTION, below, front, make

ADDRESSES = st.ip_addresses(v=4).map(str)
SCORES = st.integers(0, 255).map("127.0.4.{}".format)
ANSWERS = st.lists(st.one_of(SCORES, SCORES, ADDRESSES), min_size=1, max_size=3).map(tuple)
LIMITS = st.integers(-2, 102)


class Rumours(Oracle):
    """A DNS that tells scores of all kinds."""

    def reply(self, question: Question) -> Reply:
        dice = self.dice
        score: Reply = Found((f"127.0.4.{dice.randrange(101)}",))
        odd = Found((f"127.{dice.randrange(2)}.4.{dice.randrange(256)}", "127.0.4.7"))
        return dice.choice([score, score, odd, Absent(), Failed("no | answer\n")])


class Guests(Crowd):
    """Clients who claim a score."""

    lines = (*LINES, b"X-SenderScore: 100", b"x-senderscore", b" folded", b"Received: from x")


def awaited(self: Deferred[Any]) -> Generator[None, None, Any]:
    """Wait without a loop: the storm has each coroutine go on at any time."""
    ended: list[tuple[Any, BaseException | None]] = []
    self.on_end(lambda *end: ended.append(end))
    try:
        while not ended:
            yield
    finally:
        self.cancel()
    [(value, error)] = ended
    if error is not None:
        raise error
    return value


async def pause(delay: float) -> None:
    assert delay > 0
    await Pause()


@pytest.fixture(scope="module")
def without_a_loop() -> Iterator[None]:
    with patch.object(Deferred, "__await__", awaited), patch.object(asyncio, "sleep", pause):
        yield


@settings(max_examples=40)
@given(
    seed=st.integers(0, 2**64),
    below=LIMITS,
    junk=LIMITS,
    phase=st.sampled_from(PHASES),
    slow=st.sampled_from([-1, 0, 1, 40000]),
    header=st.booleans(),
)
def test_any_session(
    without_a_loop: None, seed: int, below: int, junk: int, phase: str, slow: int, header: bool
) -> None:
    words = ["-blockBelow", str(below), "-junkBelow", str(junk), "-blockPhase", phase]
    words += ["-slowFactor", str(slow), *["-scoreHeader"] * header]
    filter = SenderScore(parser().parse_args(words))
    filter.dns = oracle = Rumours(Random(seed), 0.5)
    failures: list[object] = []

    def log(event: str, session: str | None = None, **fields: object) -> None:
        failures.append((event, fields))

    protocol = FilterConnection(filter, log=log)
    crowd = Guests(Random(seed), Smtpd(), protocol)
    crowd.oracle = oracle
    play(crowd, protocol)
    assert [failure for failure in failures if "no answer within" not in str(failure)] == []


@given(records=ANSWERS)
def test_any_answer(records: tuple[str, ...]) -> None:
    """A score is 0 to 100, and what all records say; where they do not, there is none."""
    zone = Zone({QUESTION: Found(records)})
    score = run_lookup(Reputation().score(IPv4Address("192.0.2.5")), zone, 1.0)
    agreed = {re.sub(r"^127\.0\.\d+\.(\d\d?|100)$", r"\1", record) for record in records}
    [one, *others] = agreed
    assert score == (int(one) if not others and one.isdecimal() else None)


@given(records=ANSWERS, below=LIMITS, junk=LIMITS)
def test_any_decision(records: tuple[str, ...], below: int, junk: int) -> None:
    outcome = run_message(
        make(f"-scoreHeader -blockBelow {below} -junkBelow {junk}", Found(records))
    )
    if not outcome.accepted:
        assert outcome.reply == BLOCKED
        assert below > 0
        return
    field = re.fullmatch(rb"X-SenderScore: (\d+)\n|", front(outcome))
    assert field
    assert outcome.junk is (field[1] is not None and int(field[1]) < junk)
    assert field[1] is None or int(field[1]) >= below


FIELD = re.compile(rb"(?mi)^x-senderscore[ \t]*(:.*)?\n([ \t].*\n)*")
NAME = st.sampled_from([b"X-SenderScore", b"x-SENDERscore", b"X-SenderScore2", b"Received", b"X"])
HEADER_LINE = st.one_of(
    st.builds(bytes.join, st.sampled_from([b":", b": 1", b"\t: ", b" "]), st.tuples(NAME, NAME)),
    NAME,
    st.sampled_from([b"\t", b" folded", b"\tX-SenderScore: 1", b"X-SenderScore: 100", b":", b""]),
    st.binary(max_size=20).map(lambda line: line.translate(None, b"\0\r\n")),
)


@given(lines=st.lists(HEADER_LINE, max_size=20), score=st.none() | st.integers(0, 100))
def test_any_message(lines: list[bytes], score: int | None) -> None:
    """What the client wrote there goes, all else stays, and nothing is forged from outside."""
    message = b"".join(line + b"\n" for line in lines)
    outcome = run_message(make("-scoreHeader", score), message)
    assert outcome.accepted
    assert front(outcome) == (b"" if score is None else b"X-SenderScore: %d\n" % score)
    header, end, body = (b"\n" + message).partition(b"\n\n")
    header += b"\n" if end else b""
    assert below(outcome) == FIELD.sub(b"", header[1:]) + end[1:] + body
