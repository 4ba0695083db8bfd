"""filter-limit: for whom a rule is."""

from pathlib import Path
from typing import Any

import pytest

from unit.support.limit_stage import LimitStage, rejected, stage

REFUSED = rejected("messages").decode()


def fates(mta: LimitStage, *mails: dict[str, Any]) -> list[str]:
    """Return the fate of a message of each client, who sends nothing else."""
    found = []
    for mail in mails:
        about = dict(mail)
        recipients = about.pop("recipients", [b"alice@example.com"])
        sender = about.pop("sender", b"bob@remote.example")
        found.append(mta.fate(mta.come(**about), *recipients, sender=sender))
    return found


def ones(*refused: bool) -> list[str]:
    return [REFUSED if each else "accepted" for each in refused]


# --- users ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["6.8.0", "7.6.0", "7.9.0"])
def test_the_case_of_a_user_is_ignored(tmp_path: Path, version: str) -> None:
    with stage(tmp_path, "user messages 2/1h reject", version=version) as mta:
        users = (b"bob", b"Bob", b"BOB", b"bobby", b"bob@example.org")
        found = fates(mta, *[{"user": user} for user in users])
        assert found == ones(False, False, True, False, False)


def test_letters_that_are_not_ascii(tmp_path: Path) -> None:
    with stage(tmp_path, "user messages 2/1h reject\nuser \u00e4rger messages 1/1h reject") as mta:
        users = ("\u00c4rger", "\u00e4rger", "\u00c9va", "\u00e9va", "\u00e9VA")
        found = fates(mta, *[{"user": user.encode()} for user in users])
        assert found == ones(False, True, False, False, True)


def test_names_that_a_table_takes_for_the_same(tmp_path: Path) -> None:
    """MariaDB does so by default, and directories with some: one password has one limit."""
    with stage(tmp_path, "user messages 2/1h reject\nuser \u00e9va messages 1/1h reject") as mta:
        users = (b"bob", "b\u00f3b", b"bo\x01b", "\uff42ob", b"eva", "\u00c9va")
        names = [each if isinstance(each, bytes) else each.encode() for each in users]
        found = fates(mta, *[{"user": name} for name in names])
        assert found == ones(False, False, True, True, False, True)


def test_clients_who_do_not_log_in_are_no_users(tmp_path: Path) -> None:
    with stage(tmp_path, "user messages 1/1h reject") as mta:
        assert fates(mta, {}, {}, {}) == ones(False, False, False)


def test_a_login_that_fails(tmp_path: Path) -> None:
    with stage(tmp_path, "user messages 1/1h reject") as mta:
        client = mta.come()
        mta.say(client.starttls)
        mta.say(client.ehlo)
        assert mta.say(client.auth, b"bob", b"wrong", "fail").startswith(b"535 ")
        assert [mta.fate(client) for _ in range(2)] == ones(False, False)


@pytest.mark.parametrize(
    ("name", "users"),
    [
        ("news", [b"news", b"NEWS"]),
        ("News", [b"news", b"NEWS"]),
        ("@example.org", [b"news@example.org", b"bob@EXAMPLE.org"]),
        ("news@", [b"news", b"news@example.com"]),
    ],
)
def test_an_unlimited_user(tmp_path: Path, name: str, users: list[bytes]) -> None:
    rules = f"user messages 1/1h reject\nuser {name} messages unlimited"
    with stage(tmp_path, rules) as mta:
        for user in users:
            assert fates(mta, *[{"user": user}] * 3) == ones(False, False, False)
        assert fates(mta, *[{"user": b"other"}] * 2) == ones(False, True)


def test_a_user_with_rules_of_his_own(tmp_path: Path) -> None:
    rules = "user messages 1/1h reject\nuser news messages 3/1h reject\nuser recipients 5/1h"
    with stage(tmp_path, rules) as mta:
        assert fates(mta, *[{"user": b"bob"}] * 2) == ones(False, True)
        assert fates(mta, *[{"user": b"News"}] * 4) == ones(False, False, False, True)
        # He has no rules of his own for recipients.
        client = mta.come(b"news2")
        six = [b"%d@example.com" % number for number in range(6)]
        assert mta.fate(client, *six) == "accepted"
        assert client.transactions[-1].recipients == six[:5]


# --- clients --------------------------------------------------------------------------------------


def test_addresses(tmp_path: Path) -> None:
    rules = "address messages 1/1h reject\naddress 192.0.2.9 messages unlimited"
    with stage(tmp_path, rules) as mta:
        sources = (b"192.0.2.5:1", b"192.0.2.5:2", b"192.0.2.6:1", b"192.0.2.9:1", b"192.0.2.9:2")
        found = fates(mta, *[{"source": source} for source in sources])
        assert found == ones(False, True, False, False, False)


def test_networks(tmp_path: Path) -> None:
    with stage(tmp_path, "network messages 1/1h reject") as mta:
        sources = (b"192.0.2.5:1", b"192.0.2.255:1", b"192.0.3.5:1")
        found = fates(mta, *[{"source": source} for source in sources])
        assert found == ones(False, True, False)


def test_networks_of_ipv6(tmp_path: Path, logged: list[str]) -> None:
    rules = "network messages 1/1h reject\nnetwork 2001:db8:5::/48 messages unlimited"
    with stage(tmp_path, rules) as mta:
        sources = (
            *(b"[2001:db8:1:2::1]:1", b"[2001:db8:1:2:ffff::]:1", b"[2001:db8:1:3::1]:1"),
            *(b"[2001:db8:5:2::1]:1", b"[2001:db8:5:2::2]:1"),
        )
        found = fates(mta, *[{"source": source} for source in sources])
        assert found == ones(False, True, False, False, False)
        [line] = logged
        assert " address=2001:db8:1:2:ffff:: " in line
        assert " whose=network name=2001:db8:1:2::/64 " in line


def test_other_networks(tmp_path: Path) -> None:
    line = "--network4 16 --network6 48"
    with stage(tmp_path, "network messages 1/1h reject", line) as mta:
        sources = (
            *(b"192.0.2.5:1", b"192.0.3.5:1", b"192.1.2.5:1"),
            *(b"[2001:db8:1:2::1]:1", b"[2001:db8:1:3::1]:1", b"[2001:db8:2:2::1]:1"),
        )
        found = fates(mta, *[{"source": source} for source in sources])
        assert found == ones(False, True, False, False, True, False)


def test_a_row_that_is_narrower_than_the_networks(tmp_path: Path) -> None:
    rules = "network messages 1/1h reject\nnetwork 192.0.2.64/28 messages unlimited"
    with stage(tmp_path, rules) as mta:
        sources = (b"192.0.2.2:1", b"192.0.2.70:1", b"192.0.2.79:1", b"192.0.2.80:1")
        found = fates(mta, *[{"source": source} for source in sources])
        assert found == ones(False, False, False, True)


def test_an_address_that_is_mapped_to_ipv6_is_that_of_ipv4(tmp_path: Path) -> None:
    rules = "address messages 2/1h reject\nnetwork messages 3/1h reject"
    with stage(tmp_path, rules) as mta:
        sources = (b"192.0.2.5:1", b"[::ffff:192.0.2.5]:1", b"[::ffff:192.0.2.6]:1")
        found = fates(mta, *[{"source": source} for source in (*sources, *sources[1:])])
        assert found == ones(False, False, False, True, True)


@pytest.mark.parametrize(
    "source", [b"unix:/var/run/smtpd.sock", b"127.0.0.1:1", b"[::1]:1", b"192.0.2.1:1"]
)
def test_clients_on_this_machine_have_no_address(tmp_path: Path, source: bytes) -> None:
    rules = (
        "address messages 1/1h reject\nnetwork bytes 1/1h reject\n"
        "network 0.0.0.0/0 messages 1/1d reject\nsender messages 3/1h reject"
    )
    with stage(tmp_path, rules) as mta:
        found = fates(mta, *[{"source": source}] * 4)
        assert found == ones(False, False, False, True)


# --- senders --------------------------------------------------------------------------------------


def test_senders(tmp_path: Path) -> None:
    rules = "sender messages 1/1h reject\nsender bounces@example.org messages unlimited"
    with stage(tmp_path, rules) as mta:
        senders = (
            *(b"bob@example.org", b"Bob@EXAMPLE.org", b"bob@example.com", b"alice@example.org"),
            *(b"Bounces@example.ORG", b"bounces@example.org", b"bounces+x=y@example.org"),
        )
        found = fates(mta, *[{"sender": sender} for sender in senders])
        assert found == ones(False, True, False, False, False, False, False)


def test_domains_of_senders(tmp_path: Path) -> None:
    rules = "sender-domain messages 1/1h reject\nsender-domain *.example.org messages unlimited"
    with stage(tmp_path, rules) as mta:
        senders = (
            *(b"a@example.org", b"b@Example.ORG", b"a@example.com"),
            *(b"a@x.example.org", b"b@x.example.org", b"a@y.x.example.org"),
        )
        found = fates(mta, *[{"sender": sender} for sender in senders])
        assert found == ones(False, True, False, False, False, False)


def test_bounces_have_no_sender(tmp_path: Path) -> None:
    rules = (
        "sender messages 1/1h reject\nsender-domain messages 1/1h reject\n"
        "sender @ bytes 1/1h reject\nrecipient-domain messages 3/1h reject"
    )
    with stage(tmp_path, rules) as mta:
        found = fates(mta, *[{"sender": b""}] * 4)
        assert found == ones(False, False, False, True)


def test_a_sender_without_a_domain(tmp_path: Path) -> None:
    rules = "sender messages 2/1h reject\nsender-domain messages 1/1h reject"
    with stage(tmp_path, rules) as mta:
        assert fates(mta, *[{"sender": b"root"}] * 3) == ones(False, False, True)


# --- recipients -----------------------------------------------------------------------------------


def test_domains_of_recipients(tmp_path: Path) -> None:
    rules = (
        "recipient-domain messages 1/1h reject\n"
        "recipient-domain *.example.org messages unlimited\n"
        "recipient-domain example.net messages 2/1h reject"
    )
    with stage(tmp_path, rules) as mta:
        recipients = (
            *(b"a@example.com", b"b@Example.COM", b"a@x.example.org", b"b@X.example.org"),
            *(
                b"a@example.org",
                b"b@example.org",
                b"a@example.net",
                b"b@example.net",
                b"c@example.net",
            ),
            *(b"root", b"root"),
        )
        found = fates(mta, *[{"recipients": [recipient]} for recipient in recipients])
        assert found == ones(
            *(False, True, False, False),
            *(False, True, False, False, True),
            *(False, False),
        )


def test_a_domain_counts_once_for_a_message(tmp_path: Path) -> None:
    with stage(tmp_path, "recipient-domain messages 2/1h reject") as mta:
        client = mta.come()
        three = (b"a@x.example", b"b@X.example", b"c@y.example")
        assert mta.fate(client, *three) == "accepted"
        assert mta.fate(client, b"a@x.example") == "accepted"
        assert mta.fate(client, b"a@x.example") == REFUSED
        assert mta.fate(client, b"c@y.example") == "accepted"
        assert mta.fate(client, b"c@y.example") == REFUSED


def test_one_domain_is_refused_and_the_next_one_accepted(tmp_path: Path, logged: list[str]) -> None:
    with stage(tmp_path, "recipient-domain recipients 2/1h") as mta:
        client = mta.come()
        five = (b"1@x.example", b"2@x.example", b"3@x.example", b"1@y.example", b"4@x.example")
        assert mta.fate(client, *five) == "accepted"
        accepted = [b"1@x.example", b"2@x.example", b"1@y.example"]
        assert client.transactions[-1].recipients == accepted
        line = (
            f"{client.id.decode()} limit-exceeded address=192.0.2.5 whose=recipient-domain"
            ' name=x.example limit="recipients 2/1h" action=defer'
        )
        assert logged == [line, line]


def test_recipients_that_smtpd_refuses_count(tmp_path: Path) -> None:
    """The filter is asked before smtpd looks for the user."""
    with stage(tmp_path, "user recipients 2/1h reject") as mta:
        client = mta.come(b"bob")
        mta.say(client.mail)
        for _ in range(2):  # smtpd knows no such parameter
            reply = mta.say(client.command, b"RCPT TO:<a@example.com> ODD=1")
            assert reply == b"503 Unsupported option ODD=1"
        assert mta.say(client.rcpt) == rejected("recipients")


def test_source_routes_do_not_count(tmp_path: Path) -> None:
    """smtpd leaves them out, and reports them: one sender would have any number of limits."""
    rules = "sender messages 2/1h reject\nrecipient-domain messages 9/1h"
    with stage(tmp_path, rules) as mta:
        senders = (b"bob@x.example", b"1:bob@x.example", b"@a,@b:bob@x.example", b"eve@x.example")
        found = fates(mta, *[{"sender": sender} for sender in senders])
        assert found == ones(False, False, True, False)
        client = mta.come()
        assert mta.say(client.mail, b"2:bob@x.example") == rejected("messages")


# --- hostile bytes --------------------------------------------------------------------------------


def test_hostile_users(tmp_path: Path, logged: list[str]) -> None:
    with stage(tmp_path, "user messages 1/1h reject") as mta:
        users = (b"\xff\xfe", b'a|b "c"=\x01', b"\\xff\\xfe", b"x" * 500)
        assert fates(mta, *[{"user": user} for user in users]) == ones(False, False, True, False)
        # Bytes that are no UTF-8 look like what they are shown as.
        assert fates(mta, {"user": users[1]}) == ones(True)
    shown = [line.partition(" ")[2] for line in logged]
    assert shown == [
        r'limit-exceeded address=192.0.2.5 user="\\xff\\xfe" whose=user name="\\xff\\xfe"'
        ' limit="messages 1/1h" action=reject',
        r'limit-exceeded address=192.0.2.5 user="a|b \"c\"=\x01" whose=user name="a|b \"c\"="'
        ' limit="messages 1/1h" action=reject',
    ]


def test_a_name_leaves_room_for_the_action_in_the_log(tmp_path: Path, logged: list[str]) -> None:
    """fail2ban reads it, and what is too long of a line is cut off."""
    with stage(tmp_path, "user messages 1/1h reject") as mta:
        user = b"bob" + b"\x01" * 250
        assert fates(mta, {"user": user}, {"user": user}) == ones(False, True)
    [line] = logged
    assert line.endswith(' whose=user name=bob limit="messages 1/1h" action=reject')


def test_hostile_addresses(tmp_path: Path, logged: list[str]) -> None:
    rules = "sender messages 1/1h reject\nrecipient-domain messages 9/1h"
    with stage(tmp_path, rules) as mta:
        sender = b"{a|b=$'}@x.example"
        mails = [{"sender": sender}] * 2
        assert fates(mta, *mails) == ones(False, True)
        # smtpd refuses these two behind the filter.
        for odd in (b"a\xff b@\xc3\x84.example", b'"a b"@x.example\x01'):
            assert fates(mta, {"sender": odd}) == ["553 5.1.0 Sender address syntax error"]
        assert fates(mta, {"recipients": [b"c\xffd@x|y.example"], "sender": b""})[0][:4] == "501 "
    [line] = logged
    assert """ whose=sender name="{a|b=$'}@x.example" """ in line


# --- addresses that smtpd does not report ---------------------------------------------------------

LONG = b"x" * 240
"""It makes an address of 255 bytes, and more, with what is about it in the tests."""


@pytest.mark.parametrize("whose", ["sender", "sender-domain"])
def test_a_sender_that_smtpd_does_not_report(tmp_path: Path, whose: str) -> None:
    with stage(tmp_path, f"{whose} messages 1/1h reject\n{whose} recipients 2/1h reject") as mta:
        client = mta.come()
        long = b"b%s@remote.example" % LONG
        found = [mta.fate(client, sender=sender) for sender in (long, long, b"carol@other.example")]
        assert found == ones(False, True, False)
        assert mta.fate(client, sender=b"") == "accepted"
        to = (b"alice@example.com", b"bob@example.com")
        other = b"c%s@new.example" % LONG
        assert mta.fate(client, *to, b"carol@example.com", sender=other) == "accepted"
        assert client.transactions[-1].recipients == [*to]


def test_recipients_that_smtpd_does_not_report(tmp_path: Path) -> None:
    with stage(tmp_path, "recipient-domain messages 1/1h reject") as mta:
        client = mta.come()
        long = b"alice+%s@example.com" % LONG
        assert mta.fate(client, long) == "accepted"
        assert mta.fate(client, long) == REFUSED
        assert mta.fate(client, b"bob@example.com") == REFUSED
        assert mta.fate(client, b"alice@example.net") == "accepted"


def test_a_second_sender_amid_a_transaction(tmp_path: Path) -> None:
    """smtpd refuses it; what was said before it counts."""
    with stage(tmp_path, "recipient-domain messages 1/1h reject") as mta:
        client = mta.come()
        for _ in range(2):
            mta.say(client.mail, b"bob@remote.example")
            mta.say(client.rcpt, b"alice+%s@example.com" % LONG)
            assert mta.say(client.mail, b"eve@remote.example").startswith(b"503 ")
            mta.say(client.data)
            mta.end(client)
        assert [each.fate for each in client.transactions] == ["accepted", "rejected"]
