"""A client, as smtpd reports it."""

from ipaddress import ip_address

import pytest

from opensmtpd.filter import Session
from opensmtpd.mail.client import MAPPED, Client, host, rdns
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


@pytest.mark.parametrize(
    ("name", "told", "source", "verdict"),
    [
        (b"<unknown>", "fail", b"[::ffff:192.0.2.5]:4711", MAPPED),
        (b"<unknown>", "error", b"[::ffff:c000:205]:4711", MAPPED),
        (b"192.0.2.5", "fail", b"[::ffff:192.0.2.5]:4711", MAPPED),
        (b"<unknown>", "pass", b"[::ffff:192.0.2.5]:4711", "pass"),
        (b"mx.example", "fail", b"[::ffff:192.0.2.5]:4711", "fail"),
        (b"<unknown>", "fail", b"192.0.2.5:4711", "fail"),
        (b"<unknown>", "fail", b"[2001:db8::5]:4711", "fail"),
        (b"<unknown>", "fail", b"[::192.0.2.5]:4711", "fail"),
        (b"<unknown>", "fail", b"[64:ff9b::c000:205]:4711", "fail"),
        (b"<unknown>", "fail", b"[fe80::1%eth0]:4711", "fail"),
        (b"<unknown>", "error", b"unix:/var/run/smtpd.sock", "error"),
    ],
)
def test_smtpd_finds_no_name_for_a_mapped_address(
    name: bytes, told: str, source: bytes, verdict: str
) -> None:
    session = Session("0" * 16)
    session.rdns, session.fcrdns = name, told
    session.source, session.destination = source, b"192.168.0.1:25"
    found = Client.of(session)
    assert (found.fcrdns, found.address) == (verdict, host(source))
