"""The one log line of a message, with all results."""

from opensmtpd.mail.inbound.disposition import Disposition
from opensmtpd.mail.inbound.findings import Findings

NAMES_MAX = 10
"""Signatures, and author domains, that a line names, at most."""


def log_fields(found: Findings, disposition: Disposition) -> dict[str, object]:
    """Return the fields of the line, in their order.

    A result stands in front of what it is about, ``pass/example.com``; several are separated by
    commas.
    """
    client, spf, arc, dmarc = found.client, found.spf, found.arc, found.dmarc
    overrides = [each.comment for each in disposition.overrides]
    fields = {
        "from": ",".join(found.authors.domains[:NAMES_MAX]),
        "address": client.address,
        "rdns": client.rdns,
        "helo": client.helo,
        "mailfrom": client.sender or b"",
        "iprev": found.iprev.result,
        "spf-helo": _about(spf.helo.result, spf.helo.domain),
        "spf": _about(spf.sender.result, spf.sender.domain),
        "dkim": ",".join(_about(each.result, each.domain) for each in found.dkim[:NAMES_MAX])
        or "none",
        "arc": _about(arc.result, *arc.sealers[:1]),
        "dmarc": _about(dmarc.result, dmarc.policy_domain),
        "policy": disposition.asked if dmarc.result == "fail" else None,
        "action": disposition.action,
        "override": "; ".join(overrides) or None,
        "reason": disposition.reason or dmarc.reason or found.authors.fault or None,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _about(result: str, domain: str = "") -> str:
    return f"{result}/{domain}" if domain else result
