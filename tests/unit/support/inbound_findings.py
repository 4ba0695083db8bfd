"""Results of messages, made by hand."""

from typing import Any

from opensmtpd.mail.arc.verify import ArcResult
from opensmtpd.mail.dkim.verify.verifier import DkimResult
from opensmtpd.mail.dmarc.author import Authors
from opensmtpd.mail.dmarc.policy import DmarcResult
from opensmtpd.mail.dmarc.record import Record
from opensmtpd.mail.inbound.findings import Findings, iprev
from opensmtpd.mail.inbound.identities import SpfResults
from opensmtpd.mail.spf.check import SpfResult
from unit.support.mail_client import client

CLIENT = client("192.0.2.5", "mx.example.com", helo=b"mx.example.com", sender=b"a@example.com")
SPF_FAIL = SpfResults(SpfResult("none", "mx.example.com"), SpfResult("fail", "example.com"))
SPF_PASS = SPF_FAIL._replace(sender=SpfResult("pass", "example.com", mechanism="mx"))
NO_DMARC = DmarcResult("none", "example.com", reason="no policy record")
RECORD = Record("reject", rua=("mailto:d@example.com", "mailto:e@example.net"))
FAIL = DmarcResult("fail", "example.com", "example.com", RECORD, "reject", "reject")
PASS = FAIL._replace(result="pass", disposition="none", spf_aligned=True)
CHAIN = ArcResult("pass", instance=2, sealers=("lists.example", "other.example"), next_instance=3)


def signature(result: str = "pass", domain: str = "example.com", **more: Any) -> DkimResult:
    values = {
        **{
            "reason": "",
            "selector": "s",
            "algorithm": "rsa-sha256",
            "identity": "",
            "b": "ab/c+d==",
        },
        **{"testing": False, "partial": False, "bits": 2048, **more},
    }
    return DkimResult(result=result, domain=domain, **values)


def findings(**more: Any) -> Findings:
    """Return the results of a message that fails DMARC with p=reject, with other values in them."""
    values: dict[str, Any] = {
        "client": CLIENT,
        "authors": Authors(("example.com",)),
        "iprev": iprev(more.get("client", CLIENT)),
        "spf": SPF_FAIL,
        "dkim": (),
        "arc": ArcResult("none", next_instance=1),
        "dmarc": FAIL,
    }
    return Findings(**{**values, **more})
