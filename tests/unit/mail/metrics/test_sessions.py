"""Counts from reports."""

import pytest

from opensmtpd.filter import (
    FilterResponse,
    LinkAuth,
    LinkConnect,
    LinkDisconnect,
    LinkTLS,
    Session,
    TxCommit,
    TxData,
    TxMail,
    TxRcpt,
)
from opensmtpd.mail.metrics.sessions import Histogram, SessionCounts

SOURCE, HERE = b"192.0.2.1:4711", b"192.0.2.2:25"


def connected(counts: SessionCounts, fcrdns: str = "pass", *, outgoing: bool = False) -> Session:
    session = Session("1718c5e591926d28", outgoing=outgoing)
    counts.connect(session, LinkConnect(100.0, b"client.example", fcrdns, SOURCE, HERE))
    return session


def counted(counts: SessionCounts) -> dict[tuple[str, ...], int]:
    """Return what has been counted, without the common beginning of names."""
    return {
        (cell[0].removeprefix("opensmtpd_"), *cell[1:]): counts.counts.values[place]
        for cell, place in counts.counts.index.items()
        if counts.counts.values[place]
    }


@pytest.mark.parametrize(("outgoing", "label"), [(False, "in"), (True, "out")])
def test_a_session(outgoing: bool, label: str) -> None:
    counts = SessionCounts()
    session = connected(counts, outgoing=outgoing)
    assert counted(counts) == {
        ("connections", label, "pass"): 1,
        ("open_sessions", label): 1,
    }
    counts.tls(session, LinkTLS(100.5, b"TLSv1.3:TLS_AES_256_GCM_SHA384:256"))
    counts.authenticate(session, LinkAuth(101.0, "fail", b"alice@example.com"))
    counts.authenticate(session, LinkAuth(101.0, "pass", b"alice@example.com"))
    counts.answer(session, TxMail(101.0, "018a64ac", "ok", b"a@example.com"))
    counts.answer(session, TxRcpt(101.0, "018a64ac", "permfail", b"b@example.com"))
    counts.answer(session, TxRcpt(101.0, "018a64ac", "tempfail", b"c@example.com"))
    counts.answer(session, TxData(101.0, "018a64ac", "ok"))
    counts.commit(session, TxCommit(102.0, "018a64ac", 4096))
    counts.roll_back(session)
    counts.time_out(session)
    counts.disconnect(session, LinkDisconnect(160.0))
    assert counted(counts) == {
        ("connections", label, "pass"): 1,
        ("sessions", label, "TLSv1.3"): 1,
        ("authentications", label, "fail"): 1,
        ("authentications", label, "pass"): 1,
        ("commands", label, "mail", "ok"): 1,
        ("commands", label, "rcpt", "permfail"): 1,
        ("commands", label, "rcpt", "tempfail"): 1,
        ("commands", label, "data", "ok"): 1,
        ("messages", label, "commit"): 1,
        ("messages", label, "rollback"): 1,
        ("timeouts", label): 1,
    }
    sizes = counts.histograms["opensmtpd_message_size_bytes", label]
    assert (sizes.counts, sizes.sum) == ([0, 1, 0, 0, 0, 0, 0, 0, 0], 4096.0)
    durations = counts.histograms["opensmtpd_session_duration_seconds", label]
    assert (durations.counts, durations.sum) == ([0, 0, 0, 0, 0, 0, 1, 0, 0, 0], 60.0)


def test_words_that_are_new_make_no_series() -> None:
    counts = SessionCounts()
    session = connected(counts, "perhaps")
    counts.tls(session, LinkTLS(100.5, b"TLSv1.4|\xff\n:x"))
    counts.authenticate(session, LinkAuth(101.0, "maybe", b""))
    counts.answer(session, TxMail(101.0, "018a64ac", "maybe", b""))
    counts.respond(FilterResponse(101.0, "wiz", "proceed"))
    counts.respond(FilterResponse(101.0, "connected", "report"))
    counts.commit(session, TxCommit(102.0, "018a64ac", -1))
    counts.disconnect(session, LinkDisconnect(102.0))
    assert counted(counts) == {
        ("sessions", "in", "other"): 1,
        ("messages", "in", "commit"): 1,
    }


def test_decisions_of_filters() -> None:
    counts = SessionCounts()
    counts.respond(FilterResponse(1.0, "connected", "junk"))
    counts.respond(FilterResponse(1.0, "data-line", "reject", b"550 no"))
    assert counted(counts) == {
        ("filter_responses", "connected", "junk"): 1,
        ("filter_responses", "data-line", "reject"): 1,
    }


def test_a_session_without_a_beginning() -> None:
    counts = SessionCounts()
    session = Session("1718c5e591926d28")
    counts.tls(session, LinkTLS(1.0, b"TLSv1.3:x"))
    counts.disconnect(session, LinkDisconnect(2.0))
    assert counted(counts) == {}


def test_a_clock_that_is_set_back() -> None:
    counts = SessionCounts()
    counts.disconnect(connected(counts), LinkDisconnect(1.0))
    durations = counts.histograms["opensmtpd_session_duration_seconds", "in"]
    assert (durations.counts[0], durations.sum) == (1, 0.0)


def test_bounds_of_buckets() -> None:
    histogram = Histogram((1, 2))
    for value in (0, 1, 1.5, 2, 2.1, 1e30):
        histogram.observe(value)
    assert histogram.counts == [2, 2, 2]
