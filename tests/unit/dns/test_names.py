"""Names and addresses, as text."""

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from opensmtpd.dns.names import (
    LABEL_MAX,
    NAME_MAX,
    address,
    is_ipv4,
    is_query_name,
    is_wire_name,
    reverse_name,
    reversed_labels,
)

NIBBLES = ".".join(reversed("20010db8000000000000000000000005"))


@pytest.mark.parametrize(
    ("name", "good"),
    [
        ("example.org", True),
        ("_dmarc.example.org", True),
        ("xn--bcher-kva.example", True),
        ("a", True),
        ("5.2.0.192.in-addr.arpa", True),
        (".".join(["a" * 63] * 3) + "." + "a" * 61, True),
        (".".join(["a" * 63] * 3) + "." + "a" * 62, False),
        ("a" * 64 + ".example", False),
        ("", False),
        (".", False),
        ("example.org.", False),
        (".example.org", False),
        ("a..b", False),
        ("a b", False),
        ("a|b", False),
        ("a\nb", False),
        ("a\n", False),
        ("a\\124b", False),
        ("bücher.example", False),
        ("\u017f.example", False),
        ("\u212a.example", False),
        ("*.example.org", False),
    ],
)
def test_usual_names(name: str, good: bool) -> None:
    assert is_query_name(name) is good
    assert is_wire_name(name) or not good


@pytest.mark.parametrize(
    ("name", "good"),
    [
        ("a", True),
        ("bounces+a=b@c:d/e%f.example", True),
        ('a b."c".\\d.example', True),
        ("\0\n\x7f\x80\xff.example", True),
        ("*", True),
        (".".join(["+" * 63] * 3) + "." + "+" * 61, True),
        (".".join(["+" * 63] * 3) + "." + "+" * 62, False),
        ("+" * 63, True),
        ("+" * 64, False),
        ("", False),
        (".", False),
        ("a..b", False),
        (".a", False),
        ("a.", False),
        ("\u0100.example", False),
        ("\u20ac", False),
    ],
)
def test_what_can_be_asked(name: str, good: bool) -> None:
    assert is_wire_name(name) is good


def test_addresses_backwards() -> None:
    four, six = ip_address("192.0.2.5"), ip_address("2001:db8::5")
    assert reversed_labels(four) == "5.2.0.192"
    assert reversed_labels(six) == NIBBLES


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("192.0.2.5", "192.0.2.5"),
        (b"[2001:DB8::5]", "2001:db8::5"),
        ("2001:db8::5", "2001:db8::5"),
        ("::ffff:192.0.2.5", "192.0.2.5"),
        ("[::ffff:192.0.2.5]", "192.0.2.5"),
        ("fe80::1%eth0", "fe80::1"),
        ("192.0.2.5:25", None),
        ("[2001:db8::5", None),
        ("192.0.2", None),
        ("192.0.2.05", None),
        ("local", None),
        (b"\xff", None),
        ("", None),
    ],
)
def test_addresses(text: str | bytes, expected: str | None) -> None:
    assert address(text) == (None if expected is None else ip_address(expected))


@given(st.ip_addresses())
def test_the_name_of_an_address_is_that_of_python(found: IPv4Address | IPv6Address) -> None:
    assert reverse_name(found) == found.reverse_pointer


@given(st.ip_addresses())
def test_an_address_backwards_can_be_asked(some: object) -> None:
    found = address(str(some))
    assert found is not None
    assert is_query_name(found.reverse_pointer)
    assert is_query_name(reversed_labels(found) + ".zen.spamhaus.org")


# --- plain references ---------------------------------------------------------------------------

ODD = st.text("0123456789abcdf.:%[]x \u0661\u00b2\0\n-", max_size=20)
"""Characters of addresses, and some that look like these or end a string elsewhere."""
QUADS = st.lists(st.text("0123456789", max_size=4), min_size=3, max_size=5).map(".".join)
ADDRESSES = st.ip_addresses().map(str)
TEXTS = st.one_of(ODD, QUADS, ADDRESSES, ADDRESSES.map("[{}]".format), st.text(max_size=20))


def plain_address(text: str) -> IPv4Address | IPv6Address | None:
    """Read an address by ip_address alone."""
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    try:
        found = ip_address(bare.partition("%")[0])
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found


@given(TEXTS)
def test_an_address_is_what_ip_address_reads(text: str) -> None:
    assert address(text) == plain_address(text)


@given(TEXTS)
@example("192.0.2.01")
@example("192.0.2")
@example("0xc0.0.2.1")
@example("192.0.2.1\0")
@example("192.0.2.1\n")
def test_an_ipv4_address_in_its_usual_form(text: str) -> None:
    found = plain_address(text)
    assert is_ipv4(text) == (isinstance(found, IPv4Address) and str(found) == text)


def plain_wire_name(name: str) -> bool:
    """Know a name that can be asked for by its labels alone."""
    labels = name.split(".")
    fits = len(name) <= NAME_MAX and all(ord(char) < 256 for char in name)
    return fits and all(0 < len(label) <= LABEL_MAX for label in labels)


@given(st.lists(st.text("aZ9_-\u017f\xff\0 +", max_size=66), min_size=1, max_size=6).map(".".join))
def test_a_name_that_can_be_asked_for(name: str) -> None:
    assert is_wire_name(name) == plain_wire_name(name)
