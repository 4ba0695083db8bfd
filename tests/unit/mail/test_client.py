"""A client, as smtpd reports it."""

from ipaddress import ip_address

import pytest

from opensmtpd.mail.client import host, rdns
from unit.support.mail_client import client


@pytest.mark.parametrize(
    ("end", "address"),
    [
        (b"192.0.2.5:4711", "192.0.2.5"),
        (b"[2001:db8::5]:25", "2001:db8::5"),
        (b"[::ffff:192.0.2.5]:25", "192.0.2.5"),
        (b"unix:/var/run/smtpd.sock", None),
        (b"", None),
        (b"local", None),
    ],
)
def test_the_address(end: bytes, address: str | None) -> None:
    assert host(end) == (None if address is None else ip_address(address))


@pytest.mark.parametrize(
    ("told", "name"),
    [
        (b"Mail.Example.NET", "mail.example.net"),
        (b"mail.example.net.", "mail.example.net"),
        (b"<unknown>", None),
        (b"", ""),
        (b"192.0.2.5", None),
        (b"2001:db8::5", None),
        (b"a|b c", "a|b c"),
        (b"b\xff", "b\\xff"),
    ],
)
def test_the_name(told: bytes, name: str | None) -> None:
    assert rdns(told) == name


@pytest.mark.parametrize(
    ("sender", "domain"),
    [
        (b"bob@Example.NET", "example.net"),
        (b"bob@example.net.", "example.net"),
        (b'"a@b"@example.net', "example.net"),
        (b"", None),
        (None, None),
        (b"bob", None),
        (b"bob@", None),
    ],
)
def test_the_sender_domain(sender: bytes | None, domain: str | None) -> None:
    assert client("192.0.2.5")._replace(sender=sender).domain == domain


def test_a_local_client() -> None:
    assert client("127.0.0.1").local
    assert client("::1").local
    assert client("192.168.0.1").local
    assert client("192.0.2.5")._replace(address=None).local
    assert not client("192.0.2.5").local
