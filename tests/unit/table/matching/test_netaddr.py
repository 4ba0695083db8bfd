"""Addresses and networks, as ``text_to_netaddr`` and OpenBSD's inet_net_pton(3) read them."""

from contextlib import suppress

import pytest

from opensmtpd.table.matching.netaddr import Netaddrs, netaddr_candidates, read_network


def found(row: str, key: str) -> bool:
    index = Netaddrs()
    with suppress(ValueError):  # it still matches the same text
        index.add(row)
    return index.find(key) == row


@pytest.mark.parametrize(
    ("row", "key"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("10.0.0.0/8", "10.9.8.7"),
        ("10.1.2.3/8", "10.9.8.7"),  # bits of the host do not count
        ("10/8", "10.9.8.7"),
        ("10.1/16", "10.1.8.7"),
        ("10", "10.9.8.7"),
        ("172.16", "172.16.8.7"),
        ("192.168", "192.168.0.9"),
        ("192.168.7", "192.168.7.9"),
        ("0xc0a80101", "192.168.1.1"),
        ("0X0A1/12", "10.16.0.1"),
        ("010.001.000.001/032", "10.1.0.1"),
        ("0/0", "255.1.2.3"),
        ("224.0.0.1", "224.0.0.1"),
        ("IPv6:10.0.0.0/8", "10.1.1.1"),
        ("[2001:db8::1]", "[2001:db8::1]"),
        ("2001:db8::1", "[2001:db8::1]"),
        ("[2001:DB8:0:0::1]", "[2001:db8::1]"),
        ("[2001:db8::/32]", "[2001:db8:1::1]"),
        ("2001:db8::/32", "[2001:db8:1::1]"),
        ("[2001:db8::7/31]", "[2001:db9::1]"),
        ("IPv6:2001:db8::/32", "[2001:db8::1]"),
        ("[IPv6:2001:db8::/32]", "ipv6:[ipv6:2001:db8::1]"),
        ("2001:db8::/+32", "2001:db8::1"),
        ("::/0", "[::1]"),
        ("::ffff:0:0/96", "[::ffff:10.0.0.1]"),
        ("Local", "local"),
        ("[fe80::1%eth0]", "[fe80::1%eth0]"),
    ],
)
def test_matches(row: str, key: str) -> None:
    assert found(row, key)


@pytest.mark.parametrize(
    ("row", "key"),
    [
        ("10.0.0.1", "10.0.0.2"),
        ("10.0.0.0/24", "10.0.1.0"),
        ("192.168", "192.168.1.9"),
        ("224.0.0.1", "224.0.0.2"),  # it would with glibc's inet_net_pton
        ("10.0.0.0/8", "[::ffff:10.0.0.1]"),
        ("::ffff:10.0.0.0/104", "10.0.0.1"),
        ("0.0.0.0/0", "[::1]"),
        ("::/0", "10.0.0.1"),
        ("::/0", "local"),
        ("::/0", "[fe80::1%eth0]"),
        ("10.0.0.0/33", "10.0.0.0"),
        ("10.0.0.0/4294967304", "10.0.0.0"),
        ("10.0.0.0/", "10.0.0.0"),
        ("10.0.0.0/ 8", "10.0.0.0"),
        ("10.", "10.0.0.0"),
        ("10.0.0.0.0/8", "10.0.0.0"),
        ("10.0.0.256/8", "10.0.0.0"),
        ("0x/8", "0.0.0.0"),
        ("0x0a0000001", "10.0.0.0"),
        ("[10.0.0.1]", "10.0.0.1"),
        ("[2001:db8::]/32", "[2001:db8::1]"),
        ("[2001:db8::/32", "[2001:db8::1]"),
        ("2001:db8::/129", "[2001:db8::]"),
        ("2001:db8::/-1", "[2001:db8::]"),
        ("2001:db8::/32/", "[2001:db8::]"),
        ("::01.2.3.4", "[::1.2.3.4]"),
        ("IPv6:IPv6:::1", "[::1]"),
        ("::1/" + "0" * 45 + "128", "[::1]"),
    ],
)
def test_does_not_match(row: str, key: str) -> None:
    assert not found(row, key)


def test_the_longest_prefix_wins() -> None:
    rows = ["10.0.0.1", "10.0.0.1/32", "10.0.0.9/30", "10.0.0.0/24", "10/8", "0/0"]
    index = Netaddrs()
    for row in reversed(rows):
        index.add(row)
    keys = ["10.0.0.1", "10.0.0.2", "10.0.0.10", "10.2.2.2", "1.1.1.1"]
    found = ["10.0.0.1", "10.0.0.0/24", "10.0.0.9/30", "10/8", "0/0"]
    assert [index.find(key) for key in keys] == found
    assert index.find("10.0.0.0/24") == "10.0.0.0/24"  # the literal row first


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("10", (32, 10 << 24, 8)),
        ("127.1", (32, 0x7F010000, 16)),
        ("128", (32, 128 << 24, 16)),
        ("192", (32, 192 << 24, 24)),
        ("224", (32, 224 << 24, 8)),
        ("240", (32, 240 << 24, 32)),
        ("2001:db8::ff/128", (128, 0x20010DB80000000000000000000000FF, 128)),
        ("2001:db8::ff/33", (128, 0x20010DB8 << 96, 33)),  # no byte behind the prefix is read
    ],
)
def test_networks(text: str, network: tuple[int, int, int]) -> None:
    assert read_network(text) == network


@pytest.mark.parametrize("row", ["10.0.0.0/33", "[2001:db8::]/32", "example.org/8", "/"])
def test_a_network_that_is_none_is_said_to_be_none(row: str) -> None:
    with pytest.raises(ValueError, match=r"no network"):
        Netaddrs().add(row)


def test_candidates_of_an_ipv4_address() -> None:
    rows = list(netaddr_candidates("10.255.0.3"))
    assert rows[:3] == ["10.255.0.3/32", "10.255.0.2/31", "10.255.0.0/30"]
    assert rows[24:27] == ["10.0.0.0/8", "10.0.0.0/7", "8.0.0.0/6"]
    assert rows[-1] == "0.0.0.0/0"
    assert len(rows) == 33


def test_candidates_of_an_ipv6_address() -> None:
    rows = list(netaddr_candidates("[2001:db8::1]"))
    assert rows[:4] == ["2001:db8::1", "[2001:db8::1/128]", "2001:db8::1/128", "[2001:db8::/127]"]
    assert "[2001:db8::/32]" in rows
    assert rows[-2:] == ["[::/0]", "::/0"]
    assert len(rows) == 1 + 2 * 129


def test_candidates_of_an_unusual_spelling() -> None:
    assert next(netaddr_candidates("ipv6:10.0.0.1")) == "10.0.0.1"
    assert list(netaddr_candidates("ipv6:[::1]"))[:2] == ["[::1]", "::1"]


@pytest.mark.parametrize("key", ["", "local", "[fe80::1%eth0]", "10.0.0.1\0", "::1\n", "\xb2"])
def test_no_candidates_of_what_is_no_address(key: str) -> None:
    assert list(netaddr_candidates(key)) == []
