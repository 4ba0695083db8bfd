"""The results of a message, as they stand in its field."""

from typing import Any

import pytest

from opensmtpd.mail.arc.verify import ArcResult
from opensmtpd.mail.authres.read import read
from opensmtpd.mail.authres.write import field_value
from opensmtpd.mail.inbound.disposition import dispose
from opensmtpd.mail.inbound.findings import Findings
from opensmtpd.mail.inbound.results import results
from opensmtpd.mail.inbound.rules import InboundRules
from opensmtpd.mail.spf.check import SpfResult
from unit.support.inbound_findings import CHAIN, CLIENT, FAIL, PASS, SPF_FAIL, findings, signature

SEALERS = InboundRules(enforce=True, sealers=frozenset(["lists.example"]))


def value(found: Findings, rules: InboundRules = SEALERS) -> str:
    """Return the value of the field, unfolded."""
    lines = field_value("mx.test", results(found, dispose(found, rules)))
    return b" ".join(b" ".join(lines).split()).decode()


def test_a_message_that_fails() -> None:
    assert value(findings()) == (
        "mx.test; dkim=none; arc=none; iprev=pass policy.iprev=192.0.2.5;"
        " spf=none smtp.helo=mx.example.com; spf=fail smtp.mailfrom=a@example.com;"
        " dmarc=fail header.from=example.com policy.dmarc=reject"
    )


def test_a_message_that_passes() -> None:
    two = (signature(b="TLe7iQNyXX"), signature("fail", "list.example", reason="was changed"))
    assert value(findings(dmarc=PASS, dkim=two, arc=CHAIN._replace(oldest_pass=2))) == (
        "mx.test; dkim=pass header.s=s header.d=example.com header.a=rsa-sha256 header.b=TLe7iQNy;"
        ' dkim=fail reason="was changed" header.s=s header.d=list.example header.a=rsa-sha256'
        ' header.b="ab/c+d=="; arc=pass header.i=2 header.oldest-pass=2;'
        " iprev=pass policy.iprev=192.0.2.5; spf=none smtp.helo=mx.example.com;"
        " spf=fail smtp.mailfrom=a@example.com; dmarc=pass header.from=example.com"
    )


def test_an_exception_is_told() -> None:
    found = findings(arc=CHAIN._replace(aar=b"i=2; lists.example; dmarc=pass"))
    assert value(found).endswith(
        '; dmarc=fail reason="arc passes, as[2].d=lists.example" header.from=example.com'
        " policy.dmarc=none"
    )


def test_the_field_of_the_c_filter_but_for_what_is_mended() -> None:
    recorded = (
        "Authentication-Results: mx.test; dkim=pass header.s=s header.d=example.com \n"
        "\theader.a=rsa-sha256 header.b=TLe7iQNy; arc=none; iprev=pass; spf=none\n"
        "\tsmtp.helo=postmaster@mx.example.com; spf=pass\n"
        "\tsmtp.mailfrom=alice@example.com"
    )
    sender = CLIENT._replace(sender=b"alice@example.com")
    spf = SPF_FAIL._replace(sender=SpfResult("pass", "example.com"))
    found = findings(client=sender, spf=spf, dkim=(signature(b="TLe7iQNyXX"),), dmarc=PASS)
    mended = " ".join(recorded.split()).replace("postmaster@", "")
    mended = mended.replace("iprev=pass;", "iprev=pass policy.iprev=192.0.2.5;")
    assert f"Authentication-Results: {value(found)}" == (
        f"{mended}; dmarc=pass header.from=example.com"
    )


def test_errors_have_their_reasons() -> None:
    spf = SPF_FAIL._replace(sender=SpfResult("permerror", "example.com", "two records"))
    dmarc = FAIL._replace(result="temperror", policy="none", disposition="none", reason="no answer")
    shown = value(findings(spf=spf, dmarc=dmarc, arc=ArcResult("fail", "gap", 3)))
    assert '; arc=fail reason="gap" header.i=3;' in shown
    assert '; spf=permerror reason="two records" smtp.mailfrom=a@example.com;' in shown
    assert shown.endswith('; dmarc=temperror reason="no answer" header.from=example.com')


def test_of_a_thousand_signatures_those_that_pass_come_first() -> None:
    many = (signature("policy", "a.test"),) * 1000 + (signature("pass", "b.test"),)
    shown = value(findings(dmarc=PASS, dkim=many))
    assert shown.startswith("mx.test; dkim=pass header.s=s header.d=b.test ")
    assert shown.count("dkim=") == 20


def test_a_bounce() -> None:
    bounce = CLIENT._replace(sender=b"")
    assert " smtp.mailfrom=postmaster@mx.example.com;" in value(findings(client=bounce))


def test_a_sender_that_is_not_reported() -> None:
    unreported = CLIENT._replace(sender=None)
    spf = SPF_FAIL._replace(sender=SpfResult("none", ""))
    assert "mailfrom" not in value(findings(client=unreported, spf=spf))


@pytest.mark.parametrize(
    "odd", [b"x; dmarc=pass", b'"; dmarc=pass', b"(x", b"a\rb", b"\xff\x00", b"<a@b>", b"x" * 4000]
)
def test_no_text_of_the_client_says_what_we_did_not_mean(odd: bytes) -> None:
    found: Any = findings(client=CLIENT._replace(helo=odd, sender=odd + b"@" + odd))
    text = value(found)
    assert text.isascii()
    assert text.isprintable()
    seen = read(text.encode())
    assert seen is not None
    assert [(each.method, each.result) for each in seen.results] == [
        *(("dkim", "none"), ("arc", "none"), ("iprev", "pass")),
        *(("spf", "none"), ("spf", "fail"), ("dmarc", "fail")),
    ]
