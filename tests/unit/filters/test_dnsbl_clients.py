"""filter-dnsbl: which clients lists are asked for, when, and what lists are believed."""

from collections.abc import Mapping

import pytest

from opensmtpd._protocol.filter.registration import registrations
from opensmtpd.dns import Found, Reply
from unit.support.dnsbl_client import (
    A5,
    B5,
    CONNECT,
    DEAD,
    JUNK,
    MESSAGE,
    PROCEED,
    TWO,
    UNMARKED,
    W5,
    connect,
    link,
    make,
    send,
    written,
)
from unit.support.talk import data, datalines, report, request

SENDER = "remote.example.s.example"


# --- who is asked for, and when -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "reports", "phases"),
    [
        ("a.example", "link-connect link-disconnect", "connect"),
        ("-d a.example", "link-connect link-disconnect", "connect"),
        ("--helo a.example", "link-connect link-disconnect", "helo ehlo"),
        ("-s a.example", "link-connect link-disconnect", "mail-from"),
        ("a.example -w -s b.example", "link-connect link-disconnect", "connect mail-from"),
        ("-m a.example", "link-connect link-disconnect tx-reset", "connect data-line commit"),
        ("--header a.example", "link-connect link-disconnect tx-reset", "connect data-line commit"),
        ("--spare-authenticated a.example", "link-connect link-disconnect link-auth", "mail-from"),
    ],
)
def test_only_what_it_needs_is_registered(line: str, reports: str, phases: str) -> None:
    assert registrations(make(line, {})) == (reports.split(), phases.split())


@pytest.mark.parametrize(
    "helo",
    [b"[192.0.2.5]", b"192.0.2.5", b"[IPv6:2001:db8::1]", b"a|b", b"\xff", b"x" * 64, b"a..b", b""],
)
def test_what_is_no_name_is_asked_for_nowhere(
    helo: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    talk, _ = connect(make("-v --helo a.example", {}))
    assert talk.say(request(b"ehlo", helo)) == PROCEED
    assert capfd.readouterr().err == ""
    assert talk.say(request(b"ehlo", b"A.Example.")) == PROCEED
    assert capfd.readouterr().err.endswith(" not-listed who=a.example lists=a.example\n")


@pytest.mark.parametrize(
    ("sender", "accepted"),
    [
        (b"bob@remote.example", False),
        (b"bob@REMOTE.example", False),
        (b'"a@b"@remote.example', False),
        (b"", True),
        (b"bob", True),
        (b"bob@[192.0.2.5]", True),
        (b"bob@other.example", True),
    ],
)
def test_a_list_of_senders(sender: bytes, accepted: bool) -> None:
    assert send("-s s.example", {SENDER: TWO}, sender=sender).accepted is accepted


@pytest.mark.parametrize("source", [b"unix:/var/run/smtpd.sock", b"127.0.0.1:25", b"[::1]:25"])
def test_clients_on_this_machine_are_spared_with_their_mail(source: bytes) -> None:
    everybody = {"1.0.0.127.a.example": TWO, "client.example.a.example": TWO}
    outcome = send("-m a.example -d a.example", everybody, source=source)
    assert written(outcome) == MESSAGE
    assert outcome.log == ()


def test_who_authenticates_is_spared_with_his_mail() -> None:
    line = "-m --spare-authenticated a.example"
    assert written(send(line, {A5: TWO}, username=b"alice")) == MESSAGE
    assert written(send(line, {A5: TWO})) == (
        b"X-Spam-DNSBL: Listed at a.example\nX-Spam: Yes\n" + UNMARKED
    )


def test_who_authenticates_after_a_message_is_spared_from_then_on() -> None:
    talk, _ = connect(make("-m --spare-authenticated a.example", {A5: TWO}))
    talk.say(request(b"mail-from", b"bob@remote.example"))
    assert b"X-Spam: Yes" in talk.say(data(b"To: x", b"."))
    talk.say(report(b"tx-reset", b"00000000"), report(b"link-auth", b"pass", b"alice"))
    assert talk.say(request(b"mail-from", b"bob@remote.example")) == PROCEED
    assert talk.say(data(b"To: x", b".")) == datalines(b"To: x", b".")


def test_another_sender_is_another_sum() -> None:
    talk, answer = connect(make("--junk-at 2 a.example -s s.example", {A5: TWO, SENDER: TWO}))
    assert answer == PROCEED
    for sender, expected in ((b"remote", JUNK), (b"other", PROCEED), (b"remote", JUNK)):
        assert talk.say(request(b"mail-from", b"bob@%s.example" % sender)) == expected
        talk.say(report(b"tx-reset", b"00000000"))


def test_what_was_decided_is_not_decided_again() -> None:
    talk, answer = connect(make("--junk-at 1 a.example --helo h.example", {A5: TWO}))
    assert answer == JUNK
    assert talk.say(request(b"ehlo", b"client.example")) == PROCEED


def test_sessions_do_not_know_each_other() -> None:
    talk, answer = connect(make("--junk-at 1 a.example", {A5: TWO}))
    assert answer == JUNK
    talk.say(report(b"link-disconnect"))
    assert talk.say(link(b"192.0.2.6:25"), CONNECT) == PROCEED
    talk.say(report(b"link-disconnect"))
    assert talk.left() == (0, 0, 0, 0)


# --- what the DNS does not tell, and lists that lie -----------------------------------------------


def test_nobody_is_punished_for_a_list_that_does_not_answer() -> None:
    outcome = send("a.example b.example", {A5: DEAD})
    assert outcome.decisions == (("connect", b"proceed"),)
    assert [line.partition(" ")[2] for line in outcome.log] == [
        "undecided check=dnsbl address=192.0.2.5 rdns=client.example"
        ' reason="a.example could not be asked: timeout"'
    ]


def test_unless_the_administrator_says_so() -> None:
    line = "--dns-failure tempfail a.example b.example"
    assert send(line, {A5: DEAD}).decisions == (("connect", b"reject|451 4.7.1 Refused"),)
    assert send(line, {A5: DEAD, B5: TWO}).reply == b"421 Listed at b.example"
    assert send(line, {}).accepted


def test_who_may_be_on_an_allow_list_is_not_punished() -> None:
    outcome = send("a.example -w w.example", {A5: TWO, W5: DEAD})
    assert outcome.decisions == (("connect", b"proceed"),)
    assert outcome.log[0].endswith(
        ' reason="192.0.2.5 is listed at a.example (127.0.0.2);'
        ' w.example could not be asked: timeout"'
    )


@pytest.mark.parametrize(
    ("records", "logged"),
    [
        (
            {A5: TWO, "1.0.0.127.a.example": TWO},
            'list-not-believed list=a.example reason="it lists 127.0.0.1"\n',
        ),
        (
            {A5: Found(("127.255.255.254",))},
            'list-off list=a.example reason="it refuses us with 127.255.255.254" seconds=3600\n',
        ),
        (
            {A5: Found(("203.0.113.80",))},
            'list-off list=a.example reason="it answers with an address, 203.0.113.80"'
            " seconds=3600\n",
        ),
    ],
)
def test_a_list_that_lies_is_not_believed(
    records: Mapping[str, Reply], logged: str, capfd: pytest.CaptureFixture[str]
) -> None:
    filter = make("a.example b.example", records)
    assert [connect(filter)[1] for _ in range(3)] == [PROCEED] * 3
    assert capfd.readouterr().err == logged


def test_a_list_that_is_dead_is_left_out(capfd: pytest.CaptureFixture[str]) -> None:
    records = {f"{host}.2.0.192.a.example": DEAD for host in range(1, 7)}
    filter = make("-m a.example", records)
    for host in range(1, 6):
        assert connect(filter, b"192.0.2.%d:25" % host)[1] == PROCEED
    capfd.readouterr()
    talk, answer = connect(filter, b"192.0.2.6:25")
    assert answer == PROCEED
    assert talk.say(data(b"To: x", b".")) == datalines(b"To: x", b".")
    assert capfd.readouterr().err == ""
