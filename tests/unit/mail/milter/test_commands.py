"""The data of commands, byte by byte as libmilter reads them."""

from ipaddress import ip_address

import pytest

from opensmtpd.mail.milter.commands import Command, chunks, connection, envelope, header_field
from opensmtpd.mail.milter.frames import DATA_MAX


def test_the_letters() -> None:
    assert b"".join(command.value for command in Command) == b"ODCHMRTLNBEAQ"


@pytest.mark.parametrize(
    ("hostname", "address", "port", "expected"),
    [
        (b"mx.example", ip_address("192.0.2.1"), 4711, b"mx.example\x004\x12\x67192.0.2.1\0"),
        (b"", ip_address("192.0.2.1"), 25, b"[192.0.2.1]\x004\0\x19192.0.2.1\0"),
        (b"", ip_address("2001:db8::1"), 65535, b"[2001:db8::1]\x006\xff\xff2001:db8::1\0"),
        (b"local\0host", ip_address("127.0.0.1"), 0, b"localhost\x004\0\x00127.0.0.1\0"),
    ],
)
def test_connections(hostname: bytes, address: object, port: int, expected: bytes) -> None:
    assert connection(hostname, address, port) == expected  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("address", "expected"),
    [(b"", b"<>\0"), (b"a@b", b"<a@b>\0"), (b"a\0@b", b"<a@b>\0")],
)
def test_envelopes(address: bytes, expected: bytes) -> None:
    assert envelope(address) == expected


def test_header_fields() -> None:
    assert header_field(b"To", b" a,\n\tb\0\xff\r") == b"To\0 a,\n\tb\xff\r\0"
    assert header_field(b"T\0o", b"") == b"To\0\0"


@pytest.mark.parametrize("name", [b"To", b"T" * (DATA_MAX - 3), b"T" * DATA_MAX])
def test_of_too_long_a_field_the_beginning(name: bytes) -> None:
    data = header_field(name, b"v" * DATA_MAX)
    assert len(data) == DATA_MAX
    assert data.count(b"\0") == 2
    assert name.startswith(data.partition(b"\0")[0])


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (b"", []),
        (b"\n", [b"\r\n"]),
        (b"a\n\n.b\n", [b"a\r\n\r\n.b\r\n"]),
        (b"x" * 65_533 + b"\n", [b"x" * 65_533 + b"\r\n"]),
        (b"x" * 65_534 + b"\ny\n", [b"x" * 65_534 + b"\r", b"\ny\r\n"]),
        (b"x" * 131_070 + b"\n", [b"x" * 65_535, b"x" * 65_535, b"\r\n"]),
    ],
)
def test_bodies(lines: bytes, expected: list[bytes]) -> None:
    assert list(chunks(lines)) == expected
