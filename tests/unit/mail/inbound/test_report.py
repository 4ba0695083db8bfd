"""The data of a message for reports."""

from opensmtpd.mail.dmarc.policy import DmarcResult
from opensmtpd.mail.dmarc.record import Record
from opensmtpd.mail.dmarc.reports.record import (
    JudgedMessage,
    MessageResults,
    OverrideReason,
    PublishedPolicy,
    SignatureOutcome,
    SpfOutcome,
    checked,
)
from opensmtpd.mail.inbound.disposition import dispose
from opensmtpd.mail.inbound.findings import Findings
from opensmtpd.mail.inbound.report import judged_message
from opensmtpd.mail.inbound.rules import InboundRules
from unit.support.inbound_findings import FAIL, NO_DMARC, PASS, RECORD, findings, signature

ENFORCE = InboundRules(enforce=True)


def kept(
    found: Findings, rules: InboundRules = ENFORCE, to: bytes = b"b@Example.NET"
) -> JudgedMessage | None:
    return judged_message(found, dispose(found, rules), to, 1_800_000_000)


def test_a_message_that_is_refused() -> None:
    dkim = (signature("fail", "lists.example"), signature("pass", "other.example"))
    message = kept(findings(dkim=dkim))
    assert message == JudgedMessage(
        1_800_000_000,
        PublishedPolicy("example.com", "reject"),
        "mailto:d@example.com,mailto:e@example.net",
        MessageResults(
            "192.0.2.5",
            "reject",
            "fail",
            "fail",
            "example.com",
            "example.com",
            "example.net",
            signatures=(
                SignatureOutcome("other.example", "s", "pass"),
                SignatureOutcome("lists.example", "s", "fail"),
            ),
            spf_results=(SpfOutcome("example.com", "fail"),),
        ),
    )
    assert checked(message) == message


def test_dispositions_and_reasons() -> None:
    watched = PASS._replace(policy="none")
    own = InboundRules(enforce=True, policies={"example.com": "none"})
    seen = [
        kept(findings(dmarc=PASS)),
        kept(findings(dmarc=watched)),
        kept(findings(), InboundRules()),
        kept(findings(), own),
        kept(
            findings(dmarc=FAIL._replace(disposition="quarantine", record=RECORD._replace(t="y")))
        ),
    ]
    assert [each and (each.results.disposition, each.results.reasons) for each in seen] == [
        ("pass", ()),
        ("none", ()),
        ("none", (OverrideReason("local_policy", "policies are not enforced here"),)),
        ("none", (OverrideReason("local_policy", "own policy for example.com: none"),)),
        ("quarantine", (OverrideReason("policy_test_mode", "t=y"),)),
    ]
    assert all(checked(each) == each for each in seen)


def test_what_is_not_kept() -> None:
    silent = FAIL._replace(record=Record("reject"))
    unknown = FAIL._replace(result="temperror")
    for dmarc in (silent, unknown, NO_DMARC, DmarcResult("none")):
        assert kept(findings(dmarc=dmarc)) is None


def test_a_recipient_without_a_domain() -> None:
    for to in (b"", b"postmaster"):
        message = kept(findings(), to=to)
        assert message is not None
        assert message.results.envelope_to == ""
