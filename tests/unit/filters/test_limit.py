"""filter-limit: each kind of rule alone, with its replies and its lines in the log."""

import itertools
from pathlib import Path

import pytest

from opensmtpd.testing import SmtpClient
from unit.support.limit_stage import (
    NEVER,
    OK,
    RCPT_OK,
    STOPPED,
    LimitStage,
    accepted,
    rejected,
    stage,
    too_many,
)

NAMES = {
    "user": "bob",
    "address": "192.0.2.77",
    "network": "192.0.2.0/24",
    "sender": "news@example.org",
    "sender-domain": "example.org",
    "recipient-domain": "example.com",
}
"""The names under which the client of these tests is counted."""
SENDER = b"News@Example.ORG"
LARGE = b"Subject: large\n\n" + 19 * (b"x" * 70 + b"\n")


def come(mta: LimitStage) -> SmtpClient:
    return mta.come(b"Bob", source=b"192.0.2.77:4711")


def exceeded(client: SmtpClient, whose: str, limit: str, action: str) -> str:
    return (
        f"{client.id.decode()} limit-exceeded address=192.0.2.77 user=Bob whose={whose}"
        f' name={NAMES[whose]} limit="{limit}" action={action}'
    )


def stopped(client: SmtpClient, left: int) -> str:
    return f"{client.id.decode()} limit-stopped user=bob left={left} address=192.0.2.77"


def size(client: SmtpClient) -> int:
    """Return the bytes of the last message, with CR LF."""
    content = client.transactions[-1].content
    return len(content) + content.count(b"\n")


ALL = [
    (whose, action)
    for whose, action in itertools.product(NAMES, ("", "reject", "stop 1h"))
    if whose == "user" or not action.startswith("stop")
]
"""All rules whose excess is refused; those that pace are apart."""


def refusal(action: str, unit: str, seconds: int) -> bytes:
    return {"": too_many(unit, seconds), "reject": rejected(unit), "stop 1h": STOPPED}[action]


@pytest.mark.parametrize(("whose", "action"), ALL)
def test_messages(tmp_path: Path, whose: str, action: str, logged: list[str]) -> None:
    word = action.partition(" ")[0] or "defer"
    with stage(tmp_path, f"{whose} messages 2/1h {action}") as mta:
        client = come(mta)
        for _ in range(2):
            assert accepted(mta.mail(client, sender=SENDER))
        assert logged == []
        assert mta.mail(client, sender=SENDER) == refusal(action, "messages", 1800)
        assert client.transactions[-1].fate == "rejected"
        line = exceeded(client, whose, "messages 2/1h", word)
        assert logged == [line]
        mta.pass_time(60)
        steps = len(mta.state.steps)
        # The next one is refused where it is known to be one too many.
        reply = mta.say(client.mail, SENDER)
        if whose == "recipient-domain":
            assert reply == OK
            reply = mta.say(client.rcpt)
        assert reply == refusal(action, "messages", 1740)
        if word == "stop":
            assert logged[1:] == [stopped(client, 3540)]
        else:
            assert logged[1:] == [line]
            assert len(mta.state.steps) == steps
        mta.say(client.rset)
        mta.pass_time(1740 if word != "stop" else 3540)
        assert accepted(mta.mail(client, sender=SENDER))


@pytest.mark.parametrize(("whose", "action"), ALL)
def test_recipients(tmp_path: Path, whose: str, action: str, logged: list[str]) -> None:
    word = action.partition(" ")[0] or "defer"
    with stage(tmp_path, f"{whose} recipients 2/1h {action}") as mta:
        client = come(mta)
        assert mta.say(client.mail, SENDER) == OK
        for name in (b"one", b"two"):
            assert mta.say(client.rcpt, name + b"@example.com") == RCPT_OK
        reply = mta.say(client.rcpt, b"three@Example.Com")
        assert reply == refusal(action, "recipients", 1800)
        line = exceeded(client, whose, "recipients 2/1h", word)
        assert logged == [line]
        mta.say(client.data)
        if word == "stop":
            assert mta.end(client) == STOPPED
            assert logged[1:] == [stopped(client, 3600)]
            return
        assert accepted(mta.end(client))
        assert client.transactions[-1].recipients == [b"one@example.com", b"two@example.com"]
        # Nothing is foreseen of recipients: there may be others.
        assert mta.say(client.mail, SENDER) == OK
        assert mta.say(client.rcpt) == refusal(action, "recipients", 1800)
        assert logged[1:] == [line]
        mta.pass_time(1800)
        assert mta.say(client.rcpt) == RCPT_OK


@pytest.mark.parametrize(("whose", "action"), ALL)
def test_bytes(tmp_path: Path, whose: str, action: str, logged: list[str]) -> None:
    word = action.partition(" ")[0] or "defer"
    with stage(tmp_path, f"{whose} bytes 2K/2048s {action}") as mta:  # a byte a second
        client = come(mta)
        assert accepted(mta.mail(client, sender=SENDER, message=LARGE))
        first = size(client)
        assert 1400 < first < 2048
        reply = mta.mail(client, sender=SENDER, message=LARGE)
        wait = first + size(client) - 2048
        assert reply == refusal(action, "bytes", wait)
        line = exceeded(client, whose, "bytes 2K/2048s", word)
        assert logged == [line]
        if word == "stop":
            assert mta.say(client.mail, SENDER) == STOPPED
            return
        # A smaller one may pass.
        assert accepted(mta.mail(client, sender=SENDER))
        mta.pass_time(wait + size(client))
        assert accepted(mta.mail(client, sender=SENDER, message=LARGE))
        assert logged[1:] == []


@pytest.mark.parametrize("whose", NAMES)
def test_paced_messages(tmp_path: Path, whose: str, logged: list[str]) -> None:
    with stage(tmp_path, f"{whose} messages 30/1m pace") as mta:
        one, other = come(mta), come(mta)
        assert mta.fate(one, sender=SENDER) == "accepted"
        assert mta.fate(one, sender=SENDER) == "held"
        assert mta.fate(other, sender=SENDER) == "held"
        assert mta.waits == [2.0, 4.0]
        assert logged == [
            f"{one.id.decode()} limit-pace wait=2.000",
            f"{other.id.decode()} limit-pace wait=4.000",
        ]
        mta.pass_time(2)
        assert accepted(one.replies[-1])
        assert not accepted(other.replies[-1])
        mta.pass_time(2)
        assert accepted(other.replies[-1])


@pytest.mark.parametrize("whose", NAMES)
def test_paced_recipients(tmp_path: Path, whose: str, logged: list[str]) -> None:
    """They are accepted, and the message waits for all of them."""
    with stage(tmp_path, f"{whose} recipients 30/1m pace") as mta:
        client = come(mta)
        three = (b"a@example.com", b"b@example.com", b"c@example.com")
        assert mta.fate(client, *three, sender=SENDER) == "held"
        assert mta.waits == [4.0]
        assert logged == [f"{client.id.decode()} limit-pace wait=4.000"]
        mta.pass_time(4)
        assert accepted(client.replies[-1])
        assert client.transactions[-1].recipients == [*three]


@pytest.mark.parametrize("whose", NAMES)
def test_paced_bytes(tmp_path: Path, whose: str, logged: list[str]) -> None:
    with stage(tmp_path, f"{whose} bytes 100/1s pace") as mta:
        client = come(mta)
        assert mta.fate(client, sender=SENDER, message=LARGE) == "held"
        wait = (size(client) - 1) / 100
        assert mta.waits == [wait]
        assert logged == [f"{client.id.decode()} limit-pace wait={wait:.3f}"]
        mta.pass_time(wait)
        assert accepted(client.replies[-1])


@pytest.mark.parametrize("whose", NAMES)
@pytest.mark.parametrize("unit", ["messages", "recipients"])
def test_a_line_that_is_too_long(tmp_path: Path, whose: str, unit: str, logged: list[str]) -> None:
    with stage(tmp_path, f"{whose} {unit} 2/1h pace") as mta:
        client = come(mta)
        assert mta.fate(client, sender=SENDER) == "accepted"
        # The next one is to wait for half an hour, and a client waits for 235 seconds.
        assert mta.mail(client, sender=SENDER) == too_many(unit, 1565)
        assert logged == [exceeded(client, whose, f"{unit} 2/1h", "pace")]
        mta.pass_time(1565)
        assert mta.fate(client, sender=SENDER) == "held"
        assert mta.waits == [235.0]


@pytest.mark.parametrize(("whose", "action"), [*ALL, *[(whose, "pace") for whose in NAMES]])
def test_a_message_that_is_larger_than_the_burst(
    tmp_path: Path, whose: str, action: str, logged: list[str]
) -> None:
    word = action.partition(" ")[0] or "defer"
    with stage(tmp_path, f"{whose} bytes 1K/1d {action}") as mta:
        client = come(mta)
        reply = mta.mail(client, sender=SENDER, message=LARGE)
        assert reply == (STOPPED if word == "stop" else NEVER)
        assert logged == [exceeded(client, whose, "bytes 1K/1d", word)]
        mta.pass_time(3600)
        reply = mta.mail(client, sender=SENDER, message=2000 * LARGE)
        assert reply == (STOPPED if word == "stop" else NEVER)


def test_a_burst(tmp_path: Path, logged: list[str]) -> None:
    with stage(tmp_path, "user messages 60/1m burst 3 reject") as mta:
        client = come(mta)
        found = [mta.fate(client) for _ in range(4)]
        assert found == ["accepted"] * 3 + ["550 5.7.1 Too many messages"]
        assert logged == [exceeded(client, "user", "messages 60/1m burst 3", "reject")]
        mta.pass_time(2)
        found = [mta.fate(client) for _ in range(3)]
        assert found == ["accepted"] * 2 + ["550 5.7.1 Too many messages"]


def test_a_burst_of_pace(tmp_path: Path) -> None:
    with stage(tmp_path, "user messages 60/1m burst 3 pace") as mta:
        found = [mta.fate(come(mta)) for _ in range(5)]
        assert found == ["accepted"] * 3 + ["held"] * 2
        assert mta.waits == [1.0, 2.0]
