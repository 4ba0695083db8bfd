"""What a client may call itself in HELO."""

import pytest

from opensmtpd.mail.policy import helo
from unit.support.mail_client import client


@pytest.mark.parametrize(
    ("identity", "good"),
    [
        (b"mail.example.net", True),
        (b"MAIL.Example.NET.", True),
        (b"a-b.example", True),
        (b"[192.0.2.5]", True),
        (b"[IPv6:2001:db8::5]", True),
        (b"[IPv6:192.0.2.5]", True),
        (b"[IPV6:::ffff:192.0.2.5]", True),
        (b"[10.0.0.1]", True),  # all that a host behind NAT knows
        (b"[IPv6:fe80::1]", True),
        (b"[127.0.0.1]", True),  # what is_ours finds
        (b"[IPv6:::1]", True),
        (b"[0.0.0.0]", False),
        (b"[0.1.2.3]", False),
        (b"[IPv6:::ffff:0.0.0.0]", False),
        (b"[224.0.0.1]", False),
        (b"[240.0.0.1]", False),
        (b"[255.255.255.255]", False),
        (b"[IPv6:ff02::1]", False),
        (b"xn--bcher-kva.example", True),
        (b"my_host.example", True),
        (b"localhost", False),
        (b"DESKTOP-1", False),
        (b"-.-", False),
        (b"a-.example", False),
        (b"-a.example", False),
        (b"a.example-", False),
        ("\u017f.example".encode(), False),  # a long s: some call it a letter of ASCII's
        (b"192.0.2.5", False),
        (b"2001:db8::5", False),
        (b"[192.0.2.256]", False),
        (b"[mail.example.net]", False),
        (b"", False),
        (b".", False),
        (b"a..b", False),
        (b"a b.example", False),
        (b"a|b.example", False),
        (b"b\xfccher.example", False),
        (b"a." * 130 + b"example", False),
    ],
)
def test_a_host_name(identity: bytes, good: bool) -> None:
    assert helo.is_name(client("192.0.2.5", helo=identity).helo_name) is good


@pytest.mark.parametrize(
    ("identity", "ours"),
    [
        (b"example.com", True),
        (b"EXAMPLE.com.", True),
        (b"[192.168.0.1]", True),
        (b"192.168.0.1", True),
        (b"[IPv6:::ffff:192.168.0.1]", True),
        (b"[127.0.0.1]", True),
        (b"127.0.0.1", True),
        (b"[127.255.0.9]", True),
        (b"[IPv6:127.0.0.1]", True),
        (b"[IPv6:::ffff:127.0.0.1]", True),
        (b"[IPv6:::1]", True),
        (b"[::1]", True),
        (b"[0.0.0.0]", True),
        (b"[IPv6:::]", True),
        (b"localhost", True),
        (b"LocalHost.", True),
        (b"localhost.localdomain", True),
        (b"localhost6.localdomain6", True),
        (b"mail.localhost", True),
        (b"[203.0.113.9]", True),
        (b"203.0.113.9", True),
        (b"[IPv6:2001:DB8:0:0::9]", True),
        (b"[192.0.2.5]", False),
        (b"[192.0.2.6]", False),
        (b"[192.168.0.2]", False),
        (b"[10.0.0.1]", False),
        (b"[IPv6:fe80::1]", False),
        (b"localhost.example.net", False),
        (b"notlocalhost", False),
        (b"mail.example.com", False),
        (b"", False),
    ],
)
def test_our_own_name(identity: bytes, ours: bool) -> None:
    whose = client("192.0.2.5", helo=identity)
    names = {"example.com", "203.0.113.9", "[ipv6:2001:db8::9]"}
    assert helo.is_ours(whose.helo_name, whose, names) is ours
