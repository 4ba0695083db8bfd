"""Policy records: what is one, and what it says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensmtpd.mail.dmarc.record import URIS_MAX, Record, parse


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("v=DMARC1; p=reject", Record("reject")),
        ("v=DMARC1;p=none;", Record("none")),
        ("V = DMARC1 ; P = None ;; x; =y", Record("none")),
        (
            "v=DMARC1; p=quarantine; sp=none; np=REJECT; adkim=S; aspf=s; t=y; psd=N; fo=1:d:s",
            Record("quarantine", "none", "reject", "s", "s", "y", "n", "1:d:s"),
        ),
        # Wrong values are defaults; the first of two tags counts.
        (
            "v=DMARC1; p=none; adkim=x; aspf=; t=yes; psd=rs; fo=2; pct=0; p=reject",
            Record("none"),
        ),
        (
            "v=DMARC1; p=none; rua=mailto:a@a.example!10m , https://b.example/x,c; ruf=mailto:d@d",
            Record("none", rua=("mailto:a@a.example", "https://b.example/x"), ruf=("mailto:d@d",)),
        ),
        # No valid p, sp or np: p=none where there is an address for reports, else nothing.
        ("v=DMARC1", Record("")),
        ("v=DMARC1; p=block", Record("")),
        ("v=DMARC1; p=reject; sp=x; rua=reports", Record("")),
        ("v=DMARC1; p=reject; np=x; rua=mailto:a@b", Record("none", rua=("mailto:a@b",))),
        ("v=DMARC1; p=x; sp=reject; rua=mailto:a@b", Record("none", rua=("mailto:a@b",))),
    ],
)
def test_record(text: str, expected: Record) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "v=dmarc1; p=reject",
        "v=DMARC12; p=reject",
        "v=DMARC1 p=reject",
        "p=reject; v=DMARC1",
        ";v=DMARC1; p=reject",
        "v=spf1 -all",
        "\xa0v=DMARC1; p=none",
    ],
)
def test_no_record(text: str) -> None:
    assert parse(text) is None


@pytest.mark.parametrize("part", [";", ",", "a=b;", "mailto:a@b,", "=", " "])
def test_large_records(part: str) -> None:
    found = parse("v=DMARC1; p=reject; rua=" + part * 60_000)
    assert found is not None
    assert len(found.rua) <= URIS_MAX


@given(st.text("v=DMARC1; prejctnoewuasd:,@\t\xff", max_size=60))
def test_any_text_is_a_record_or_not(text: str) -> None:
    found = parse("v=DMARC1;" + text)
    assert found is not None
    assert {found.p, found.sp, found.np} <= {"", "none", "quarantine", "reject"}
    assert all(uri.isascii() and uri.isprintable() and " " not in uri for uri in found.rua)
