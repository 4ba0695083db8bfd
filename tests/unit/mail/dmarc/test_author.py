"""The author's domain, and what is wrong with a From field."""

import pytest

from opensmtpd.mail.dmarc.author import (
    DOMAINS_MAX,
    FROM_MAX,
    SPECIALS_MAX,
    TOO_LARGE,
    Authors,
    authors,
)

NO_DOMAIN = "From has a mailbox without a domain"
HIDDEN = "a From field behind a carriage return"


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
        # Large, and clear all the same.
        (b"\nFrom:" + b" " * 200_000 + b"<ceo@example.com>", Authors(("example.com",))),
        (b'\nFrom: "' + b"x " * 100_000 + b'" <ceo@example.com>', Authors(("example.com",))),
        (b"\nFrom: a@example.com, b@" + b"x" * FROM_MAX, Authors((), TOO_LARGE)),
        (b"\nFrom: a@example.com" + b"," * SPECIALS_MAX, Authors((), TOO_LARGE)),
        # Domains that a mail program may show as the ones that they look like.
        (b"\nFrom: <ceo@example.com;>", Authors((), NO_DOMAIN)),
        (b"\nFrom: <ceo@example.com/>", Authors((), NO_DOMAIN)),
        (b"\nFrom: ceo@example.com\x7f", Authors((), NO_DOMAIN)),
        (b"\nFrom: ceo@example.com\xc2\xa0", Authors((), NO_DOMAIN)),
        (b"\nFrom: ceo@[example.com]", Authors((), NO_DOMAIN)),
        (b"\nFrom: ceo@" + b"x" * 64 + b".com", Authors((), NO_DOMAIN)),
        (b"\nFrom: a@[IPv6:2001:db8::1]", Authors(("[ipv6:2001:db8::1]",))),
        ("\nFrom: ceo@\uff45xample.com".encode(), Authors(("example.com",))),
        ("\nFrom: ceo@EXAMPLE\u3002com\u3002".encode(), Authors(("example.com",))),
        ("\nFrom: ceo@ex\xadam\u200b\u200c\u200dple.com".encode(), Authors(("example.com",))),
        # A carriage return alone, which some readers take for a line end.
        (
            b"\nFrom: a@example.net\nSubject: x\rFROM: ceo@example.com\rx",
            Authors(("example.net", "example.com"), HIDDEN),
        ),
        (b"\nSubject: x\rFrom\t: <ceo@example.com>", Authors(("example.com",), HIDDEN)),
        (b"\nFrom\r: ceo@example.com", Authors(("example.com",), HIDDEN)),
        (b"\nFrom: a@example.net\nSubject: x\rX-From: y", Authors(("example.net",))),
    ],
)
def test_header(header: bytes, expected: Authors) -> None:
    assert authors(header) == expected


def test_few_domains_are_kept_of_many() -> None:
    found = authors(b"\nFrom: " + b",".join(b"a@d%d.example" % n for n in range(1000)))
    assert len(found.domains) == DOMAINS_MAX
    assert found.fault == "From has several domains"


def test_domains_of_ours_are_kept_of_many() -> None:
    header = b"\nFrom: " + b",".join(b"a@d%d.example" % n for n in range(10)) + b",ceo@example.com"
    assert "example.com" not in authors(header).domains
    found = authors(header, lambda domain: domain == "example.com").domains
    assert found == ("example.com", *(f"d{n}.example" for n in range(9)))


@pytest.mark.parametrize(
    "part", [b"(", b"a@b,", b"<", b'"', b"\\", b":", b"a@", b"[", b"\xc3\xbc@\xc3\xbc,"]
)
def test_hostile_fields_take_linear_time(part: bytes) -> None:
    """No clock decides: a quadratic reader would take minutes for these."""
    value = part * (SPECIALS_MAX // 2)
    assert authors(b"\nFrom:" + value).domains in ((), ("b",), ("xn--tda",))
    many = b"\nFrom: x" * 4000
    assert authors(many).fault == "several From fields"
