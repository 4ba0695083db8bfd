"""filter-auth over a session: transactions, commands in any order, and what is asked when."""

import pytest

from unit.support.auth_mail import REJECT, SPF, SlowDns, make
from unit.support.talk import M, Talk, data, datalines, report, request, result

MAIL = (b"Received: x", b"From: alice@example.com", b"", b"text")
CONNECT = report(b"link-connect", b"mx.example.com", b"pass", b"192.0.2.5:4711", b"192.168.0.1:25")
DENY = {"example.com": "v=spf1 -all"}


def helo(name: bytes = b"mx.example.com") -> bytes:
    return report(b"link-identify", b"EHLO", name)


def mail_from(sender: bytes = b"alice@example.com", said: bytes = b"ok") -> bytes:
    return report(b"tx-mail", b"0123abcd", said, sender)


RESET = report(b"tx-reset", b"0123abcd")
ROLLBACK = report(b"tx-rollback", b"0123abcd")


def slow(line: str = "") -> tuple[Talk, SlowDns]:
    """Return a session that has begun, and the DNS of its filter."""
    filter = make(line)
    dns = SlowDns(SPF, REJECT)
    filter.court.dns = dns
    talk = Talk(filter)
    assert talk.say(CONNECT, helo()) == b""
    return talk, dns


def quick(*zones: dict[str, str], line: str = "") -> Talk:
    talk = Talk(make(line, *zones))
    assert talk.say(CONNECT, helo()) == b""
    return talk


def field(answer: bytes) -> bytes:
    """Return the field on top, unfolded, of a message on its way back."""
    lines = [line.rpartition(b"|")[2] for line in answer.splitlines()]
    end = next(at for at, each in enumerate(lines) if at and not each.startswith(b"\t"))
    return b" ".join(b" ".join(lines[:end]).split())


def test_what_is_registered() -> None:
    registered = Talk(make()).registered.split(b"\n")
    assert {line.rpartition(b"|")[2] for line in registered} == {
        *(b"link-connect", b"link-disconnect", b"link-identify", b"link-auth"),
        *(b"tx-reset", b"tx-mail", b"data-line", b"commit", b"ready", b""),
    }
    assert b"register|filter|smtp-in|mail-from" in Talk(make("--spf-reject")).registered


def test_mail_is_not_held_for_spf_which_is_asked_meanwhile() -> None:
    talk, dns = slow()
    assert talk.say(mail_from()) == b""
    names = {question.name for _, questions in dns.waiting for question in questions}
    assert names == {"example.com", "mx.example.com"}
    assert talk.say(data(*MAIL, b".")) == b""
    dns.answer()
    while dns.waiting:
        dns.answer()
    out = talk.drain()
    assert b"spf=pass smtp.mailfrom=alice@example.com" in field(out)
    assert out.endswith(datalines(*MAIL, b"."))


def test_a_sender_that_was_refused_is_not_asked_about() -> None:
    talk, dns = slow()
    talk.say(mail_from(said=b"permfail"))
    assert dns.waiting == []


def test_two_transactions_have_each_their_own_sender() -> None:
    talk = quick(SPF)
    for sender, spf in ((b"alice@example.com", b"pass"), (b"bob@example.net", b"none")):
        talk.say(mail_from(sender))
        out = talk.say(data(*MAIL, b"."))
        assert b"spf=%s smtp.mailfrom=%s" % (spf, sender) in field(out)
        assert talk.say(request(b"commit")) == result(b"proceed")
        assert talk.say(RESET) == b""


def test_rset_stops_what_was_asked() -> None:
    talk, dns = slow()
    talk.say(mail_from())
    asked = len(dns.waiting)
    talk.say(RESET)
    assert dns.cancelled == asked > 0
    dns.waiting.clear()
    talk.say(mail_from(b"bob@example.net"))
    names = {question.name for _, questions in dns.waiting for question in questions}
    assert names == {"example.net", "mx.example.com"}


def test_another_helo_counts_from_the_next_mail_on() -> None:
    talk = quick()
    talk.say(mail_from(), RESET, helo(b"other.example.net"), mail_from())
    assert b"spf=none smtp.helo=other.example.net" in field(talk.say(data(*MAIL, b".")))


def test_a_client_that_goes_amid_a_message_leaves_nothing() -> None:
    talk, dns = slow()
    talk.say(mail_from(), data(*MAIL))
    assert len(dns.waiting) >= 2
    asked = len(dns.waiting)
    assert talk.say(ROLLBACK, RESET, report(b"link-disconnect")) == b""
    assert dns.cancelled == asked
    assert talk.left() == (0, 0, 0, 0)


def test_a_client_that_goes_while_its_message_waits() -> None:
    talk, dns = slow("--enforce")
    talk.say(mail_from(), data(*MAIL, b"."))
    assert talk.say(report(b"link-disconnect")) == b""
    dns.answer()
    assert talk.drain() == b""
    assert (talk.left(), talk.logged) == ((0, 0, 0, 0), [])


def test_two_places_of_a_chain_judge_the_same_message() -> None:
    talk = quick(SPF)
    other = b"1f083015d732b8de"
    talk.say(mail_from())
    for token in (M, other):
        assert talk.say(data(*MAIL, token=token)) == b""
    for token in (M, other):
        out = talk.say(data(b".", token=token))
        assert field(out).startswith(b"Authentication-Results: mx.test; dkim=none; ")


def test_a_refusal_ends_with_its_transaction() -> None:
    talk = quick(DENY, REJECT, line="--enforce")
    talk.say(mail_from())
    assert talk.say(data(*MAIL, b".")) == datalines(b".")
    refused = b"reject|550 5.7.1 Message refused by the DMARC policy for example.com"
    assert talk.say(request(b"commit")) == result(refused)
    talk.say(ROLLBACK, RESET, mail_from(b"a@example.net"))
    other = (b"From: a@example.net", b"", b"text")
    assert talk.say(data(*other, b".")).endswith(datalines(*other, b"."))
    assert talk.say(request(b"commit")) == result(b"proceed")


def test_who_logs_in_is_judged_no_more() -> None:
    talk = quick(DENY, REJECT, line="--enforce --spf-reject")
    assert talk.say(request(b"mail-from", b"alice@example.com")).startswith(b"filter-result")
    talk.say(report(b"link-auth", b"pass", b"alice"), mail_from())
    out = talk.say(data(*MAIL, b"."))
    assert field(out) == b"Authentication-Results: mx.test; none (not judged: authenticated)"


def test_who_fails_to_log_in_is_judged() -> None:
    talk = quick()
    talk.say(report(b"link-auth", b"fail", b"alice"), mail_from())
    assert b"; dkim=none; " in field(talk.say(data(*MAIL, b".")))


def test_spf_that_was_waited_for_is_not_asked_again() -> None:
    talk, dns = slow("--spf-reject")
    assert talk.say(request(b"mail-from", b"alice@example.com")) == b""
    dns.answer()
    assert talk.drain() == result(b"proceed")
    talk.say(mail_from())
    assert dns.waiting == []


@pytest.mark.parametrize("size", [1, 7, 200])
def test_all_is_the_same_however_the_stream_is_cut(size: int) -> None:
    whole, cut = quick(SPF, REJECT), quick(SPF, REJECT)
    lines = (mail_from(), data(*MAIL, b".."), data(b"."))
    assert cut.say(*lines, size=size) == whole.say(*lines)


def test_a_session_whose_beginning_was_not_reported_is_not_judged() -> None:
    talk = Talk(make("--enforce", DENY, REJECT))
    out = talk.say(mail_from(), data(*MAIL, b"."))
    assert field(out) == b"Authentication-Results: mx.test; none (not judged: local)"


def test_without_an_id_the_name_of_the_server_is_used() -> None:
    talk = Talk(make(authserv_id=""))
    out = talk.say(CONNECT, helo(), mail_from(), data(*MAIL, b"."))
    assert field(out).startswith(b"Authentication-Results: mail.example.org; dkim=none; ")
