"""The author's domain, and what is wrong with a From field."""

import pytest

from opensmtpd.mail.dmarc.author import DOMAINS_MAX, FROM_MAX, Authors, authors

NO_DOMAIN = "From has a mailbox without a domain"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (b"\nFrom: Ann <a@Example.COM>", Authors(("example.com",))),
        (b"\nTo: b\nfrom :\n\ta@example.com\nSubject: x", Authors(("example.com",))),
        (b"\nFrom: a@example.com, b@EXAMPLE.com.", Authors(("example.com",))),
        (b"\nFrom: =?utf-8?q?x=40evil.example?= <a@example.com>", Authors(("example.com",))),
        (b'\nFrom: "x <a@junk.example>"@example.com', Authors(("example.com",))),
        (b"\nFrom: Friends: a@example.com, Bob <b@example.com>;", Authors(("example.com",))),
        (b"\nFrom: j@b\xc3\xbccher.example", Authors(("xn--bcher-kva.example",))),
        (b"\nFrom: a@[192.0.2.1]", Authors(("[192.0.2.1]",))),
        (b"", Authors((), "no From field")),
        (b"\nX-From: a@example.com", Authors((), "no From field")),
        (b"\nFrom:", Authors((), "From has no mailbox")),
        (b"\nFrom: undisclosed-recipients:;", Authors((), "From has no mailbox")),
        (b'\nFrom: "Joe User"', Authors((), NO_DOMAIN)),
        (b"\nFrom: <a@example.com", Authors((), NO_DOMAIN)),
        (b"\nFrom: a@example.com, root", Authors(("example.com",), NO_DOMAIN)),
        (
            b"\nFrom: a@example.com, b@example.net",
            Authors(("example.com", "example.net"), "From has several domains"),
        ),
        (
            b"\nFrom: a@example.com\nFrom: b@example.net",
            Authors(("example.com", "example.net"), "From has several domains"),
        ),
        (
            b"\nFrom: a@example.com\nFROM: a@example.com",
            Authors(("example.com",), "several From fields"),
        ),
        (
            b"\nFrom: a@example.com, b@" + b"x" * FROM_MAX,
            Authors((), "From has more than 16384 bytes"),
        ),
    ],
)
def test_header(header: bytes, expected: Authors) -> None:
    assert authors(header) == expected


def test_few_domains_are_kept_of_many() -> None:
    found = authors(b"\nFrom: " + b",".join(b"a@d%d.example" % n for n in range(1000)))
    assert len(found.domains) == DOMAINS_MAX
    assert found.fault == "From has several domains"


@pytest.mark.parametrize(
    "part", [b"(", b"a@b,", b"<", b'"', b"\\", b":", b"a@", b"[", b"\xc3\xbc@\xc3\xbc,"]
)
def test_hostile_fields_take_linear_time(part: bytes) -> None:
    """No clock decides: a quadratic reader would take minutes for these."""
    value = part * (FROM_MAX // len(part) - 1)
    assert authors(b"\nFrom:" + value).domains in ((), ("b",), ("xn--tda",))
    many = b"\nFrom: x" * 4000
    assert authors(many).fault == "several From fields"
