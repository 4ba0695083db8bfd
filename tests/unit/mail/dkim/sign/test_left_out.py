"""The fields that no signature may cover."""

import pytest

from opensmtpd.mail.dkim.canonical_header import HeaderField
from opensmtpd.mail.dkim.sign.left_out import left_out

FROM = (b"From", b"", b" a@example.com")
BARE = "a bare address, which smtpd will complete"
BLANK = "blanks before the colon: smtpd may add another field of this name below it"
WHITE = "CR, VT or FF, which verifiers do not canonicalize alike"


def of(*fields: HeaderField, canonicalization: str = "relaxed") -> dict[bytes, str]:
    return left_out([FROM, *fields], canonicalization)


def test_plain_fields_stay() -> None:
    assert of((b"Date", b"", b" x"), (b"To", b"", b" a@example.com"), (b"Subject", b" ", b"")) == {}


def test_one_field_of_a_name_is_enough() -> None:
    assert of((b"To", b"", b" a@b"), (b"TO", b"", b" root")) == {b"to": BARE}
    assert of((b"Subject", b"", b" x"), (b"subject", b"", b" \v")) == {b"subject": WHITE}


def test_a_name_with_a_blank_is_not_completed() -> None:
    assert of((b"To", b"\t", b" root")) == {}


@pytest.mark.parametrize("gap", [b" ", b"\t", b" \t "])
@pytest.mark.parametrize("name", [b"Date", b"message-id"])
@pytest.mark.parametrize("canonicalization", ["simple", "relaxed"])
def test_smtpd_does_not_know_a_name_with_a_blank(
    name: bytes, gap: bytes, canonicalization: str
) -> None:
    odd, plain = (name, gap, b" x"), (name.upper(), b"", b" x")
    assert of(odd, canonicalization=canonicalization) == {name.lower(): BLANK}
    assert of(odd, odd, canonicalization=canonicalization) == {name.lower(): BLANK}
    assert of(odd, plain, canonicalization=canonicalization) == {}
    assert of(plain, odd, canonicalization=canonicalization) == {}


def test_odd_white_space_counts_in_relaxed_only() -> None:
    field = (b"Subject", b"", b" a\rb")
    assert of(field, canonicalization="simple") == {}
    assert of(field, canonicalization="relaxed") == {b"subject": WHITE}


def test_from_is_covered_whatever_it_holds() -> None:
    assert left_out([(b"FROM", b"", b"\f a@example.com\r")], "relaxed") == {}
