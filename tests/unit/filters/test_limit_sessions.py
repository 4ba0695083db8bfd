"""filter-limit: several rules, what is foreseen, and how mail is counted."""

from pathlib import Path

import pytest

from unit.support.limit_stage import (
    DATA_OK,
    MESSAGE,
    NEVER,
    OK,
    RCPT_OK,
    STOPPED,
    accepted,
    rejected,
    stage,
    too_many,
)


def shown(logged: list[str]) -> list[str]:
    """Return the rules that the lines of the log name."""
    return [line.partition(" whose=")[2] for line in logged]


# --- several rules --------------------------------------------------------------------------------


def test_all_rules_of_a_message_are_asked(tmp_path: Path, logged: list[str]) -> None:
    rules = "user messages 3/1h reject\nuser messages 5/1d\nnetwork messages 2/1m"
    with stage(tmp_path, rules) as mta:
        bob = mta.come(b"bob")
        assert [mta.fate(bob) for _ in range(2)] == ["accepted"] * 2
        assert mta.mail(bob) == too_many("messages", 30)
        mta.pass_time(30)
        # The one that the network was refused was the third of the user.
        assert mta.mail(bob) == rejected("messages")
        assert mta.fate(mta.come(b"alice")) == "450 4.7.1 Too many messages, please try again in" \
            " 30 seconds"  # fmt: skip
        assert shown(logged) == [
            'network name=192.0.2.0/24 limit="messages 2/1m" action=defer',
            'user name=bob limit="messages 3/1h" action=reject',
            'network name=192.0.2.0/24 limit="messages 2/1m" action=defer',
        ]


@pytest.mark.parametrize(
    ("rules", "reply", "action"),
    [
        ("user messages 1/1h\nuser messages 1/2h reject", rejected("messages"), "reject"),
        ("user messages 1/2h reject\nuser messages 1/1h", rejected("messages"), "reject"),
        ("user messages 1/1h reject\nuser messages 1/2h stop", STOPPED, "stop"),
        ("user messages 1/1h stop\nuser bytes 900/1h\nuser messages 1/2h reject", STOPPED, "stop"),
        ("user messages 1/1h\nuser messages 1/2h", too_many("messages", 7200), "defer"),
        ("user messages 1/1h\nuser bytes 300/1h reject", rejected("bytes"), "reject"),
    ],
)
def test_the_gravest_rule_is_the_one_that_the_client_hears_of(
    tmp_path: Path, rules: str, reply: bytes, action: str, logged: list[str]
) -> None:
    with stage(tmp_path, rules) as mta:
        client = mta.come(b"bob")
        assert mta.fate(client) == "accepted"
        assert mta.mail(client) == reply
        [line] = shown(logged)
        assert line.endswith(f"action={action}")


def test_of_several_that_defer_the_longest_is_told(tmp_path: Path) -> None:
    """A client that comes again earlier would be told of the next one then."""
    with stage(tmp_path, "user messages 1/1m\naddress messages 1/1h") as mta:
        bob = mta.come(b"bob")
        assert mta.fate(bob) == "accepted"
        assert mta.mail(bob) == too_many("messages", 3600)
        assert mta.say(bob.mail) == too_many("messages", 3600)


def test_the_gravest_is_told_where_it_is_foreseen(tmp_path: Path) -> None:
    with stage(tmp_path, "user messages 1/1h\naddress messages 1/1h reject") as mta:
        bob = mta.come(b"bob")
        assert mta.fate(bob) == "accepted"
        assert mta.mail(bob) == rejected("messages")
        assert mta.say(bob.mail) == rejected("messages")


def test_never_comes_before_later(tmp_path: Path) -> None:
    rules = "user messages 1/1h\nuser bytes 300/1s"
    with stage(tmp_path, rules) as mta:
        client = mta.come(b"bob")
        assert mta.fate(client) == "accepted"
        other = mta.come(b"bob")
        mta.say(client.mail)
        mta.say(client.rcpt)
        mta.say(client.data)
        assert mta.end(client, b"Subject: large\n\n" + 9 * (b"x" * 70 + b"\n")) == NEVER
        assert mta.say(other.mail) == too_many("messages", 3600)


def test_a_rule_of_bytes_and_one_of_recipients(tmp_path: Path) -> None:
    with stage(tmp_path, "user bytes 700/1h\nuser recipients 5/1h reject") as mta:
        client = mta.come(b"bob")
        three = [b"%d@example.com" % number for number in range(3)]
        assert mta.fate(client, *three) == "accepted"
        assert mta.fate(client, *three) == "accepted"
        assert client.transactions[-1].recipients == three[:2]
        assert mta.fate(client) == "550 5.7.1 Too many recipients"


# --- recipients -----------------------------------------------------------------------------------


def test_recipients_are_counted_one_by_one(tmp_path: Path) -> None:
    with stage(tmp_path, "user recipients 10/1h") as mta:
        client = mta.come(b"bob")
        for size in (1, 4, 3):
            names = [b"%d@example.com" % number for number in range(size)]
            assert mta.fate(client, *names) == "accepted"
        names = [b"%d@example.com" % number for number in range(4)]
        assert mta.fate(client, *names) == "accepted"
        assert client.transactions[-1].recipients == names[:2]
        assert client.replies.count(too_many("recipients", 360)) == 2


def test_the_same_recipient_again_is_another_one(tmp_path: Path) -> None:
    with stage(tmp_path, "user recipients 2/1h reject") as mta:
        client = mta.come(b"bob")
        mta.say(client.mail)
        found = [mta.say(client.rcpt) for _ in range(3)]
        assert found == [RCPT_OK, RCPT_OK, rejected("recipients")]


def test_recipients_of_mail_that_is_not_sent_count(tmp_path: Path) -> None:
    with stage(tmp_path, "user recipients 2/1h reject") as mta:
        client = mta.come(b"bob")
        for _ in range(2):
            mta.say(client.mail)
            assert mta.say(client.rcpt) == RCPT_OK
            mta.say(client.rset)
        mta.say(client.mail)
        assert mta.say(client.rcpt) == rejected("recipients")


def test_messages_that_are_not_sent_do_not_count(tmp_path: Path) -> None:
    with stage(tmp_path, "user messages 1/1h\nuser bytes 1K/1h") as mta:
        client = mta.come(b"bob")
        for _ in range(3):
            mta.say(client.mail)
            mta.say(client.rcpt)
            mta.say(client.rset)
        cut = mta.come(b"bob")
        mta.say(cut.mail)
        mta.say(cut.rcpt)
        mta.say(cut.data)
        cut.line(b"x" * 5000)
        cut.vanish()
        mta.settle()
        assert mta.fate(client) == "accepted"


# --- bytes ----------------------------------------------------------------------------------------

MESSAGES = [
    b"Subject: x\n\nbody\n",
    b"Subject: x\n\n\n\n..\n.dots\n...\n",
    b"\nno header\n",
    b"Subject: \xff\xfe\n\n" + b"\xe4" * 5000 + b"\n",
    b"Subject: many\n\n" + 3000 * b"a line\n",
]


def with_crlf(content: bytes) -> int:
    return len(content) + content.count(b"\n")


@pytest.mark.parametrize("message", MESSAGES, ids=range(len(MESSAGES)))
def test_bytes_are_those_of_the_message_with_crlf(tmp_path: Path, message: bytes) -> None:
    """smtpd's own lines are a part of it, and dots count as they are."""
    with stage(tmp_path, "user bytes 1M/1d reject") as mta:
        client = mta.come(b"bob")
        assert mta.fate(client, message=message) == "accepted"
        assert client.transactions[0].content.endswith(message)
        [step] = mta.state.steps
        assert step[2] == with_crlf(client.transactions[0].content) * 82398  # of 86400 s / 1 MB


def test_a_message_without_a_body(tmp_path: Path) -> None:
    """Nothing tells of its blank line, which is not counted."""
    with stage(tmp_path, "user bytes 1M/1d reject") as mta:
        client = mta.come(b"bob")
        assert mta.fate(client, message=b"Subject: x\n\n") == "accepted"
        [step] = mta.state.steps
        assert step[2] == (with_crlf(client.transactions[0].content) - 2) * 82398


def test_each_message_is_counted_anew(tmp_path: Path) -> None:
    with stage(tmp_path, "user bytes 1M/1d reject") as mta:
        client = mta.come(b"bob")
        for _ in range(3):
            assert mta.fate(client) == "accepted"
        assert {step[2] for step in mta.state.steps} == {
            with_crlf(client.transactions[0].content) * 82398
        }


def test_a_message_that_was_cut_short_adds_nothing_to_the_next(tmp_path: Path) -> None:
    with stage(tmp_path, "user bytes 1M/1d reject", version="7.9.0") as mta:
        client = mta.come(b"bob")
        assert mta.fate(client) == "accepted"
        mta.say(client.mail)
        mta.say(client.rcpt)
        mta.say(client.rset)
        assert mta.fate(client) == "accepted"
        assert len({step[2] for step in mta.state.steps}) == 1


def test_messages_are_left_as_they_are(tmp_path: Path) -> None:
    rules = "user bytes 1G/1d"
    with stage(tmp_path, rules) as mta:
        client = mta.come(b"bob")
        for message in MESSAGES:
            assert mta.fate(client, message=message) == "accepted"
            content = client.transactions[-1]
            assert content.lines == content.sent
            assert content.content.removeprefix(content.received) == message


def test_fast_rates_of_bytes(tmp_path: Path) -> None:
    """A megabyte in a microsecond is no more than a store's clock could tell."""
    with stage(tmp_path, "user bytes 100M/1s") as mta:
        client = mta.come(b"bob")
        assert mta.fate(client, message=b"\n" + 50_000 * (b"x" * 998 + b"\n")) == "accepted"
        mta.pass_time(0.55)
        for _ in range(2):
            assert mta.fate(client, message=b"\n" + 50_000 * (b"x" * 998 + b"\n")) == "accepted"


# --- what is foreseen -----------------------------------------------------------------------------


def test_nothing_is_foreseen_of_a_user_who_was_never_refused(tmp_path: Path) -> None:
    with stage(tmp_path, "user messages 1/1h") as mta:
        client = mta.come(b"bob")
        assert mta.fate(client) == "accepted"
        assert mta.say(client.mail) == OK
        assert mta.say(client.rcpt) == RCPT_OK
        assert mta.say(client.data) == DATA_OK
        assert mta.end(client) == too_many("messages", 3600)
        steps = len(mta.state.steps)
        mta.pass_time(59)
        assert mta.say(mta.come(b"Bob").mail) == too_many("messages", 3541)
        assert len(mta.state.steps) == steps
        assert mta.say(mta.come(b"alice").mail) == OK


def test_a_transaction_under_way(tmp_path: Path) -> None:
    with stage(tmp_path, "user messages 1/1h") as mta:
        waiting, client = mta.come(b"bob"), mta.come(b"bob")
        mta.say(waiting.mail)
        assert mta.say(waiting.rcpt) == RCPT_OK
        assert mta.fate(client) == "accepted"
        assert mta.mail(client) == too_many("messages", 3600)
        assert mta.say(waiting.rcpt, b"two@example.com") == too_many("messages", 3600)
        mta.pass_time(3600)
        assert mta.say(waiting.rcpt, b"two@example.com") == RCPT_OK
        mta.say(waiting.data)
        assert accepted(mta.end(waiting))


def test_a_domain_that_is_full_is_refused_at_rcpt_to(tmp_path: Path, logged: list[str]) -> None:
    with stage(tmp_path, "recipient-domain messages 1/1h reject") as mta:
        client = mta.come()
        assert mta.fate(client, b"a@x.example") == "accepted"
        assert mta.mail(client, b"a@x.example") == rejected("messages")
        assert mta.fate(client, b"a@x.example", b"a@y.example", b"b@X.example") == "accepted"
        assert client.transactions[-1].recipients == [b"a@y.example"]
        assert (
            shown(logged)
            == ['recipient-domain name=x.example limit="messages 1/1h" action=reject'] * 3
        )


def test_excess_of_recipients_and_bytes_is_not_foreseen(tmp_path: Path) -> None:
    """The next message may be a small one."""
    with stage(tmp_path, "user bytes 600/600s") as mta:
        client = mta.come(b"bob")
        assert mta.mail(client, message=5 * MESSAGE) != b""
        mta.mail(client, message=9 * MESSAGE)
        assert mta.say(client.mail) == OK
        assert mta.say(client.rcpt) == RCPT_OK


# --- logs -----------------------------------------------------------------------------------------


def test_the_log_of_a_client_without_a_name_and_an_address(
    tmp_path: Path, logged: list[str]
) -> None:
    rules = "recipient-domain messages 1/1h reject"
    with stage(tmp_path, rules) as mta:
        client = mta.come(source=b"unix:/var/run/smtpd.sock")
        assert mta.fate(client) == "accepted"
        assert mta.mail(client) == rejected("messages")
        assert logged == [
            f"{client.id.decode()} limit-exceeded whose=recipient-domain name=example.com"
            ' limit="messages 1/1h" action=reject'
        ]


def test_the_log_of_ipv6(tmp_path: Path, logged: list[str]) -> None:
    with stage(tmp_path, "address messages 1/1h reject") as mta:
        client = mta.come(source=b"[2001:db8:0:0::5]:4711")
        assert mta.fate(client) == "accepted"
        assert mta.mail(client) == rejected("messages")
        assert logged == [
            f"{client.id.decode()} limit-exceeded address=2001:db8::5 whose=address"
            ' name=2001:db8::5 limit="messages 1/1h" action=reject'
        ]


def test_mail_that_is_within_its_limits_leaves_no_line(tmp_path: Path, logged: list[str]) -> None:
    rules = "user messages 9/1h\naddress recipients 9/1h\nsender bytes 1M/1h\nuser bytes 2M/1h stop"
    with stage(tmp_path, rules) as mta:
        client = mta.come(b"bob")
        for _ in range(3):
            assert mta.fate(client, b"a@example.com", b"b@example.com") == "accepted"
        assert mta.say(client.quit) == b"221 2.0.0 Bye"
        assert logged == []
