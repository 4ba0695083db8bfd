"""The log line of a message."""

from opensmtpd.log import form
from opensmtpd.mail.dmarc.author import Authors
from opensmtpd.mail.dmarc.policy import DmarcResult
from opensmtpd.mail.inbound.disposition import dispose
from opensmtpd.mail.inbound.findings import Findings
from opensmtpd.mail.inbound.log_fields import log_fields
from opensmtpd.mail.inbound.rules import InboundRules
from unit.support.inbound_findings import CHAIN, CLIENT, PASS, findings, signature

ABOUT = (
    "0123456789abcdef auth from=example.com address=192.0.2.5 rdns=mx.example.com"
    " helo=mx.example.com mailfrom=a@example.com iprev=pass spf-helo=none/mx.example.com"
    " spf=fail/example.com"
)


def line(found: Findings, rules: InboundRules = InboundRules()) -> str:  # noqa: B008  a tuple
    return form("auth", "0123456789abcdef", **log_fields(found, dispose(found, rules)))


def test_a_message_that_fails() -> None:
    said = " dkim=none arc=none dmarc=fail/example.com policy=reject action={}"
    why = ' reason="DMARC policy of example.com: reject"'
    assert line(findings()) == ABOUT + said.format("none") + why
    assert line(findings(), InboundRules(enforce=True)) == ABOUT + said.format("reject") + why


def test_a_message_that_passes() -> None:
    signed = (signature(), signature("fail", "lists.example"))
    assert line(findings(dmarc=PASS, dkim=signed, arc=CHAIN)) == ABOUT + (
        " dkim=pass/example.com,fail/lists.example arc=pass/lists.example"
        " dmarc=pass/example.com action=none"
    )


def test_an_exception() -> None:
    rules = InboundRules(policies={"example.com": "none"})
    assert line(findings(), rules) == ABOUT + (
        " dkim=none arc=none dmarc=fail/example.com policy=none action=none"
        ' override="own policy for example.com: none" reason="DMARC fails for example.com"'
    )


def test_what_a_client_says_stays_on_the_line() -> None:
    odd = CLIENT._replace(helo=b"a b\n", sender=b'"x\xff" y@z', rdns=None)
    found = findings(
        client=odd, authors=Authors((), "no From field"), dmarc=DmarcResult("none", reason="x")
    )
    assert line(found) == (
        '0123456789abcdef auth from="" address=192.0.2.5 helo="a b\\n"'
        ' mailfrom="\\"x\\\\xff\\" y@z" iprev=pass spf-helo=none/mx.example.com'
        " spf=fail/example.com dkim=none arc=none dmarc=none action=none reason=x"
    )


def test_a_thousand_signatures() -> None:
    assert line(findings(dkim=(signature(),) * 1000)).count("pass/example.com") == 10
