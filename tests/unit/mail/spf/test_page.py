"""A record as one client meets it."""

from ipaddress import ip_address

import pytest

from opensmtpd.mail.spf.page import SpfPage


def page(text: str, address: str = "192.0.2.77") -> tuple[list[str], str | None, bool]:
    """Return what asks, what matches anyway, and whether a redirect is left."""
    found = SpfPage("example.org", text, ip_address(address))
    return (
        [mechanism.text for mechanism in found.asking],
        found.last and found.last.text,
        found.redirect != (),
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("v=spf1", ([], None, False)),
        ("v=spf1 a ip4:192.0.2.0/24 mx -all", (["a"], "ip4:192.0.2.0/24", False)),
        ("v=spf1 ip4:192.0.2.76 a ?all mx", (["a"], "?all", False)),
        ("v=spf1 ip4:192.0.2.76/31 -all", ([], "ip4:192.0.2.76/31", False)),
        ("v=spf1 ip4:0.0.0.0/0 -all", ([], "ip4:0.0.0.0/0", False)),
        ("v=spf1 ip6:::/0 ip6:::ffff:192.0.2.77 ~all", ([], "~all", False)),
        ("v=spf1 a redirect=a.b", (["a"], None, True)),
        ("v=spf1 redirect=a.b -all", ([], "-all", False)),
    ],
)
def test_ipv4(text: str, expected: tuple[list[str], str | None, bool]) -> None:
    assert page(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("v=spf1 ip4:0.0.0.0/0 ptr ip6:2001:db8::/32", (["ptr"], "ip6:2001:db8::/32", False)),
        ("v=spf1 ip6:2001:db9::/32 ip6:::/0", ([], "ip6:::/0", False)),
        ("v=spf1 ip6:2001:db8::6/127 ip6:2001:db8::7", ([], "ip6:2001:db8::6/127", False)),
    ],
)
def test_ipv6(text: str, expected: tuple[list[str], str | None, bool]) -> None:
    assert page(text, "2001:db8::7") == expected


def test_an_error_behind_what_matches_is_one() -> None:
    with pytest.raises(ValueError, match=r"^moo: no such mechanism$"):
        page("v=spf1 +all moo")
