"""Whole messages: all results, however they arrive, and each question that is asked."""

from collections.abc import Iterable
from typing import Any

import pytest

from opensmtpd.dns import Lookup, run_lookup
from opensmtpd.mail.inbound.findings import Findings
from opensmtpd.mail.inbound.identities import NOT_ASKED, SpfResults, spf_results
from opensmtpd.mail.inbound.judgement import Judgement, judge
from opensmtpd.mail.inbound.rules import InboundRules
from opensmtpd.testing.zone import Zone
from unit.support.auth_mail import KEYS, PLAIN, REJECT, SERVFAIL, SIGNED, SPF, records
from unit.support.dkim_made import field
from unit.support.dkim_verifying import NOW, answers
from unit.support.inbound_findings import CLIENT

ALL = records(KEYS, SPF, REJECT)


def lines(message: bytes) -> tuple[list[bytes], list[bytes]]:
    """Return header and body as smtpd sends them."""
    found = message.replace(b"\r\n", b"\n").removesuffix(b"\n").split(b"\n")
    blank = found.index(b"")
    return found[:blank], found[blank + 1 :]


def whole(message: bytes, zone: Zone, rules: InboundRules = InboundRules()) -> Findings:  # noqa: B008
    judgement = Judgement(rules, CLIENT, NOW)
    lookup = judge(judgement, spf_results(CLIENT, "mx.test", NOW), *lines(message), answers)
    found = run_lookup(lookup, zone, 1.0)
    assert isinstance(found, Findings)
    return found


def words(found: Findings) -> tuple[Any, ...]:
    return (
        found.spf.sender.result,
        [each.result for each in found.dkim],
        found.arc.result,
        found.dmarc.result,
    )


def test_a_message_that_passes() -> None:
    zone = Zone(ALL)
    found = whole(SIGNED, zone)
    assert words(found) == ("pass", ["pass"], "none", "pass")
    assert found.authors.domains == ("example.com",)
    assert (found.dmarc.dkim_aligned, found.dmarc.spf_aligned) == (True, True)
    assert {each.name for each in zone.asked} == {
        *("mx.example.com", "example.com", "mail._domainkey.example.com"),
        *("_dmarc.example.com", "_dmarc.com"),
    }


def test_the_same_from_a_dns_that_has_to_be_asked() -> None:
    judgement = Judgement(InboundRules(), CLIENT, NOW)
    spf = spf_results(CLIENT, "mx.test", NOW)
    ends: list[Any] = []
    waiting = run_lookup(
        judge(judgement, spf, *lines(SIGNED), answers), Zone(ALL, cached=False), 1.0
    )
    waiting.on_end(lambda *end: ends.append(end))  # type: ignore[union-attr]
    assert words(ends[0][0]) == ("pass", ["pass"], "none", "pass")


@pytest.mark.parametrize(
    ("message", "changed", "expected"),
    [
        (PLAIN, {"example.com": "v=spf1 -all"}, ("fail", [], "none", "fail")),
        (SIGNED.replace(b"Bob", b"Eve"), {}, ("pass", ["fail"], "none", "pass")),
        (SIGNED, {"mail._domainkey.example.com": SERVFAIL, "example.com": "v=spf1 -all"},
         ("fail", ["temperror"], "none", "temperror")),
        (SIGNED, {"_dmarc.example.com": SERVFAIL}, ("pass", ["pass"], "none", "temperror")),
        (SIGNED, {"example.com": SERVFAIL}, ("temperror", ["pass"], "none", "pass")),
        (SIGNED + b"more\n", {}, ("pass", ["fail"], "none", "pass")),
    ],
)  # fmt: skip
def test_results_that_differ(
    message: bytes, changed: dict[str, Any], expected: tuple[Any, ...]
) -> None:
    zone = Zone({**ALL, **records(changed)})
    assert words(whole(message, zone)) == expected


def findings_of(runs: Iterable[tuple[str, list[bytes]]], zone: Zone) -> Findings:
    """Return the results for a message that comes in runs."""
    judgement = Judgement(InboundRules(), CLIENT, NOW)
    ended = False
    for part, run in runs:
        if part == "body" and not ended:
            judgement.header_ends()
            ended = True
        getattr(judgement, part)(run)
    if not ended:
        judgement.header_ends()
    judgement.body_ends()
    assert run_lookup(judgement.ask(), zone, 1.0) is None
    replies = answers(judgement.claims())

    def rest() -> Lookup[Findings]:
        spf: SpfResults = yield from spf_results(CLIENT, "mx.test", NOW)
        return (yield from judgement.findings(spf, replies))

    found = run_lookup(rest(), zone, 1.0)
    assert isinstance(found, Findings)
    return found


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_runs_of_any_size(size: int) -> None:
    header, body = lines(SIGNED)
    runs = [("header", header[at : at + size]) for at in range(0, len(header), size)]
    runs += [("body", body[at : at + size]) for at in range(0, len(body), size)]
    assert findings_of(runs, Zone(ALL)) == whole(SIGNED, Zone(ALL))


def test_what_evaluation_asks_for_was_asked_with_the_keys() -> None:
    zone = Zone(ALL)
    judgement = Judgement(InboundRules(), CLIENT, NOW)
    header, body = lines(SIGNED)
    judgement.header(header)
    judgement.header_ends()
    judgement.body(body)
    judgement.body_ends()
    run_lookup(judgement.ask(), zone, 1.0)
    before = set(zone.asked)
    run_lookup(judgement.findings(NOT_ASKED, answers(judgement.claims())), zone, 1.0)
    assert set(zone.asked) == before


def test_replies_that_did_not_come_leave_signatures_undecided() -> None:
    judgement = Judgement(InboundRules(), CLIENT, NOW)
    header, body = lines(SIGNED)
    judgement.header(header)
    judgement.header_ends()
    judgement.body(body)
    judgement.body_ends()
    zone = Zone(ALL)
    run_lookup(judgement.ask(), zone, 1.0)
    assert len(judgement.claims()) == 1
    found = run_lookup(judgement.findings(NOT_ASKED, []), zone, 1.0)
    assert isinstance(found, Findings)
    assert words(found) == ("none", ["temperror"], "none", "temperror")


def test_a_message_of_nothing() -> None:
    assert words(findings_of([], Zone(ALL))) == ("pass", [], "none", "none")


def test_a_partial_signature_is_told_and_does_not_count() -> None:
    signed = field(length=5) + PLAIN
    zone = Zone({**ALL, **records({"example.com": "v=spf1 -all"})})
    assert words(whole(signed, zone)) == ("fail", ["pass"], "none", "fail")
