"""All that is known of a message in the end, and the same as JSON."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from opensmtpd.dns import Absent, Failed, Found, Question, Reply
from opensmtpd.mail.authres.write import NAME, field_value
from opensmtpd.mail.inbound.disposition import Disposition
from opensmtpd.mail.inbound.findings import Findings
from opensmtpd.mail.inbound.results import results
from opensmtpd_cli.commands.authenticate.judge import Opinion

_OF_CLIENT = ("iprev", "spf")
"""Methods that say nothing where it is not known who the client was."""


class Assessment(NamedTuple):
    """The results that filter-auth would write."""

    found: Findings
    disposition: Disposition
    authserv_id: str
    replies: Mapping[Question, Reply]
    """The questions to the DNS and their replies, in order."""
    opinions: Sequence[Opinion] | None = None
    """The opinion of the judge, None without one."""

    @property
    def client_known(self) -> bool:
        """Tell whether the client's address is known."""
        return self.found.client.address is not None

    @property
    def field(self) -> str:
        """The Authentication-Results field, its lines joined by line feeds."""
        known = [
            each
            for each in results(self.found, self.disposition)
            if self.client_known or each.method not in _OF_CLIENT
        ]
        return (NAME + b": " + b"\n".join(field_value(self.authserv_id, known))).decode("ascii")

    @property
    def reply(self) -> str:
        """The reply to the client that refuses the message, "" where none does."""
        text = self.disposition.reply
        return f"550 {text}" if text else ""

    def data(self) -> dict[str, Any]:
        """Return all of it as JSON has it."""
        found, disposition = self.found, self.disposition
        arc, dmarc = found.arc, found.dmarc
        known = self.client_known
        data: dict[str, Any] = {
            "iprev": found.iprev._asdict() if known else None,
            "spf": {
                "helo": found.spf.helo._asdict() if known else None,
                "mailfrom": found.spf.sender._asdict() if known else None,
            },
            "dkim": [each._asdict() for each in found.dkim],
            "arc": {
                "result": arc.result,
                "reason": arc.reason,
                "instance": arc.instance,
                "sealers": list(arc.sealers),
                "oldest_pass": arc.oldest_pass,
            },
            "dmarc": {
                "result": dmarc.result,
                "reason": dmarc.reason,
                "domain": dmarc.domain,
                "policy_domain": dmarc.policy_domain,
                "organizational_domain": dmarc.org_domain,
                "policy": dmarc.policy,
                "disposition": dmarc.disposition,
                "dkim_aligned": dmarc.dkim_aligned,
                "spf_aligned": dmarc.spf_aligned,
            },
            "action": disposition.action,
            "reason": disposition.reason,
            "reply": self.reply,
            "field": self.field,
            "dns": [_exchange(*each) for each in self.replies.items()],
        }
        if self.opinions is not None:
            data["judge"] = [each._asdict() for each in self.opinions]
        return data


def said(reply: Reply) -> str:
    """Return the kind of a reply."""
    if isinstance(reply, Found):
        return "found"
    if isinstance(reply, Absent):
        return "no such name" if reply.nxdomain else "no such records"
    return "failed"


def _exchange(question: Question, reply: Reply) -> dict[str, Any]:
    return {
        "name": question.name,
        "type": str(question.kind),
        "reply": said(reply),
        "records": list(reply.records) if isinstance(reply, Found) else [],
        "reason": reply.reason if isinstance(reply, Failed) else "",
    }
