"""The results of a message as they stand in Authentication-Results (RFC 8601)."""

from opensmtpd.mail.authres import methods
from opensmtpd.mail.authres.write import Result
from opensmtpd.mail.client import text
from opensmtpd.mail.inbound.disposition import Disposition
from opensmtpd.mail.inbound.findings import Findings

SIGNATURES_MAX = 20
"""Signatures whose results are written, at most."""


def results(found: Findings, disposition: Disposition) -> list[Result]:
    """Return the results in the order of the C filter-auth; that of DMARC is the last."""
    return [
        *_dkim(found),
        methods.arc(
            found.arc.result,
            found.arc.reason,
            instance=found.arc.instance,
            oldest_pass=found.arc.oldest_pass,
        ),
        methods.iprev(found.iprev.result, found.iprev.address),
        *_spf(found),
        _dmarc(found, disposition),
    ]


def _dkim(found: Findings) -> list[Result]:
    if not found.dkim:
        return [methods.dkim("none")]
    shown = list(found.dkim)
    if len(shown) > SIGNATURES_MAX:  # a client may write a thousand
        shown = sorted(shown, key=lambda each: each.result != "pass")[:SIGNATURES_MAX]
    return [
        methods.dkim(
            each.result,
            each.reason,
            selector=each.selector,
            domain=each.domain,
            algorithm=each.algorithm,
            signature=each.b,
        )
        for each in shown
    ]


def _spf(found: Findings) -> list[Result]:
    client, (helo, sender) = found.client, found.spf
    name = text(client.helo)
    mailbox = f"postmaster@{name}" if client.sender == b"" else text(client.sender or b"")
    return [
        methods.spf_helo(helo.result, name, helo.reason),
        methods.spf_mailfrom(sender.result, mailbox, sender.reason),
    ]


def _dmarc(found: Findings, disposition: Disposition) -> Result:
    """Return the result of DMARC, with what is asked for where it failed (RFC 9989 section 9.1)."""
    dmarc = found.dmarc
    failed = dmarc.result == "fail"
    overrides = disposition.overrides if failed else ()
    # A reason that says "=pass" would be left out: readers search fields for such words.
    exceptions = [each.comment.replace("=pass", " passes,") for each in overrides]
    return methods.dmarc(
        dmarc.result,
        dmarc.domain,
        disposition.asked if failed else "",
        "; ".join(exceptions) or (dmarc.reason if dmarc.result != "none" else ""),
    )
