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
        (b"[192.0.2.5]", False),
        (b"mail.example.com", False),
        (b"", False),
    ],
)
def test_our_own_name(identity: bytes, ours: bool) -> None:
    whose = client("192.0.2.5", helo=identity)
    assert helo.is_ours(whose.helo_name, whose, {"example.com"}) is ours
