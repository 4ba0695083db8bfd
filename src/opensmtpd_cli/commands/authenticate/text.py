"""Write an assessment for people."""

from collections.abc import Iterator

from opensmtpd.dns import Failed, Found, Reply
from opensmtpd.mail.client import text
from opensmtpd.mail.dkim.verify.verifier import DkimResult
from opensmtpd.mail.dmarc.policy import DmarcResult
from opensmtpd.mail.spf.check import SpfResult
from opensmtpd_cli import terminal
from opensmtpd_cli.commands.authenticate.assessment import Assessment, said

_COLOURS = {"none": "green", "quarantine": "yellow", "reject": "red"}
Row = tuple[str, str, str, str]
"""A method, its result, what it is about, and why."""


def tell(assessment: Assessment) -> None:
    """Print the results, what would be done, the field, the DNS, and the judge's opinion."""
    terminal.table(("method", "result", "about", "why"), rows(assessment))
    action = assessment.disposition.action
    terminal.say("\n" + terminal.shown(_done(assessment)), fg=_COLOURS[action])
    terminal.say("")
    for line in assessment.field.split("\n"):
        terminal.say(line)
    if assessment.replies:
        terminal.say("")
        asked = ((q.kind, q.name, shown_reply(reply)) for q, reply in assessment.replies.items())
        terminal.table(("asked", "name", "reply"), asked)
    if assessment.opinions is not None:
        terminal.say("")
        terminal.table(
            ("judge", "method", "result", "why"),
            (("dkimpy", *each) for each in assessment.opinions),
        )


def rows(assessment: Assessment) -> Iterator[Row]:
    """Yield the results of all methods, in the order of the field."""
    found = assessment.found
    if not found.dkim:
        yield "dkim", "none", "", "the message has no signature"
    for each in found.dkim:
        yield "dkim", each.result, _signature(each), each.reason
    arc = found.arc
    chain = f"i={arc.instance} {' '.join(arc.sealers)}".rstrip() if arc.instance else ""
    yield "arc", arc.result, chain, arc.reason
    if assessment.client_known:
        client, (helo, sender) = found.client, found.spf
        yield "iprev", found.iprev.result, f"{client.address} {client.rdns or ''}".rstrip(), ""
        yield "spf", helo.result, f"HELO {text(client.helo)}".rstrip(), _why(helo)
        yield "spf", sender.result, f"MAIL FROM <{text(client.sender or b'')}>", _why(sender)
    dmarc = found.dmarc
    yield "dmarc", dmarc.result, dmarc.domain, dmarc.reason or _policy(dmarc)


def _signature(found: DkimResult) -> str:
    tags = (("d", found.domain), ("s", found.selector), ("a", found.algorithm))
    size = f" ({found.bits} bits)" if found.bits else ""
    return " ".join(f"{tag}={value}" for tag, value in tags if value) + size


def _why(found: SpfResult) -> str:
    return found.reason or found.explanation or found.mechanism


def _policy(found: DmarcResult) -> str:
    """Return the policy, where it stands, and what is aligned."""
    if not found.policy_domain:
        return "no policy is published"
    checks = (("dkim", found.dkim_aligned), ("spf", found.spf_aligned))
    aligned = ", ".join(name for name, is_so in checks if is_so) or "nothing"
    return f"policy {found.policy} of {found.policy_domain}, aligned: {aligned}"


def _done(assessment: Assessment) -> str:
    """Return what filter-auth with --enforce would do."""
    action, reason = assessment.disposition.action, assessment.disposition.reason
    if action == "reject":
        return f"filter-auth --enforce refuses it: {assessment.reply}"
    if action == "quarantine":
        return f"filter-auth --enforce has it filed as junk: {reason}"
    return "filter-auth --enforce lets it pass" + (f": {reason}" if reason else "")


def shown_reply(reply: Reply) -> str:
    """Return a reply for people; several records are in quotes each."""
    if isinstance(reply, Found):
        first, *others = reply.records
        return " ".join(f'"{each}"' for each in reply.records) if others else first
    return reply.reason if isinstance(reply, Failed) else said(reply)
