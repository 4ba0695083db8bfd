"""Sessions: what the reports say of them, as far as the filter asked for it."""

import pytest

from opensmtpd._protocol.filter.session_state import _FILLED, record_report
from opensmtpd.filter import Session, SessionAttribute, events
from opensmtpd.filter.session import REPORT_OF

ALL = tuple(REPORT_OF)


def session(*uses: SessionAttribute) -> Session:
    return Session("1718c5e591926d28", uses or ALL)


def test_what_the_reports_fill() -> None:
    s = session()
    record_report(
        s,
        "link-connect",
        events.LinkConnect(1.0, b"mx.example.org", "pass", b"192.0.2.1:4711", b"192.0.2.9:25"),
    )
    record_report(s, "link-greeting", events.LinkGreeting(1.0, b"mail.example.com"))
    record_report(s, "link-identify", events.LinkIdentify(1.0, "EHLO", b"c1.example"))
    record_report(s, "link-tls", events.LinkTLS(1.0, b"TLSv1.3:X:256"))
    record_report(s, "link-auth", events.LinkAuth(1.0, "pass", b"alice"))
    record_report(s, "tx-begin", events.TxBegin(1.0, "018a64ac"))
    record_report(s, "tx-mail", events.TxMail(1.0, "018a64ac", "ok", b"a@example.org"))
    record_report(s, "tx-rcpt", events.TxRcpt(1.0, "018a64ac", "ok", b"b@example.org"))
    record_report(s, "tx-rcpt", events.TxRcpt(1.0, "018a64ac", "ok", b"c@example.org"))
    assert [getattr(s, name) for name in ALL] == [
        b"mx.example.org",
        "pass",
        b"192.0.2.1:4711",
        b"192.0.2.9:25",
        b"mail.example.com",
        "EHLO",
        b"c1.example",
        b"TLSv1.3:X:256",
        b"alice",
        "018a64ac",
        b"a@example.org",
        [b"b@example.org", b"c@example.org"],
    ]


@pytest.mark.parametrize("result", ["fail", "error"])
def test_who_failed_to_authenticate_is_nobody(result: str) -> None:
    s = session("username")
    record_report(s, "link-auth", events.LinkAuth(1.0, result, b"mallory"))
    assert s.username is None


@pytest.mark.parametrize("result", ["permfail", "tempfail"])
def test_what_was_refused_is_not_of_the_envelope(result: str) -> None:
    s = session()
    record_report(s, "tx-mail", events.TxMail(1.0, "018a64ac", result, b"a@example.org"))
    record_report(s, "tx-rcpt", events.TxRcpt(1.0, "018a64ac", result, b"b@example.org"))
    assert s.sender is None
    assert s.recipients == []


def test_a_reset_ends_the_transaction_and_nothing_else() -> None:
    s = session("msgid", "sender", "recipients", "username")
    record_report(s, "link-auth", events.LinkAuth(1.0, "pass", b"alice"))
    record_report(s, "tx-begin", events.TxBegin(1.0, "018a64ac"))
    record_report(s, "tx-mail", events.TxMail(1.0, "018a64ac", "ok", b""))
    record_report(s, "tx-rcpt", events.TxRcpt(1.0, "018a64ac", "ok", b"b@example.org"))
    kept = s.recipients
    assert s.sender == b""
    record_report(s, "tx-reset", events.TxReset(1.0, "018a64ac"))
    assert [s.msgid, s.sender, s.recipients, s.username] == [None, None, [], b"alice"]
    assert kept == [b"b@example.org"]  # whoever kept the list keeps what was in it


def test_each_attribute_is_filled_by_its_report_alone() -> None:
    filled = [(name, event) for event, names in _FILLED.items() for name in names]
    assert sorted(filled) == sorted(REPORT_OF.items())
