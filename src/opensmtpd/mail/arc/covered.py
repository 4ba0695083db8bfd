"""The data that the seals of a chain cover (RFC 8617 section 5.1.1)."""

from collections.abc import Sequence
from hashlib import sha256

from opensmtpd.mail.arc.chain import ArcSet
from opensmtpd.mail.dkim.canonical_header import HeaderField, relaxed
from opensmtpd.mail.dkim.verify.signed_data import unsigned


def seal_digests(sets: Sequence[ArcSet]) -> list[bytes]:
    """Return the SHA-256 digest that the seal of each set signs; ``sets`` are from 1 upwards.

    Each field is canonicalized once, however many seals cover it.
    """
    data = sha256()
    digests = []
    for one in sets:
        data.update(lines(one.results.field, one.message.field))
        whole = data.copy()
        whole.update(relaxed(unsigned(one.seal.field)))
        digests.append(whole.digest())
        data.update(lines(one.seal.field))
    return digests


def lines(*fields: HeaderField) -> bytes:
    """Return fields in "relaxed" canonicalization, each with its line end."""
    return b"".join([relaxed(field) + b"\r\n" for field in fields])
