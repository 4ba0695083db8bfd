"""SPF records as all their clients meet them: their terms, and their errors."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensmtpd_cli.dnsrecords.spf_records import SpfRecords, spf_records
from unit.support.plain_dns import result


def of(*records: str, slow: tuple[str, ...] = ()) -> SpfRecords:
    """Return what is read of example.com; each record is ``NAME TEXT``."""
    lines = [each.replace(" ", " TXT ", 1) for each in records]
    found = result(spf_records("Example.com"), *lines, slow=slow)
    assert isinstance(found, SpfRecords)
    return found


def test_terms_are_counted_in_all_records() -> None:
    text = "v=spf1 ip4:192.0.2.1 a mx:b.example include:A.example exists:%{i}.x.example -all"
    found = of(
        f"example.com {text}",
        "a.example v=spf1 include:b.example ptr ip6:2001:db8::1 -all mx mx mx",
        "b.example v=spf1 a:c.example redirect=c.example",
        "c.example v=spf1 include:%{d}.d.example ?all",
    )
    # 4 of the first, 2 of a, 2 of b, 1 of c
    assert found == SpfRecords(text, 9, "", "")


def test_a_redirect_counts_where_nothing_else_matches() -> None:
    assert of("example.com v=spf1 redirect=a.example", "a.example v=spf1 -all").terms == 1
    assert of("example.com v=spf1 -all redirect=a.example").terms == 0


def test_one_record_that_is_included_twice_counts_twice() -> None:
    zone = ("example.com v=spf1 include:a.example include:a.example -all", "a.example v=spf1 mx")
    assert of(*zone).terms == 4


@pytest.mark.parametrize(
    ("records", "fault"),
    [
        ((), ""),
        (("example.com something else",), ""),
        (
            ("example.com v=spf1 -all", "example.com v=spf1 mx"),
            "example.com: more than one SPF record",
        ),
        (
            ("example.com v=spf1 ipv4:192.0.2.1 -all",),
            "example.com: ipv4:192.0.2.1: no such mechanism",
        ),
        (
            ("example.com v=spf1 include:a.example -all",),
            "a.example, which it names, has no SPF record",
        ),
        (
            ("example.com v=spf1 include:a.example -all", "a.example v=spf1 a:"),
            "a.example: a:: no domain",
        ),
    ],
)
def test_errors(records: tuple[str, ...], fault: str) -> None:
    assert of(*records).fault == fault


def test_what_is_not_known_is_no_error() -> None:
    found = of("example.com v=spf1 include:a.example -all", slow=("a.example TXT",))
    assert (found.fault, found.unknown) == ("", "a.example TXT: timed out")
    assert of(slow=("example.com TXT",)) == SpfRecords("", 0, "", "example.com TXT: timed out")


def test_a_domain_that_is_not_there() -> None:
    assert of() == SpfRecords("", 0, "", "", exists=False)
    assert of("mail.example.com something").exists
    assert of(slow=("example.com TXT",)).exists


def test_records_that_name_each_other_end() -> None:
    assert of("example.com v=spf1 include:example.com -all").terms == 1
    many = [f"{name} v=spf1 " + " ".join(f"include:n{n}.example" for n in range(60))
            for name in ("example.com", *(f"n{n}.example" for n in range(60)))]  # fmt: skip
    assert of(*many).terms == 1000


@given(st.lists(st.text(st.characters(max_codepoint=255), max_size=60), max_size=3))
def test_no_text_fails(texts: list[str]) -> None:
    of(*(f"example.com v=spf1 {text}" for text in texts))
