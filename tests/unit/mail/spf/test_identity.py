"""Which domain and sender a check is about."""

import pytest

from opensmtpd.mail.spf.identity import helo_identity, mail_from_identity


@pytest.mark.parametrize(
    ("sender", "expected"),
    [
        (b"alice@example.org", ("example.org", "alice@example.org")),
        (b"Alice@EXAMPLE.org.", ("example.org", "Alice@example.org")),
        (b"", ("mx.example.net", "postmaster@mx.example.net")),
        (b"@example.org", ("example.org", "postmaster@example.org")),
        (b"root", ("", "root@")),
        (b'"a@b"@example.org', ("example.org", '"a@b"@example.org')),
        ("jörg@bücher.example".encode(), ("xn--bcher-kva.example", "jÃ¶rg@xn--bcher-kva.example")),
        (b"a@b\xff.example", ("b\xff.example", "a@b\xff.example")),
        (b"a@", ("", "a@")),
    ],
)
def test_mail_from(sender: bytes, expected: tuple[str, str]) -> None:
    assert mail_from_identity(sender, b"MX.example.net.") == expected


@pytest.mark.parametrize(
    ("helo", "expected"),
    [
        (b"MX.Example.net", ("mx.example.net", "postmaster@mx.example.net")),
        (b"[192.0.2.1]", ("[192.0.2.1]", "postmaster@[192.0.2.1]")),
        (b"", ("", "postmaster@")),
        ("bücher.example".encode(), ("xn--bcher-kva.example", "postmaster@xn--bcher-kva.example")),
    ],
)
def test_helo(helo: bytes, expected: tuple[str, str]) -> None:
    assert helo_identity(helo) == expected
