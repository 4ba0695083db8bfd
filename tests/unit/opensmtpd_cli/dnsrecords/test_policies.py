"""The records of DMARC, MTA-STS and TLS-RPT: there, right, or wrong."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensmtpd_cli.dnsrecords.policies import PolicyRecord, dmarc, mta_sts, tls_rpt
from unit.support.plain_dns import result

DMARC, STS, RPT = "_dmarc.example.com", "_mta-sts.example.com", "_smtp._tls.example.com"


@pytest.mark.parametrize(
    "text",
    [
        "v=DMARC1; p=none",
        "v=DMARC1;p=reject; sp=none; np=reject; rua=mailto:a@b.example!10m,mailto:c@d.example",
        " V = DMARC1 ; p = Reject ;",
        "v=DMARC1; rua=mailto:a@b.example",
    ],
)
def test_good_policies(text: str) -> None:
    assert result(dmarc("Example.com"), f"{DMARC} TXT {text}") == PolicyRecord(DMARC, text)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("v=DMARC1 p=none", "it does not begin with v=DMARC1;"),
        ("v=dmarc1; p=none", "it does not begin with v=DMARC1;"),
        ("v=DMARC1; sp=none", "it has neither p= nor rua="),
        ("v=DMARC1; p=rejct; rua=mailto:a@b.example", "its p= is none of none, quarantine, reject"),
        ("v=DMARC1; p=none; sp=no", "its sp= is none of none, quarantine, reject"),
        (
            "v=DMARC1; p=none; rua=postmaster@example.com",
            "its rua= is no list of addresses with mailto: in front of each",
        ),
    ],
)
def test_wrong_policies(text: str, fault: str) -> None:
    assert result(dmarc("example.com"), f"{DMARC} TXT {text}") == PolicyRecord(DMARC, text, fault)


def test_the_domain_above_has_a_policy() -> None:
    line = f"{DMARC} TXT v=DMARC1; p=reject"
    assert result(dmarc("mail.example.com"), line).name == DMARC
    assert result(dmarc("mail.example.com"), line).fault == ""
    assert result(dmarc("example.org"), line) == PolicyRecord("_dmarc.example.org")


def test_several_policies_and_other_texts() -> None:
    lines = (f"{DMARC} TXT v=spf1 -all", f"{DMARC} TXT v=DMARC1; p=none")
    assert result(dmarc("example.com"), *lines).fault == ""
    twice = result(dmarc("example.com"), *lines, lines[1])
    assert twice.fault == "there are 2 such records, which count as none"


def test_what_the_dns_does_not_tell() -> None:
    found = result(
        dmarc("a.example.com"), f"{DMARC} TXT v=DMARC1", slow=["_dmarc.a.example.com TXT"]
    )
    assert found == PolicyRecord("_dmarc.a.example.com", unknown="timed out")
    assert result(mta_sts("example.com"), slow=[f"{STS} TXT"]).unknown == "timed out"
    assert result(tls_rpt("example.com"), slow=[f"{RPT} TXT"]).unknown == "timed out"


def test_mta_sts() -> None:
    host = "mta-sts.example.com A 192.0.2.1"
    assert result(mta_sts("example.com"), host) == PolicyRecord(STS)
    good = f"{STS} TXT v=STSv1; id=20260101T000000;"
    assert result(mta_sts("example.com"), host, good).fault == ""
    assert result(mta_sts("example.com"), good).fault == (
        "mta-sts.example.com, which has the policy, has no address"
    )
    assert result(mta_sts("example.com"), good, slow=["mta-sts.example.com A"]).fault == ""
    for text, fault in {
        "v=STSv1; id=a-b": "its id= is missing, or not of 1 to 32 letters and digits",
        "v=STSv1;": "its id= is missing, or not of 1 to 32 letters and digits",
        "v=STSv1 id=1": "it does not begin with v=STSv1;",
        "v=STSV1; id=1": "it does not begin with v=STSv1;",
    }.items():
        assert result(mta_sts("example.com"), host, f"{STS} TXT {text}").fault == fault
    assert result(mta_sts("example.com"), host, good, good).fault == (
        "there are 2 such records, which count as none"
    )


def test_tls_rpt() -> None:
    assert result(tls_rpt("example.com")) == PolicyRecord(RPT)
    for text in ("mailto:a@b.example", "https://b.example/x, mailto:a@b.example"):
        assert result(tls_rpt("example.com"), f"{RPT} TXT v=TLSRPTv1; rua={text}").fault == ""
    for text in ("", "rua=", "rua=a@b.example", "rua=mailto:a@b.example,http://c.example"):
        assert result(tls_rpt("example.com"), f"{RPT} TXT v=TLSRPTv1; {text}").fault == (
            "its rua= is no list of mailto: and https: addresses"
        )


@given(st.text(st.characters(max_codepoint=255), max_size=80))
def test_no_text_fails(text: str) -> None:
    result(dmarc("example.com"), f"{DMARC} TXT v=DMARC1; {text}")
    result(mta_sts("example.com"), f"{STS} TXT v=STSv1; {text}")
    result(tls_rpt("example.com"), f"{RPT} TXT v=TLSRPTv1; {text}")
