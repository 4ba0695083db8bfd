"""SPF of both identities of an envelope."""

from typing import Any

from opensmtpd.dns import Failed, Found, Question, RecordType, run_lookup
from opensmtpd.dns.lookup import Gather
from opensmtpd.mail.inbound.identities import NOT_ASKED, SpfResults, spf_results
from opensmtpd.testing.zone import Zone
from unit.support.inbound_findings import CLIENT

ZONE = {
    Question("mx.example.com", RecordType.TXT): Found(("v=spf1 a -all",)),
    Question("mx.example.com", RecordType.A): Found(("192.0.2.5",)),
    Question("example.com", RecordType.TXT): Found(("v=spf1 -all exp=why.%{d}",)),
    Question("why.example.com", RecordType.TXT): Found(("%{i} at %{r} is not ours",)),
}


def results(zone: Zone, **envelope: Any) -> SpfResults:
    found = run_lookup(spf_results(CLIENT._replace(**envelope), "mx.test", 0), zone, 1.0)
    assert isinstance(found, SpfResults)
    return found


def test_both_are_asked_at_once() -> None:
    step = next(spf_results(CLIENT, "mx.test", 0))
    assert isinstance(step, Gather)
    assert len(step.runs) == 2
    found = results(Zone(ZONE))
    assert (found.helo.result, found.helo.domain) == ("pass", "mx.example.com")
    assert (found.sender.result, found.sender.domain) == ("fail", "example.com")
    assert found.sender.explanation == "192.0.2.5 at mx.test is not ours"


def test_a_bounce_has_one_identity() -> None:
    zone = Zone(ZONE)
    found = results(zone, sender=b"")
    assert found.helo is found.sender
    assert found.sender.domain == "mx.example.com"
    assert len(zone.asked) == 2


def test_a_sender_that_is_not_reported_is_no_bounce() -> None:
    zone = Zone(ZONE)
    found = results(zone, sender=None)
    assert (found.helo.result, found.helo.domain) == ("pass", "mx.example.com")
    assert (found.sender.result, found.sender.domain) == ("none", "")
    assert found.sender.reason == "smtpd does not report a sender of more than 254 bytes"
    assert Question("example.com", RecordType.TXT) not in zone.asked


def test_one_that_fails_leaves_the_other() -> None:
    broken = {Question("example.com", RecordType.TXT): Failed("timeout")}
    found = results(Zone({**ZONE, **broken}))
    assert (found.helo.result, found.sender.result) == ("pass", "temperror")


def test_names_of_any_bytes() -> None:
    for odd in (b"", b"[192.0.2.1]", b"\xff\xfe", b"x" * 300, b"a..b", b"%{i}.\x7f"):
        found = results(Zone(ZONE), helo=odd, sender=b"\xff@" + odd)
        assert {found.helo.result, found.sender.result} == {"none"}


def test_a_client_without_an_address() -> None:
    zone = Zone(ZONE)
    lookup = spf_results(CLIENT._replace(address=None), "mx.test", 0)
    assert run_lookup(lookup, zone, 1.0) is NOT_ASKED
    assert zone.asked == []
