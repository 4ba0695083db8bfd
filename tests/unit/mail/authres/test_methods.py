"""The results of each method: names and order as the C filter-auth has them, with the mends."""

import pytest

from opensmtpd.mail.authres import methods
from opensmtpd.mail.authres.write import Result, field_value


def test_a_field_as_the_c_filter_writes_it() -> None:
    """But for policy.iprev, which RFC 8601 wants, and for smtp.helo, which is a domain."""
    results = [
        methods.dkim(
            "pass",
            selector="s",
            domain="example.com",
            algorithm="rsa-sha256",
            signature="TLe7iQNyAAAA",
        ),
        methods.arc("none"),
        methods.iprev("pass", "192.0.2.1"),
        methods.spf_helo("none", "mx.example.com"),
        methods.spf_mailfrom("pass", "alice@example.com"),
    ]
    assert field_value("mx.test", results) == [
        b"mx.test; dkim=pass header.s=s header.d=example.com",
        b"\theader.a=rsa-sha256 header.b=TLe7iQNy; arc=none; iprev=pass",
        b"\tpolicy.iprev=192.0.2.1; spf=none smtp.helo=mx.example.com; spf=pass",
        b"\tsmtp.mailfrom=alice@example.com",
    ]


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (methods.dkim("none"), Result("dkim", "none")),
        (
            methods.dkim("fail", "bh mismatch", domain="a.example"),
            Result("dkim", "fail", "bh mismatch", (("header.d", "a.example"),)),
        ),
        (
            methods.arc("pass", instance=2, oldest_pass=1),
            Result("arc", "pass", "", (("header.i", "2"), ("header.oldest-pass", "1"))),
        ),
        (
            methods.iprev("permerror", "2001:db8::1", "no name"),
            Result("iprev", "permerror", "no name", (("policy.iprev", "2001:db8::1"),)),
        ),
        (
            methods.spf_helo("fail", "a.example", "why"),
            Result("spf", "fail", "why", (("smtp.helo", "a.example"),)),
        ),
        (methods.spf_mailfrom("none", ""), Result("spf", "none")),
        (
            methods.dmarc("fail", "a.example", "reject"),
            Result("dmarc", "fail", "", (("header.from", "a.example"), ("policy.dmarc", "reject"))),
        ),
        (
            methods.dmarc("none", "a.example"),
            Result("dmarc", "none", "", (("header.from", "a.example"),)),
        ),
        (methods.auth("alice"), Result("auth", "pass", "", (("smtp.auth", "alice"),))),
    ],
)
def test_result(result: Result, expected: Result) -> None:
    assert result == expected
