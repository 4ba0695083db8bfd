"""Names and addresses, as text."""

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensmtpd.dns.names import address, is_query_name, is_wire_name, reversed_labels

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
def test_an_address_backwards_can_be_asked(some: object) -> None:
    found = address(str(some))
    assert found is not None
    assert is_query_name(found.reverse_pointer)
    assert is_query_name(reversed_labels(found) + ".zen.spamhaus.org")
