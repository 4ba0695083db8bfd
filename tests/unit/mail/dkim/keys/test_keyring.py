"""Who signs for whom."""

from collections.abc import Iterable

import pytest

from opensmtpd.mail.dkim.keys.keyring import Identity, Keyring


def names(identities: Iterable[Identity] | None) -> list[tuple[str, str]] | None:
    return None if identities is None else [(one.domain, one.selector) for one in identities]


def ring(*names: tuple[str, str]) -> Keyring:
    return Keyring(Identity(*each, "rsa-sha256", b"id") for each in names)


@pytest.mark.parametrize(
    ("domain", "expected"),
    [
        (b"example.com", "Example.COM"),
        (b"mail.example.com", "Example.COM"),
        (b"sub.example.com", "sub.example.com"),
        (b"a.b.sub.example.com", "sub.example.com"),
        (b"example.org", None),
        (b"notexample.com", None),
        (b"com", None),
        (b"", None),
        (b"[192.0.2.1]", None),
        (b"example.com.", None),
        (b"\xff.example.com", "Example.COM"),
    ],
)
def test_exact_then_nearest_parent(domain: bytes, expected: str | None) -> None:
    found_in = ring(
        *(("other.example", "mail"), ("Example.COM", "mail"), ("sub.example.com", "mail"))
    )
    found = found_in.find(domain)
    assert names(found) == (None if expected is None else [(expected, "mail")])


def test_the_first_domain() -> None:
    two = ring(("b.example", "mail"), ("a.example", "mail"))
    assert names(two.first) == [("b.example", "mail")]
    assert names(two) == [("b.example", "mail"), ("a.example", "mail")]


def test_several_identities_of_a_domain_all_sign() -> None:
    two = ring(("a.example", "rsa"), ("A.example", "ed"))
    assert names(two.find(b"a.example")) == [("a.example", "rsa"), ("A.example", "ed")]
