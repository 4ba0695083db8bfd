"""The results of one message, as ``authenticate`` and its texts get them."""

from ipaddress import ip_address

from opensmtpd.mail.arc.verify import ArcResult
from opensmtpd.mail.client import Client
from opensmtpd.mail.dkim.verify.verifier import DkimResult
from opensmtpd.mail.dmarc.author import Authors
from opensmtpd.mail.dmarc.policy import DmarcResult
from opensmtpd.mail.inbound.disposition import Disposition
from opensmtpd.mail.inbound.findings import Findings, Iprev
from opensmtpd.mail.inbound.identities import SpfResults
from opensmtpd.mail.spf.check import SpfResult
from opensmtpd_cli.commands.authenticate.assessment import Assessment

CLIENT = Client(
    ip_address("192.0.2.7"), None, "mx.example.net", "pass", b"mx.example.net", b"a@example.net"
)
FOUND = Findings(
    CLIENT,
    Authors(("example.com",)),
    Iprev("pass", "192.0.2.7"),
    SpfResults(
        SpfResult("none", "mx.example.net"),
        SpfResult("fail", "example.net", explanation="not from there", mechanism="-all"),
    ),
    (DkimResult("permerror", "no key", "example.com", "s", "rsa-sha256"),),
    ArcResult("pass", instance=2, sealers=("b.example", "a.example")),
    DmarcResult(
        "fail",
        "example.com",
        "example.com",
        policy="reject",
        disposition="reject",
        org_domain="example.com",
    ),
)
REFUSED = Assessment(
    FOUND, Disposition("reject", "reject", "DMARC policy", "5.7.1 No", ()), "mx.test", {}
)
