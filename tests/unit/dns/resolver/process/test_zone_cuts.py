"""The names at which the zone of a name may begin."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensmtpd.dns.resolver.process.zone_cuts import DEPTH, above

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


@pytest.mark.parametrize(
    ("name", "zones"),
    [
        ("", []),
        (".in-addr.arpa", []),
        ("in-addr.arpa", []),
        ("192.in-addr.arpa", []),
        ("a.in-addr.arpa.example", ["arpa.example", "in-addr.arpa.example"]),
        (".".join("abcdefgh"), ["g.h", "f.g.h", "e.f.g.h", "d.e.f.g.h"]),
    ],
)
def test_names_that_are_short_odd_or_long(name: str, zones: list[str]) -> None:
    assert list(above(name)[0]) == zones


@given(st.lists(st.from_regex(r"[a-z0-9_-]{1,8}", fullmatch=True), min_size=1, max_size=40),
       st.sampled_from(["", ".in-addr.arpa", ".ip6.arpa"]))  # fmt: skip
def test_few_names_are_asked_for_and_all_are_above(labels: list[str], suffix: str) -> None:
    name = ".".join(labels) + suffix
    names = list(above(name)[0])
    assert len(names) <= DEPTH == 4
    assert all(name.endswith(f".{zone}") for zone in names)
    assert len(set(names)) == len(names)
