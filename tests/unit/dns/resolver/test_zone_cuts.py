"""The names at which the zone of a name may begin."""

import pytest

from opensmtpd.dns.resolver.zone_cuts import above

NIBBLES = ".".join(reversed("20010db8000000000000000000000005"))


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
