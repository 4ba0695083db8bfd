"""filter-dnsbl: masks, scores, thresholds, and the texts of refusals."""

import pytest

from opensmtpd.dns import Found, Reply
from unit.support.dnsbl_client import A5, B5, DEAD, JUNK, PROCEED, TWO, connect, make, send
from unit.support.talk import request


@pytest.mark.parametrize(
    ("code", "accepted"), [("127.0.0.2", False), ("127.0.0.3", True), ("127.0.0.11", False)]
)
def test_only_the_codes_of_the_masks_count(code: str, accepted: bool) -> None:
    line = "-e 127.0.0.2 -e 127.0.0.[10-11] a.example"
    assert send(line, {A5: Found((code,))}).accepted is accepted


HELO = "client.example.h.example"
SENDER = "remote.example.s.example"
SUM = "--junk-at 2 --reject-at 4 a.example --helo h.example --score 2 -s s.example"


@pytest.mark.parametrize(
    ("on", "decisions"),
    [
        ("", "proceed proceed proceed"),
        ("a", "proceed proceed proceed"),
        ("ah", "proceed junk proceed"),
        ("s", "proceed proceed junk"),
        ("hs", "proceed proceed junk"),
        ("ahs", "proceed junk reject|550 5.7.1 Listed at s.example"),
    ],
)
def test_scores_of_all_phases_add_up_to_thresholds(on: str, decisions: str) -> None:
    names = {"a": A5, "h": HELO, "s": SENDER}
    outcome = send(SUM, {names[each]: TWO for each in on})
    assert [phase for phase, _ in outcome.decisions] == ["connect", "ehlo", "mail-from"]
    assert " ".join(text.decode() for _, text in outcome.decisions) == decisions
    assert outcome.junk is ("junk" in decisions)


def test_a_list_may_speak_for_a_client() -> None:
    line = "--junk-at 1 a.example --score -1 b.example"
    assert send(line, {A5: TWO}).junk
    assert not send(line, {A5: TWO, B5: TWO}).junk
    assert not send(line, {B5: TWO}).junk


def test_an_allow_list_outweighs_all_whenever_it_is_asked() -> None:
    line = "--score 100 a.example -w --helo w.example"
    spared = send(line, {A5: TWO, "client.example.w.example": TWO})
    assert spared.accepted
    assert spared.log == ()
    # Who is spared must be known before anybody is refused.
    assert send(line, {A5: TWO}).decisions == (
        ("connect", b"proceed"),
        ("ehlo", b"disconnect|421 Listed at a.example"),
    )


@pytest.mark.parametrize(
    ("text", "reply"),
    [
        ("See {txt}", b"550 See http://a.example/?192.0.2.5"),
        ("554 5.7.1 {ip} is at {list}: {code}", b"554 5.7.1 192.0.2.5 is at a.example: 127.0.0.2"),
        ("{rdns} {helo} {sender}", b"550 client.example - -"),
        ("{{{ip}}} {reason}", b"550 {192.0.2.5} 192.0.2.5 is listed at a.example (127.0.0.2)"),
    ],
)
def test_a_list_may_have_its_own_text(text: str, reply: bytes) -> None:
    records = {A5: TWO, f"{A5} TXT": Found(("http://a.example/?192.0.2.5",))}
    assert send("--reject-at 1 --text", records, text, "a.example").reply == reply


def test_the_text_is_that_of_the_list_that_counts_most() -> None:
    flags = ["--text", "A", "a.example", "--score", "2", "--text", "B", "b.example", "c.example"]
    records = {A5: TWO, B5: TWO, "5.2.0.192.c.example": TWO}
    assert send("--reject-at 1", records, *flags).reply == b"550 B"


HOSTILE = "x|y\r\nfilter-result|1|2|proceed\0\x7f\u00ff" + "z" * 65000


def test_what_a_list_says_is_made_harmless() -> None:
    records = {A5: TWO, f"{A5} TXT": Found((HOSTILE,))}
    reply = send("--reject-at 1 --text", records, "{txt}", "a.example").reply
    assert reply.startswith(b"550 x|y??filter-result|1|2|proceed???zzz")
    assert len(reply) == 510


def test_a_text_that_does_not_come_is_missed_by_nobody() -> None:
    records: dict[str, Reply] = {A5: TWO, f"{A5} TXT": DEAD}
    assert send("--text", records, "See {txt}", "a.example").reply == b"550 See -"


def test_what_a_transaction_brought_ends_with_it() -> None:
    """RFC 5321 section 4.1.4: another HELO ends it, and with it what its sender counts."""
    bad, meh = "bad.example.s.example", "meh.example.h.example"
    filter = make("--junk-at 2 --helo h.example -s s.example", {bad: TWO, meh: TWO})
    talk, _ = connect(filter)
    assert talk.say(request(b"ehlo", b"fine.example")) == PROCEED
    assert talk.say(request(b"mail-from", b"a@bad.example")) == PROCEED
    assert talk.say(request(b"ehlo", b"meh.example")) == PROCEED
    assert talk.say(request(b"mail-from", b"a@fine.example")) == PROCEED
    assert talk.say(request(b"mail-from", b"a@bad.example")) == JUNK
