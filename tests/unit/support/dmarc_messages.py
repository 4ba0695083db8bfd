"""Judged messages for the tests of aggregate reports."""

from typing import Any

from opensmtpd.mail.dmarc.reports.record import (
    JudgedMessage,
    MessageResults,
    OverrideReason,
    PublishedPolicy,
    SignatureOutcome,
    SpfOutcome,
)

DAY = 20_000
"""2024-10-04, as a number of days since 1970."""
NOON = DAY * 86400 + 43200
POLICY = PublishedPolicy("example.com", "reject", sp="quarantine", np="reject", fo="1")
PASSED = MessageResults(
    source="192.0.2.1",
    disposition="pass",
    dkim="pass",
    spf="fail",
    header_from="example.com",
    envelope_from="bounces.example.net",
    envelope_to="example.org",
    signatures=(
        SignatureOutcome("example.com", "mail", "pass"),
        SignatureOutcome("list.example", "s1", "fail"),
    ),
    spf_results=(SpfOutcome("bounces.example.net", "pass"),),
)
SPARED = MessageResults(
    source="2001:db8::1",
    disposition="none",
    dkim="fail",
    spf="fail",
    header_from="news.example.com",
    reasons=(OverrideReason("trusted_forwarder", "listed <network> & known"),),
    spf_results=(SpfOutcome("news.example.com", "softfail"),),
)
RUA = "mailto:reports@example.com"


def message(results: MessageResults = PASSED, time: int = NOON, **changed: Any) -> JudgedMessage:
    """Return a message; ``changed`` are fields of its results, ``policy`` and ``rua``."""
    policy, rua = changed.pop("policy", POLICY), changed.pop("rua", RUA)
    return JudgedMessage(time, policy, rua, results._replace(**changed))
