"""filter-dnsbl: what it does as the C filter of that name, and what it says."""

import pytest

from opensmtpd.dns import Absent, Found
from opensmtpd.testing import run_message
from opensmtpd.testing.zone import Zone
from unit.support.dnsbl_client import (
    A5,
    B5,
    DEAD,
    MESSAGE,
    TWO,
    UNMARKED,
    W5,
    connect,
    make,
    question,
    send,
    written,
)
from unit.support.talk import data, datalines, report

SENDER = "remote.example.s.example"


# --- as the C filter ------------------------------------------------------------------------------


def test_who_is_listed_is_disconnected_with_the_text_of_the_c_filter() -> None:
    outcome = send("a.example b.example", {B5: TWO})
    assert outcome.decisions == (("connect", b"disconnect|421 Listed at b.example"),)
    assert outcome.log[1:] == ()
    assert outcome.log[0].endswith(
        " disconnect check=dnsbl address=192.0.2.5 rdns=client.example"
        ' reason="192.0.2.5 is listed at b.example (127.0.0.2)"'
    )


def test_who_is_not_listed_comes_through() -> None:
    outcome = send("a.example b.example", {})
    assert outcome.accepted
    assert written(outcome) == MESSAGE
    assert (outcome.decisions, outcome.log) == ((("connect", b"proceed"),), ())


def test_mail_is_marked_as_the_c_filter_does() -> None:
    outcome = send("-m a.example b.example", {B5: TWO, A5: DEAD})
    assert outcome.accepted
    assert not outcome.junk  # the filters behind this one are asked
    assert written(outcome) == (
        b"X-Spam-DNS: Error at a.example\nX-Spam-DNSBL: Listed at b.example\nX-Spam: Yes\n"
        + UNMARKED
    )


def test_who_is_on_an_allow_list_is_not_spam() -> None:
    outcome = send("-m a.example -w w.example", {A5: TWO, W5: TWO})
    assert written(outcome) == (
        b"X-Spam-DNSBL: Listed at a.example\nX-Spam-DNSWL: Listed at w.example\n" + UNMARKED
    )
    assert outcome.log == ()


def test_who_may_be_on_an_allow_list_is_not_known_to_be_spam() -> None:
    outcome = send("-m a.example -w w.example", {A5: TWO, W5: DEAD})
    assert written(outcome) == (
        b"X-Spam-DNSBL: Listed at a.example\nX-Spam-DNS: Error at w.example\nX-Spam: Unknown\n"
        + UNMARKED
    )


def test_marks_of_the_client_go_though_it_is_listed_nowhere() -> None:
    assert written(send("-m a.example", {})) == UNMARKED


def test_each_message_of_a_session_is_marked() -> None:
    talk, _ = connect(make("-m a.example", {A5: TWO}))
    marks = [b"X-Spam-DNSBL: Listed at a.example", b"X-Spam: Yes"]
    for _ in range(2):
        assert talk.say(data(b"X-Spam: No", b"", b"body", b".")) == datalines(
            *marks, b"X-Spam: No", b"", b"body", b"."
        )
        assert talk.say(report(b"tx-reset", b"00000000")) == b""


def test_all_is_the_same_where_the_dns_has_to_be_asked() -> None:
    filter = make("-m a.example -w w.example", {A5: TWO})
    filter.dns = Zone({question(A5): TWO}, cached=False)
    outcome = run_message(filter, MESSAGE)
    assert written(outcome) == b"X-Spam-DNSBL: Listed at a.example\nX-Spam: Yes\n" + UNMARKED


@pytest.mark.parametrize("size", [1, 7, 100])
def test_marks_are_the_same_however_the_stream_is_cut(size: int) -> None:
    talk, _ = connect(make("-m a.example", {A5: TWO}))
    lines = [
        b"X-Spam: Yes",
        b"Received: x",
        b"X-Spam: No",
        b"\tfolded",
        b"To: x",
        b"",
        b"X-Spam: z",
    ]
    assert talk.say(data(*lines, b"."), size=size) == datalines(
        b"X-Spam-DNSBL: Listed at a.example",
        b"X-Spam: Yes",
        *lines[:2],
        *lines[4:],
        b".",
    )


def test_lists_of_names_are_asked_for_the_clients_name() -> None:
    records = {"client.example.a.example": TWO}
    assert send("-d a.example", records).decisions == (
        ("connect", b"disconnect|421 Listed at a.example"),
    )
    assert send("a.example", records).accepted
    assert send("-d a.example", records, rdns=b"<unknown>").accepted


def test_a_name_that_is_not_confirmed_spares_nobody() -> None:
    records = {A5: TWO, "client.example.w.example": TWO}
    assert run_message(make("a.example -- -w -d w.example", records), fcrdns="pass").accepted
    assert not run_message(make("a.example -- -w -d w.example", records), fcrdns="fail").accepted


def test_an_ipv6_client() -> None:
    name = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.a.example"
    outcome = send("a.example", {name: TWO}, source=b"[2001:db8::1]:4711")
    assert outcome.decisions == (("connect", b"disconnect|421 Listed at a.example"),)


def test_a_key_is_nowhere_to_be_seen() -> None:
    name = "5.2.0.192.k3y.zen.dq.spamhaus.net"
    refused = send("-v k3y.zen.dq.spamhaus.net", {name: TWO})
    marked = send("-mv --header k3y.zen.dq.spamhaus.net", {name: TWO})
    failed = send("-mv --header k3y.zen.dq.spamhaus.net", {name: DEAD})
    assert refused.reply == b"421 Listed at zen.dq.spamhaus.net"
    assert marked.message.startswith(b"X-Spam-DNSBL: Listed at zen.dq.spamhaus.net\n")
    assert failed.message.startswith(b"X-Spam-DNS: Error at zen.dq.spamhaus.net\n")
    for outcome in (refused, marked, failed):
        assert "k3y" not in repr(outcome)


# --- what is said ---------------------------------------------------------------------------------


def test_the_message_says_why() -> None:
    outcome = send("--junk-at 1 --header a.example b.example", {B5: TWO})
    assert outcome.junk
    assert written(outcome) == (
        b"X-Spam-Reason: dnsbl; 192.0.2.5 is listed at b.example (127.0.0.2)\n" + MESSAGE
    )


def test_the_message_says_each_thing_once() -> None:
    outcome = send("--junk-at 1 --header a.example -s s.example", {A5: TWO, SENDER: TWO})
    assert [line for line in outcome.message.splitlines() if b"X-Spam-Reason" in line] == [
        b"X-Spam-Reason: dnsbl; 192.0.2.5 is listed at a.example (127.0.0.2)",
        b"X-Spam-Reason: dnsbl; remote.example is listed at s.example (127.0.0.2)",
    ]


def test_the_message_says_why_beside_the_marks() -> None:
    outcome = send("-m --header a.example", {A5: TWO})
    assert written(outcome) == (
        b"X-Spam-DNSBL: Listed at a.example\nX-Spam: Yes\n"
        b"X-Spam-Reason: dnsbl; 192.0.2.5 is listed at a.example (127.0.0.2)\n" + UNMARKED
    )


def test_verbose_tells_each_list_and_who_is_on_none() -> None:
    line = "-v --junk-at 9 a.example --score 3 b.example --helo h.example"
    outcome = send(line, {B5: Found(("127.0.0.2", "127.0.0.9")), A5: Absent()})
    assert [line.partition(" ")[2] for line in outcome.log] == [
        "listed list=b.example who=192.0.2.5 code=127.0.0.2,127.0.0.9 score=3",
        "not-listed who=client.example lists=h.example",
    ]


def test_decisions_of_marked_mail_are_logged() -> None:
    outcome = send("-m a.example", {A5: TWO})
    assert [line.partition(" ")[2] for line in outcome.log] == [
        "header check=dnsbl address=192.0.2.5 rdns=client.example"
        ' reason="192.0.2.5 is listed at a.example (127.0.0.2)"'
    ]
