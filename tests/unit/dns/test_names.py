"""Names, addresses and name servers, as text."""

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensmtpd.dns.names import address, is_query_name, reversed_labels
from opensmtpd.dns.resolver.zone_cuts import above
from opensmtpd.dns.servers import ServerAddress, server
from opensmtpd.errors import ConfigError

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
def test_what_can_be_asked(name: str, good: bool) -> None:
    assert is_query_name(name) is good


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


@pytest.mark.parametrize(
    ("name", "zones"),
    [
        ("a.b.example.org", ["example.org", "b.example.org"]),
        ("example.org", []),
        ("org", []),
        ("5.2.0.192.in-addr.arpa", ["2.0.192.in-addr.arpa", "0.192.in-addr.arpa",
                                    "192.in-addr.arpa"]),
        ("2.0.192.in-addr.arpa", ["0.192.in-addr.arpa", "192.in-addr.arpa"]),
        ("5.2.0.192.zen.example.org", ["example.org", "zen.example.org", "192.zen.example.org",
                                       "0.192.zen.example.org"]),
        (f"{NIBBLES}.zen.example", ["zen.example", "2.zen.example", "0.2.zen.example",
                                    "0.0.2.zen.example"]),
        (f"{NIBBLES}.ip6.arpa", [
            "0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa", "0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa",
            "0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa", "8.b.d.0.1.0.0.2.ip6.arpa"]),
    ],
)  # fmt: skip
def test_where_the_zone_of_a_name_may_begin(name: str, zones: list[str]) -> None:
    names, closest_first = above(name)
    assert list(names) == zones
    assert closest_first == name.endswith(".arpa")


@pytest.mark.parametrize(
    ("text", "expected", "spelled"),
    [
        ("192.0.2.1", ServerAddress("192.0.2.1", 53), "192.0.2.1:53"),
        ("192.0.2.1:5353", ServerAddress("192.0.2.1", 5353), "192.0.2.1:5353"),
        ("2001:db8::1", ServerAddress("2001:db8::1", 53), "[2001:db8::1]:53"),
        ("[2001:db8::1]", ServerAddress("2001:db8::1", 53), "[2001:db8::1]:53"),
        ("[2001:DB8::1]:65535", ServerAddress("2001:db8::1", 65535), "[2001:db8::1]:65535"),
    ],
)
def test_a_name_server(text: str, expected: ServerAddress, spelled: str) -> None:
    assert server(text) == expected
    assert str(server(text)) == spelled


@pytest.mark.parametrize(
    "text",
    ["", "ns.example.org", "192.0.2.1:0", "192.0.2.1:65536", "192.0.2.1:", "192.0.2.1:x",
     "192.0.2.1:٣", "192.0.2.1:-1", ":53", "fe80::1%eth0", "[fe80::1%eth0]:53", "[2001:db8::1]:",
     "2001:db8:0:0:0:0:0:0:1:53"],
)  # fmt: skip
def test_what_is_no_name_server(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        server(text)
    assert str(caught.value) == (
        f"{text!r} is no name server; write 192.0.2.1, 192.0.2.1:5353, 2001:db8::1 or "
        "[2001:db8::1]:5353"
    )
