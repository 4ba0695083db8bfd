"""The addresses in rua: which are taken, and which nobody should send anything to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensmtpd.mail.dmarc.reports.uris import ReportAddress, destinations, is_plain_address


@pytest.mark.parametrize(
    ("rua", "found"),
    [
        ("mailto:reports@Example.COM", [("reports@example.com", None)]),
        ("MAILTO:a@b.example!10m", [("a@b.example", 10 << 20)]),
        ("mailto:a@b.example!512", [("a@b.example", 512)]),
        ("mailto:a@b.example!2K", [("a@b.example", 2048)]),
        ("mailto:a@b.example!1t", [("a@b.example", 1 << 40)]),
        (
            " mailto:a@b.example , mailto:c+d=e@f.example ",
            [("a@b.example", None), ("c+d=e@f.example", None)],
        ),
        ("mailto:a@b.example,mailto:a@B.example!1k", [("a@b.example", None)]),
        ("mailto:a%2Bx@b.example", [("a+x@b.example", None)]),
        ("mailto:a@b.example?subject=x!1k", [("a@b.example", 1024)]),
        ("https://b.example/,mailto:a@b.example", [("a@b.example", None)]),
        ("", []),
        (",,", []),
        ("a@b.example", []),
        ("mailto:", []),
        ("mailto:@b.example", []),
        ("mailto:a@", []),
        ("mailto:a@b.example!", []),
        ("mailto:a@b.example!10x", []),
        ("mailto:a@b.example!9999999999999999999", []),
        ("mailto:a@b.example!10m!5k", []),
        ("mailto:-oQ/tmp@b.example", []),
        ("mailto:a@-b.example", []),
        ("mailto:a@[192.0.2.1]", []),
        ("mailto:a..b@c.example", []),
        ("mailto:a.@c.example", []),
        ("mailto:%0aBcc:x@b.example", []),
        ("mailto:a%0d%0a@b.example", []),
        ("mailto:a;touch x@b.example", []),
        ("mailto:|cmd@b.example", []),
        ("mailto:a@b@c.example", []),
        ('mailto:"a b"@c.example', []),
        ("mailto:\xfc@c.example", []),
        ("mailto:%ff@c.example", []),
    ],
)
def test_destinations(rua: str, found: list[tuple[str, int | None]]) -> None:
    assert destinations(rua) == [ReportAddress(*each) for each in found]


def test_ten_uris_are_looked_at() -> None:
    found = destinations(",".join(f"mailto:a{number}@b.example" for number in range(15)))
    assert [each.address for each in found] == [f"a{number}@b.example" for number in range(10)]


def test_the_host_is_what_is_behind_the_sign() -> None:
    assert ReportAddress("a@b.example").host == "b.example"


@given(st.text() | st.text(alphabet="mailto:@!,.%0aAk-"))
def test_all_that_is_found_is_plain(rua: str) -> None:
    for each in destinations(f"mailto:{rua}"):
        assert is_plain_address(each.address)
        assert each.address.isascii()
        assert each.address.isprintable()
        assert not set(each.address) & set(" ;|<>\"'`$\\()&!,:/")
        assert not each.address.startswith("-")
