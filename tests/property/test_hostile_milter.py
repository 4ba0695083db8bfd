"""Milters that say anything: smtpd never stops, and each message is accepted once or refused."""

from collections.abc import Iterator
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opensmtpd.testing import SmtpClient
from opensmtpd_filters.milter import Milter
from unit.support.milter_mail import Talk, make
from unit.support.scripted_milter import (
    ACCEPT,
    CONN_FAIL,
    CONTINUE,
    DISCARD,
    PROGRESS,
    REJECT,
    SHUTDOWN,
    SKIP,
    TEMPFAIL,
    Heard,
    Last,
    ScriptedMilter,
    added,
    body,
    changed,
    inserted,
    large,
    said,
    strings,
)

FEW = "--connect-timeout 5 --command-timeout 0.1 --content-timeout 0.1"
"""A milter that is busy with other things may run into them, which changes nothing here."""
MESSAGES = (
    b"", b"\n", b"A: 1\n", b"From: a\nSubject: b\n c\n\ntext\n", b"no field\n.\n..\n",
    b"A: 1\n\n" + b"x" * 3000 + b"\n", b"\xff: \xfe\n\n\xfd\n",
    b"A: 1\n" * 50 + b"\n" + b"y\n" * 50,
)  # fmt: skip
REPLIES = (
    *[CONTINUE] * 30, ACCEPT, REJECT, TEMPFAIL, DISCARD, SKIP, PROGRESS, CONN_FAIL, SHUTDOWN,
    PROGRESS * 3 + CONTINUE, said(b"554 5.7.1 No"), said(b"421 4.7.1 Go"), said(b"250 2.0.0 Ok"),
    said(b"550 5.7.1 a\r\n250 ok"), said(b"550 5.7.1 a|b\\\xff%s"), CONTINUE * 2,
)  # fmt: skip
NAMES = (b"X", b"A", b"From", b"a", b".X", b"Received", b"X Y", b"", b"\xff", b"X:", b"x" * 900)
VALUES = (b"", b"1", b" 2", b"3\r\n 4", b"5\n6", b"\n\n", b"\n\nbody", b"\r", b"\xff",
          b"x" * 70_000, b".\n.\n", b"filter-result|x|y|proceed")  # fmt: skip
OFFERS = (
    large(b"O", b"\0\0\0\2\0\0\0\0\0\0\0\0"), large(b"O", b"\0\0\0\6\0\0\1\xff\0\x1f\xff\xff"),
    large(b"O", b"\0\0\0\7" + bytes(8)), large(b"O", b"\0\0\0\6" + b"\xff" * 8), large(b"O", b""),
    large(b"O", b"\0\0\0\6\0\0\1\xff\0\0\0\0" + b"\0\0\0\0j"),
)  # fmt: skip


class Whim:
    """A milter's replies, by the dice."""

    def __init__(self) -> None:
        self.dice = Random(0)
        self.temper = 0.0
        """How often it does what no milter may, 0 to 1."""

    def __call__(self, heard: Heard) -> bytes:
        dice = self.dice
        if heard.letter in b"DAQ":
            foul = dice.random() < self.temper / 10
            return dice.choice([b"", CONTINUE, Last()]) if foul else b""
        if dice.random() < self.temper / 3:
            return self.foul()
        if heard.letter == b"O":
            return dice.choice(OFFERS) if dice.random() < 0.2 else milter_offer(dice)
        wishes = b""
        if heard.letter == b"E" or dice.random() < self.temper / 10:
            wishes = b"".join(self.wish() for _ in range(dice.randrange(5)))
        return wishes + dice.choice(REPLIES)

    def foul(self) -> bytes:
        dice = self.dice
        anything = dice.randbytes(dice.randrange(40))
        return dice.choice([
            b"", Last(), Last(anything), anything, large(dice.randbytes(1), anything),
            large(b"y", anything), large(b"i", anything), CONTINUE[:3], Last(CONTINUE[:4]),
            b"\0\x10\0\1c", b"\x7f\xff\xff\xff",
        ])  # fmt: skip

    def wish(self) -> bytes:
        dice = self.dice
        name, value = dice.choice(NAMES), dice.choice(VALUES)
        if dice.random() > self.temper:
            name, value = b"X-Good", b"yes"
        index = dice.choice([0, 1, 2, 3, 99, 2**31 - 1, 2**31, 2**32 - 1])
        return dice.choice([
            added(name, value), inserted(index, name, value), changed(index, name, value),
            body(value), body(b"a\r\nb\0c"), large(b"q", value), large(b"+", strings(b"<x@y>")),
            large(b"-", strings(value)), large(b"e", strings(b"<>", value)), PROGRESS,
        ])  # fmt: skip


def milter_offer(dice: Random) -> bytes:
    steps = dice.choice([0, 0, 0, 0x100000, dice.randrange(1 << 21)])
    return large(b"O", b"\0\0\0\6\0\0\1\xff" + steps.to_bytes(4))


class Pair:
    """A filter before two milters, and their whims."""

    def __init__(self, line: str) -> None:
        self.whims = [Whim(), Whim()]
        self.milters = [ScriptedMilter(dict.fromkeys(LETTERS, whim)) for whim in self.whims]
        self.filter: Milter = make(*self.milters, line=f"{FEW} {line}")


LETTERS = (b"O", b"D", b"C", b"H", b"M", b"R", b"T", b"L", b"N", b"B", b"E", b"A", b"Q")
LINES = ("", "--fail open", "--fail open --discard reject", "--envelope tempfail")


@pytest.fixture(scope="module")
def pairs() -> Iterator[dict[str, Pair]]:
    made = {line: Pair(line) for line in LINES}
    yield made
    for pair in made.values():
        pair.filter.stop()
        for milter in pair.milters:
            milter.close()


def converse(mta: Talk, client: SmtpClient, dice: Random) -> None:
    """Have a client send some messages, and try again what is refused."""
    for _ in range(12):
        if not client.connected:
            return
        if not client.greeted:
            client.quit()
        elif not client.identity:
            client.ehlo()
        elif client.in_data:
            client.send(dice.choice(MESSAGES))
        elif client.transaction is None:
            dice.choice([client.mail, client.mail, client.mail, client.ehlo])()
        elif not client.transaction.recipients:
            dice.choice([client.rcpt, client.rcpt, client.rset])()
        else:
            dice.choice([client.data, client.data, client.data, client.rcpt, client.rset])()
        mta.settle()


@settings(max_examples=60)
@given(
    seed=st.integers(0, 2**64),
    line=st.sampled_from(LINES),
    tempers=st.tuples(*[st.sampled_from([0.0, 0.1, 0.5, 1.0])] * 2),
)
def test_any_milter(
    pairs: dict[str, Pair], seed: int, line: str, tempers: tuple[float, float]
) -> None:
    pair = pairs[line]
    for number, (whim, temper) in enumerate(zip(pair.whims, tempers, strict=True)):
        whim.dice, whim.temper = Random(seed + number), temper
    dice = Random(seed)
    mta = Talk(pair.filter, "7.6.0")  # it raises Fatal where smtpd would stop
    for _ in range(2):
        client = mta.come()
        converse(mta, client, dice)
        for transaction in client.transactions:
            assert transaction.fate != "pending" or transaction is client.transaction
            assert transaction.reply[:1] in (b"2", b"4", b"5", b"")
            assert (transaction.reply[:1] == b"2") is (transaction.fate == "accepted")
        if client.connected:
            client.vanish()
            mta.settle()
    mta.driver.close()
    counts = (mta.connection.session_count, mta.connection.message_count, mta.connection.held_bytes)
    assert counts == (0, 0, 0)
