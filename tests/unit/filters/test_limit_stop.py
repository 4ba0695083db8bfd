"""filter-limit: accounts that are stopped."""

from pathlib import Path
from typing import Any

import pytest

from opensmtpd.answer import Deferred
from opensmtpd.backends.state.results import UNKNOWN, StateUnknown
from opensmtpd.backends.state.state import LastingState
from opensmtpd.testing import SmtpClient
from unit.support.limit_stage import (
    DATA_OK,
    OK,
    RCPT_OK,
    STOPPED,
    LimitStage,
    stage,
    too_many,
)

DAY = 86400
RULE = "user recipients 3/1d stop"


def steal(mta: LimitStage, user: bytes = b"bob", allowed: int = 3) -> SmtpClient:
    """Have a client send to too many as a user, who is stopped by that."""
    thief = mta.come(user)
    assert mta.say(thief.mail) == OK
    for _ in range(allowed):
        assert mta.say(thief.rcpt) == RCPT_OK
    assert mta.say(thief.rcpt) == STOPPED
    return thief


def events(logged: list[str]) -> list[str]:
    return [line.partition(" ")[2] for line in logged]


EXCEEDED = (
    "limit-exceeded address=192.0.2.5 user=bob whose=user name=bob"
    ' limit="recipients 3/1d" action=stop'
)


def stopped(left: int) -> str:
    return f"limit-stopped user=bob left={left} address=192.0.2.5"


def test_the_message_amid_which_it_happens(tmp_path: Path, logged: list[str]) -> None:
    with stage(tmp_path, RULE) as mta:
        thief = steal(mta)
        assert mta.say(thief.data) == DATA_OK
        assert mta.end(thief) == STOPPED
        assert thief.transactions[0].fate == "rejected"
        assert events(logged) == [EXCEEDED, stopped(DAY)]
        assert mta.say(thief.mail) == STOPPED
        assert events(logged)[2:] == [stopped(DAY)]


def test_what_cannot_be_noted_stays_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user of whom no note could be taken does not begin anew."""
    with stage(tmp_path, RULE) as mta:
        settled: Deferred[StateUnknown] = Deferred()
        settled.settle(UNKNOWN)
        with monkeypatch.context() as patch:
            patch.setattr(LastingState, "put", lambda *_: settled)
            thief = steal(mta)
        assert mta.say(thief.rcpt) == STOPPED
        assert mta.say(mta.come(b"bob").mail) == STOPPED


def test_all_sessions_of_the_user(tmp_path: Path, logged: list[str]) -> None:
    with stage(tmp_path, RULE) as mta:
        idle, at_mail, at_data = (mta.come(user) for user in (b"bob", b"Bob", b"BOB"))
        for client in (at_mail, at_data):
            assert mta.say(client.mail) == OK
        mta.say(at_data.rcpt)
        mta.say(at_data.data)
        steal(mta, allowed=2)
        assert mta.end(at_data) == STOPPED
        assert mta.say(idle.mail) == STOPPED
        assert mta.say(at_mail.rcpt) == STOPPED
        assert mta.say(mta.come(b"bOB").mail) == STOPPED
        assert events(logged) == [EXCEEDED, *[stopped(DAY)] * 4]


def test_a_message_that_another_machine_stops(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, logged: list[str]
) -> None:
    """It does so behind the question whether it has, and what comes of it begins anew."""
    with stage(tmp_path, "user messages 2/1d stop") as mta:
        client = mta.come(b"bob")
        assert [mta.fate(client) for _ in range(2)] == ["accepted"] * 2
        allow = mta.state.allow

        def late(key: list[str], *arguments: Any) -> Any:
            mta.state.put(["stop", "bob"], b"", DAY)
            mta.state.forget(key)
            return allow(key, *arguments)

        monkeypatch.setattr(mta.state, "allow", late)
        assert mta.mail(client) == STOPPED
        assert events(logged) == [stopped(DAY)]


def test_others_are_not_stopped(tmp_path: Path) -> None:
    rules = f"{RULE}\nsender messages 100/1h"
    with stage(tmp_path, rules) as mta:
        steal(mta)
        for user in (b"alice", b"bob2", b"bob@example.org", None):
            client = mta.come(user)
            assert mta.fate(client) == "accepted"
            # The sender's name means nothing.
            assert mta.fate(client, sender=b"bob@example.org") == "accepted"


@pytest.mark.parametrize(
    ("time", "seconds"), [("", DAY), ("10m", 600), ("2h", 7200), ("400d", 400 * DAY)]
)
def test_time(tmp_path: Path, time: str, seconds: int, logged: list[str]) -> None:
    with stage(tmp_path, f"{RULE} {time}") as mta:
        steal(mta)
        client = mta.come(b"bob")
        mta.pass_time(seconds - 1)
        assert mta.say(client.mail) == STOPPED
        assert events(logged)[1:] == [stopped(1)]
        mta.pass_time(1)
        # All of the rate is there again, whatever its period is.
        assert mta.fate(client, *[b"%d@example.com" % number for number in range(3)]) == "accepted"


def test_mail_that_is_refused_makes_the_time_no_longer(tmp_path: Path) -> None:
    with stage(tmp_path, f"{RULE} 1h") as mta:
        steal(mta)
        client = mta.come(b"bob")
        for _ in range(60):
            assert mta.say(client.mail) == STOPPED
            mta.pass_time(60)
        assert mta.say(client.mail) == OK


@pytest.mark.parametrize("unit", ["messages", "bytes"])
def test_messages_and_bytes_stop_at_the_end_of_a_message(tmp_path: Path, unit: str) -> None:
    rate = {"messages": "1/1h", "bytes": "300/1h"}[unit]
    with stage(tmp_path, f"user {unit} {rate} stop") as mta:
        client = mta.come(b"bob")
        assert mta.fate(client) == "accepted"
        assert mta.mail(client) == STOPPED
        assert mta.say(client.mail) == STOPPED
        assert mta.say(mta.come(b"BOB").mail) == STOPPED


def test_users_whose_rules_stop_nobody_are_not_asked_about(tmp_path: Path) -> None:
    rules = f"{RULE}\nuser news recipients unlimited\nuser news messages 100/1h"
    with stage(tmp_path, rules) as mta:
        client = mta.come(b"news")
        ten = [b"%d@example.com" % number for number in range(10)]
        assert mta.fate(client, *ten) == "accepted"
        assert len(mta.state.steps) == 1
        assert mta.fate(mta.come(), *ten) == "accepted"  # no user at all
        assert len(mta.state.steps) == 1


def test_a_user_with_a_stop_of_his_own(tmp_path: Path) -> None:
    rules = "user messages 100/1h\nuser news recipients 3/1d stop 1h"
    with stage(tmp_path, rules) as mta:
        steal(mta, b"news")
        assert mta.say(mta.come(b"News").mail) == STOPPED
        assert mta.fate(mta.come(b"bob"), *[b"a@example.com"] * 9) == "accepted"
        mta.pass_time(3600)
        assert mta.say(mta.come(b"News").mail) == OK


def test_several_rules_that_stop(tmp_path: Path) -> None:
    rules = "user recipients 3/1m stop 1h\nuser recipients 5/1h stop 2h"
    with stage(tmp_path, rules) as mta:
        steal(mta)
        mta.pass_time(3600)
        # The rule that was not exceeded counts on: there was time enough for all of it.
        steal(mta)
        mta.pass_time(3599)
        assert mta.say(mta.come(b"bob").mail) == STOPPED


def test_stop_is_heeded_behind_a_rule_that_defers(tmp_path: Path, logged: list[str]) -> None:
    rules = "user recipients 3/1h\nuser recipients 3/1d stop"
    with stage(tmp_path, rules) as mta:
        steal(mta)
        assert mta.say(mta.come(b"bob").mail) == STOPPED
        assert events(logged) == [EXCEEDED, stopped(DAY)]


def test_a_rule_that_defers_before_one_that_stops(tmp_path: Path, logged: list[str]) -> None:
    rules = "user recipients 3/1h\nuser recipients 5/1d stop"
    with stage(tmp_path, rules) as mta:
        client = mta.come(b"bob")
        mta.say(client.mail)
        found = [mta.say(client.rcpt) for _ in range(4)]
        assert found == [RCPT_OK] * 3 + [too_many("recipients", 1200)]
        # What was refused counts for the rule that stops: the client goes on with it.
        found = [mta.say(client.rcpt) for _ in range(2)]
        assert found == [too_many("recipients", 1200), STOPPED]


# --- released, and new rules ----------------------------------------------------------------------


def test_a_user_who_is_released(tmp_path: Path) -> None:
    """Then the note is forgotten, as ``opensmtpd-plugins release`` does it."""
    with stage(tmp_path, RULE) as mta:
        steal(mta)
        client = mta.come(b"bob")
        assert mta.say(client.mail) == STOPPED
        mta.state.forget(["stop", "bob"])
        assert mta.fate(client, *[b"a@example.com"] * 3) == "accepted"
        mta.say(client.mail)
        assert mta.say(client.rcpt) == STOPPED


def test_a_thief_who_goes_on_takes_nothing_of_what_is_for_the_time_after(tmp_path: Path) -> None:
    with stage(tmp_path, RULE) as mta:
        other = mta.come(b"bob")
        assert mta.say(other.mail) == OK
        thief = steal(mta)
        for client in (thief, other):
            assert [mta.say(client.rcpt) for _ in range(2)] == [STOPPED] * 2
        mta.state.forget(["stop", "bob"])
        assert mta.fate(mta.come(b"bob"), *[b"a@example.com"] * 3) == "accepted"


def test_new_rules(tmp_path: Path) -> None:
    with stage(tmp_path, RULE) as mta:
        steal(mta)
        client = mta.come(b"bob")
        mta.path.write_text("user recipients 1000/1d stop")
        mta.hang_up()
        assert mta.say(client.mail) == STOPPED
        mta.path.write_text("user recipients 1000/1d")
        mta.hang_up()
        assert mta.fate(client) == "accepted"
        mta.path.write_text(RULE)
        mta.hang_up()
        assert mta.say(client.mail) == STOPPED


def test_a_state_that_is_away(tmp_path: Path) -> None:
    with stage(tmp_path, RULE) as mta:
        steal(mta)
        client = mta.come(b"bob")
        mta.state.away = True
        assert mta.fate(client, *[b"a@example.com"] * 9) == "accepted"
        mta.state.away = False
        assert mta.say(client.mail) == STOPPED
