"""filter-limit: messages that wait for their turn."""

from pathlib import Path

import pytest

from opensmtpd.testing import SmtpClient
from unit.support.limit_stage import (
    MESSAGE,
    OK,
    STOPPED,
    LimitStage,
    accepted,
    stage,
    too_many,
)


def burst(mta: LimitStage, count: int, *recipients: bytes) -> list[SmtpClient]:
    """Have clients come who send a message each."""
    clients = [mta.come() for _ in range(count)]
    for client in clients:
        mta.mail(client, *recipients)
    return clients


def through(clients: list[SmtpClient]) -> list[bool]:
    """Return which of them have been told that their message is accepted."""
    return [accepted(client.replies[-1]) for client in clients]


def test_a_burst_of_a_web_application(tmp_path: Path, logged: list[str]) -> None:
    """It is on this machine; the rule is for the provider that blocks what comes too fast."""
    with stage(tmp_path, "recipient-domain messages 60/1m pace") as mta:
        clients = [mta.come(source=b"127.0.0.1:%d" % port) for port in range(1000, 1005)]
        assert [mta.fate(client) for client in clients] == ["accepted", *["held"] * 4]
        assert mta.waits == [1.0, 2.0, 3.0, 4.0]
        for second in range(1, 5):
            mta.pass_time(0.999)
            assert through(clients) == [True] * second + [False] * (5 - second)
            mta.pass_time(0.001)
            assert through(clients) == [True] * (second + 1) + [False] * (4 - second)
        for client in clients:
            assert client.transactions[-1].content.endswith(MESSAGE)
        assert [line.partition(" ")[2] for line in logged] == [
            *("limit-pace wait=1.000", "limit-pace wait=2.000"),
            *("limit-pace wait=3.000", "limit-pace wait=4.000"),
        ]


def test_after_a_rest_nobody_waits(tmp_path: Path) -> None:
    with stage(tmp_path, "user messages 60/1m pace") as mta:
        client = mta.come(b"bob")
        for _ in range(3):
            assert mta.fate(client) == "accepted"
            mta.pass_time(1)
        assert mta.waits == []


def test_each_domain_has_a_line(tmp_path: Path) -> None:
    with stage(tmp_path, "recipient-domain messages 60/1m pace") as mta:
        for recipient in (b"a@x.example", b"a@y.example", b"b@X.example", b"b@y.example"):
            burst(mta, 1, recipient)
        assert mta.waits == [1.0, 1.0]


def test_a_message_to_several_domains_waits_for_the_longest_line(tmp_path: Path) -> None:
    with stage(tmp_path, "recipient-domain messages 60/1m pace") as mta:
        burst(mta, 4, b"a@x.example")
        assert mta.waits == [1.0, 2.0, 3.0]
        [client] = burst(mta, 1, b"a@x.example", b"a@y.example", b"b@y.example", b"a@z.example")
        assert mta.waits == [1.0, 2.0, 3.0, 4.0]
        # It has a place in the line of each, once.
        burst(mta, 1, b"b@y.example")
        assert mta.waits[4:] == [1.0]
        mta.pass_time(4)
        assert through([client]) == [True]


def test_a_domain_of_its_own_pace(tmp_path: Path) -> None:
    rules = (
        "recipient-domain messages 60/1m pace\n"
        "recipient-domain slow.example messages 60/1h pace\n"
        "recipient-domain fast.example messages unlimited\n"
    )
    with stage(tmp_path, rules) as mta:
        for domain in (b"x.example", b"slow.example", b"fast.example"):
            burst(mta, 2, b"a@" + domain)
        assert mta.waits == [1.0, 60.0]


def test_domains_are_charged_for_their_own_recipients(tmp_path: Path) -> None:
    with stage(tmp_path, "recipient-domain recipients 60/1m pace") as mta:
        burst(mta, 1, *[b"%d@x.example" % number for number in range(10)], b"a@y.example")
        assert mta.waits == [9.0]
        burst(mta, 1, b"a@y.example")
        assert mta.waits[1:] == [1.0]


# --- beyond the deadline --------------------------------------------------------------------------


def test_a_line_that_is_longer_than_a_client_can_wait(tmp_path: Path, logged: list[str]) -> None:
    with stage(tmp_path, "recipient-domain messages 1/60s pace") as mta:
        clients = burst(mta, 5)
        assert mta.waits == [60.0, 120.0, 180.0]
        assert clients[4].replies[-1] == too_many("messages", 5)
        assert clients[4].transactions[-1].fate == "rejected"
        assert logged[3].partition(" ")[2] == (
            "limit-exceeded address=192.0.2.5 whose=recipient-domain name=example.com"
            ' limit="messages 1/60s" action=pace'
        )
        # It is known to be so.
        steps = len(mta.state.steps)
        assert mta.mail(clients[4]) == too_many("messages", 5)
        assert len(mta.state.steps) == steps
        # Those who were refused took no place.
        mta.pass_time(5)
        assert mta.fate(clients[4]) == "held"
        assert mta.waits[3:] == [235.0]


def test_a_message_to_a_domain_with_a_long_line_goes_to_the_others(tmp_path: Path) -> None:
    rules = "recipient-domain messages 60/1m pace\nrecipient-domain slow.example messages 1/1h pace"
    with stage(tmp_path, rules) as mta:
        [one] = burst(mta, 1, b"a@slow.example")
        assert through([one]) == [True]
        both = (b"b@slow.example", b"b@x.example")
        [client] = burst(mta, 1, *both)
        assert client.replies[-1] == too_many("messages", 3365)
        mta.pass_time(1)
        assert mta.fate(client, *both) == "accepted"
        assert client.transactions[-1].recipients == [b"b@x.example"]
        assert client.replies.count(too_many("messages", 3364)) == 1
        assert mta.waits == []


def test_others_in_line_keep_their_places(tmp_path: Path) -> None:
    """A message that another rule refuses takes none."""
    rules = "user messages 1/1h reject\nrecipient-domain messages 60/1m pace"
    with stage(tmp_path, rules) as mta:
        client = mta.come(b"bob")
        found = [mta.fate(client) for _ in range(3)]
        assert found == ["accepted", *["550 5.7.1 Too many messages"] * 2]
        assert mta.fate(mta.come(b"alice")) == "held"
        assert mta.waits == [1.0]


@pytest.mark.parametrize(
    ("deadline", "most"), [("1", 0.9), ("10", 9), ("50", 45), ("60", 55), ("240", 235)]
)
def test_deadlines(tmp_path: Path, deadline: str, most: float) -> None:
    with stage(tmp_path, "user messages 10/1s pace", f"--deadline {deadline}") as mta:
        client = mta.come(b"bob")
        for _ in range(round(most * 10) + 1):
            reply = mta.mail(client)
            if not reply:
                client = mta.come(b"bob")
        assert mta.waits[-1] == most
        assert mta.mail(client) == too_many("messages", 1)


@pytest.mark.parametrize("deadline", ["1000", "1e8"])
def test_a_deadline_that_smtpd_does_not_leave(tmp_path: Path, deadline: str) -> None:
    with stage(tmp_path, "user messages 1/100s pace", f"--deadline {deadline}") as mta:
        clients = [mta.come(b"bob") for _ in range(4)]
        found = [mta.fate(client) for client in clients]
        assert found[:3] == ["accepted", "held", "held"]
        assert found[3].encode() == too_many("messages", 65)


# --- what interrupts ------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["vanish", "time_out"])
def test_a_client_that_is_gone_is_waited_for_no_more(tmp_path: Path, how: str) -> None:
    with stage(tmp_path, "recipient-domain messages 60/1m pace") as mta:
        clients = burst(mta, 3)
        getattr(clients[1], how)()
        mta.settle()
        assert len(mta.sleepers) == len(mta.tasks) == 1
        assert len(mta.connection.dispatcher.pending) == 1
        assert mta.connection.session_count == 2
        # Its place is not given to another, who may have been told to wait already.
        assert through(clients) == [True, False, False]
        mta.pass_time(2)
        assert through(clients) == [True, False, True]
        assert mta.smtpd.ignored == 0  # no answer was written for it
        assert (mta.sleepers, len(mta.tasks)) == ([], 0)


def test_all_are_gone(tmp_path: Path) -> None:
    with stage(tmp_path, "recipient-domain messages 60/1m pace") as mta:
        for client in burst(mta, 9):
            client.vanish()
        mta.settle()
        assert (mta.sleepers, len(mta.tasks)) == ([], 0)
        assert len(mta.connection.dispatcher.pending) == 0
        assert (mta.connection.session_count, mta.smtpd.ignored) == (0, 0)
        mta.pass_time(60)
        assert mta.fate(mta.come()) == "accepted"


def test_others_are_served_meanwhile(tmp_path: Path) -> None:
    with stage(tmp_path, "recipient-domain messages 1/60s pace") as mta:
        held = burst(mta, 2)[1]
        other = mta.come()
        assert mta.fate(other, b"a@x.example") == "accepted"
        assert mta.say(other.quit) == b"221 2.0.0 Bye"
        assert through([held]) == [False]


def test_the_next_message_of_the_same_client(tmp_path: Path) -> None:
    with stage(tmp_path, "user messages 60/1m pace") as mta:
        client = mta.come(b"bob")
        assert mta.fate(client) == "accepted"
        for _ in range(3):
            assert mta.fate(client) == "held"
            mta.pass_time(1)
            assert through([client]) == [True]
        assert mta.waits == [1.0] * 3


def test_new_rules_while_messages_wait(tmp_path: Path) -> None:
    with stage(tmp_path, "user messages 60/1m pace") as mta:
        client, other = mta.come(b"bob"), mta.come(b"bob")
        assert [mta.fate(client), mta.fate(other)] == ["accepted", "held"]
        mta.path.write_text("user messages 1/1h reject")
        mta.hang_up()
        mta.pass_time(1)
        assert through([other]) == [True]
        assert [mta.fate(other) for _ in range(2)] == ["accepted", "550 5.7.1 Too many messages"]


def test_a_user_who_is_stopped_while_his_message_waits(tmp_path: Path, logged: list[str]) -> None:
    rules = "user recipients 5/1d stop\nuser messages 60/1m pace"
    with stage(tmp_path, rules) as mta:
        clients = [mta.come(b"bob") for _ in range(3)]
        assert [mta.fate(client) for client in clients] == ["accepted", "held", "held"]
        thief = mta.come(b"bob")
        assert mta.say(thief.mail) == OK
        for _ in range(2):
            mta.say(thief.rcpt)
        assert mta.say(thief.rcpt) == STOPPED
        mta.pass_time(2)
        assert [client.replies[-1] for client in clients[1:]] == [STOPPED, STOPPED]
        assert [line.split()[1] for line in logged] == [
            *("limit-pace", "limit-pace", "limit-exceeded", "limit-stopped", "limit-stopped"),
        ]
