"""The data of a message for the aggregate report to its author's domain (RFC 9990)."""

from opensmtpd.mail.client import text
from opensmtpd.mail.dmarc.reports.record import (
    JudgedMessage,
    MessageResults,
    OverrideReason,
    PublishedPolicy,
    SignatureOutcome,
    SpfOutcome,
    best_first,
)
from opensmtpd.mail.inbound.disposition import Disposition
from opensmtpd.mail.inbound.findings import Findings

_NOT_ENFORCED = OverrideReason("local_policy", "policies are not enforced here")


def judged_message(
    found: Findings, disposition: Disposition, recipient: bytes, now: int
) -> JudgedMessage | None:
    """Return the data of a message, None where its author's domain wants no report.

    ``recipient`` is the first one, b"" where there is none; ``now`` is in seconds since 1970.
    """
    dmarc, record = found.dmarc, found.dmarc.record
    if record is None or not record.rua or dmarc.result not in ("pass", "fail"):
        return None
    enforcing = dmarc.policy != "none"
    passed = "pass" if enforcing else "none"
    signatures = [SignatureOutcome(each.domain, each.selector, each.result) for each in found.dkim]
    sender = found.spf.sender
    return JudgedMessage(
        now,
        PublishedPolicy(
            dmarc.policy_domain,
            record.p,
            record.sp,
            record.np,
            record.adkim,
            record.aspf,
            record.fo,
            record.t,
            dmarc.method,
        ),
        ",".join(record.rua),
        MessageResults(
            source=str(found.client.address),
            disposition=passed if dmarc.result == "pass" else disposition.action,
            dkim="pass" if dmarc.dkim_aligned else "fail",
            spf="pass" if dmarc.spf_aligned else "fail",
            header_from=dmarc.domain,
            envelope_from=found.client.domain or "",
            envelope_to=text(recipient.rpartition(b"@")[2]).lower() if b"@" in recipient else "",
            reasons=_reasons(disposition) if dmarc.result == "fail" else (),
            signatures=best_first(signatures, dmarc.domain, ()),
            spf_results=(SpfOutcome(sender.domain, sender.result),) if sender.domain else (),
        ),
    )


def _reasons(disposition: Disposition) -> tuple[OverrideReason, ...]:
    """Return why something else was done than the domain has published."""
    if disposition.action == disposition.asked:
        return disposition.overrides
    return (*disposition.overrides, _NOT_ENFORCED)
