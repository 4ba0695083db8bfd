"""A message on its way: what it asks for and when, what it keeps, and how it stops."""

from typing import Any

import pytest

from opensmtpd._counters.counts import OWN
from opensmtpd.answer import Deferred
from opensmtpd.errors import Refused
from opensmtpd.mail.inbound import message
from opensmtpd.mail.inbound.identities import NOT_ASKED, SpfResults
from opensmtpd.mail.inbound.message import Court, JudgedMail, count_results, refusal
from opensmtpd.mail.inbound.rules import InboundRules
from unit.support.auth_mail import REJECT, SIGNED, SPF, SlowDns, Verifiers
from unit.support.inbound_findings import CLIENT, findings, signature

LINES = SIGNED.replace(b"\r\n", b"\n").split(b"\n")
BLANK = LINES.index(b"")


def court(dns: Any, **rules: Any) -> Court:
    made = Court(dns, Verifiers(), None, InboundRules(**rules), 20.0)  # type: ignore[arg-type]
    made.authserv_id = "mx.test"
    return made


def mail(where: Court, spf: SpfResults | Deferred[SpfResults] = NOT_ASKED) -> JudgedMail:
    return JudgedMail(where, "0123456789abcdef", CLIENT, b"", spf)


def test_results_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OWN, "values", [0] * len(OWN.index))
    count_results(findings())
    count_results(findings(dkim=(signature(), signature("temperror", domain="other.example"))))
    counted = {cell[1:]: OWN.values[place] for cell, place in OWN.index.items()}
    assert {cell: number for cell, number in counted.items() if number} == {
        ("spf", "fail"): 2,
        ("dkim", "none"): 1,
        ("dkim", "pass"): 1,
        ("dkim", "temperror"): 1,
        ("arc", "none"): 2,
        ("dmarc", "fail"): 2,
    }


def test_keys_and_policies_are_asked_for_when_the_header_is_complete() -> None:
    dns = SlowDns(SPF, REJECT)
    one = mail(court(dns))
    one.header(LINES[:BLANK])
    assert dns.waiting == []
    one.body(LINES[BLANK + 1 : BLANK + 2])
    names = {question.name for _, questions in dns.waiting for question in questions}
    assert names == {"mail._domainkey.example.com", "_dmarc.example.com", "_dmarc.com"}
    dns.waiting.clear()
    one.body(LINES[BLANK + 2 :])
    assert dns.waiting == []


def test_signatures_are_verified_before_spf_has_come() -> None:
    dns, spf = SlowDns(), Deferred[SpfResults]()
    where = court(dns)
    one = mail(where, spf)
    one.header(LINES[:BLANK])
    one.body(LINES[BLANK + 1 : -1])
    end = one.end()
    assert isinstance(end, Deferred)
    assert where.pool.asked == []  # type: ignore[attr-defined]
    dns.answer()
    assert len(where.pool.asked) == 1  # type: ignore[attr-defined]
    assert dns.waiting == []  # for the policy, SPF is waited for


def test_what_nobody_waits_for_is_stopped() -> None:
    dns = SlowDns(SPF, REJECT)
    where = court(dns)
    one = mail(where)
    one.header(LINES[:BLANK])
    one.body(LINES[BLANK + 1 :])
    asked = len(dns.waiting)
    one.stop()
    one.stop()
    assert (dns.cancelled, where.in_headers) == (asked, 0)


def test_headers_take_so_much_memory_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(message, "HEADERS_MAX", 2000)
    where = court(SlowDns())
    one, other = mail(where), mail(where)
    one.header([b"x" * 100] * 10)
    with pytest.raises(Refused) as raised:
        other.header([b"x" * 100] * 10)
    assert raised.value.decision is message.BUSY
    one.stop()
    other.header([b"x" * 100] * 10)


@pytest.mark.parametrize(("lines", "counted"), [(10, 1010), (50, 2048), (200, 2048)])
def test_little_counts_of_a_header_that_has_been_read(lines: int, counted: int) -> None:
    where = court(SlowDns())
    one = mail(where)
    one.header([b"X: " + b"x" * 97] * lines)
    assert where.in_headers == lines * 101
    one.body([b"text"])
    assert where.in_headers == counted
    one.stop()
    assert where.in_headers == 0


def test_of_a_large_header_its_signatures_count() -> None:
    where = court(SlowDns())
    one = mail(where)
    one.header([b"DKIM-Signature: " + b"x" * 999, b"X: " + b"x" * 30_000])
    one.body([b"text"])
    assert where.in_headers == 2048 + 1024 + 3 * 1000
    one.stop()
    assert where.in_headers == 0


def test_signatures_that_take_too_much_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(message, "HEADERS_MAX", 100_000)
    where = court(SlowDns())
    one = mail(where)
    one.header([b"DKIM-Signature: " + b"x" * 40_000])
    with pytest.raises(Refused) as raised:
        one.body([b"text"])
    assert raised.value.decision is message.BUSY
    one.stop()
    assert where.in_headers == 0


def test_a_header_that_is_too_large() -> None:
    where = court(SlowDns())
    one = mail(where)
    one.header([b"x" * 99_999] * 2)
    one.header([b"x" * 62_143])
    with pytest.raises(Refused) as raised:
        one.header([b""])
    assert raised.value.decision.text == "5.6.0 Message refused: header too large to be judged"
    one.stop()
    assert where.in_headers == 0


def test_a_line_that_only_looks_like_results() -> None:
    one = mail(court(SlowDns()))
    one.header([b"From: a@example.com", b"Authentication-Results\r: mx.test; dmarc=pass"])
    with pytest.raises(Refused) as raised:
        one.body([b"text"])
    assert raised.value.decision is message.LOOKS_LIKE_RESULTS


def test_a_refusal_of_any_text() -> None:
    made = refusal("5.7.1 é\n" + "x" * 1000)
    assert made.wire("commit").startswith(b"reject|550 5.7.1 ??xxx")
    assert len(made.text) == 506
