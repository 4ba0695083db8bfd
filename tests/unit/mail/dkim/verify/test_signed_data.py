"""The header fields that a signature covers."""

from hashlib import sha256

import pytest

from opensmtpd.mail.dkim.canonical_header import CANONICAL, HeaderField, relaxed
from opensmtpd.mail.dkim.verify.signed_data import Fields, unsigned

HEADER = (
    b"\nDKIM-Signature: v=1; b=abc;\n\th=from"
    b"\nfrom : Alice\n\t<alice@example.com>"
    b"\nno field"
    b"\n continued"
    b"\nTo:one"
    b"\nX-Odd\xe9: no name"
    b"\nTO: two "
)


def signed(names: list[bytes], canonicalization: str, header: bytes = HEADER) -> bytes:
    """Return the digest for the topmost signature."""
    fields = Fields(header)
    return fields.digest(fields.named(b"dkim-signature")[0], names, canonicalization)


def test_fields_by_name() -> None:
    fields = Fields(HEADER)
    assert fields.named(b"to") == [(b"To", b"", b"one"), (b"TO", b"", b" two ")]
    assert fields.named(b"from") == [(b"from", b" ", b" Alice\n\t<alice@example.com>")]
    assert fields.named(b"no field") == []
    assert Fields(b"").named(b"to") == []


def test_simple() -> None:
    data = b"TO: two \r\nfrom : Alice\r\n\t<alice@example.com>\r\nTo:one\r\n"
    data += b"DKIM-Signature: v=1; b=;\r\n\th=from"
    names = [b"to", b"from", b"to", b"to", b"absent", b"from"]
    assert signed(names, "simple") == sha256(data).digest()


def test_relaxed() -> None:
    data = b"to:two\r\nfrom:Alice <alice@example.com>\r\ndkim-signature:v=1; b=; h=from"
    assert signed([b"to", b"from"], "relaxed") == sha256(data).digest()


def test_a_signature_is_none_of_the_fields_that_it_covers() -> None:
    header = b"\nDKIM-Signature: b=1\nDKIM-Signature: b=2\nDKIM-Signature: b=1"
    data = b"DKIM-Signature: b=1\r\nDKIM-Signature: b=2\r\nDKIM-Signature: b="
    assert signed([b"dkim-signature"] * 3, "simple", header) == sha256(data).digest()


@pytest.mark.parametrize(
    ("value", "left"),
    [
        (b" a=1; b=abc; c=2", b" a=1; b=; c=2"),
        (b" a=1;\n b =\n\ta\n\tb \n ; c=2", b" a=1;\n b =; c=2"),
        (b" bh=abc; a=b; b= ab=c ", b" bh=abc; a=b; b="),
        (b"b", b"b"),
    ],
)
def test_the_tag_is_emptied(value: bytes, left: bytes) -> None:
    assert unsigned((b"N", b" ", value)) == (b"N", b" ", left)


def test_a_field_is_canonicalized_once_for_all_signatures(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    def counted(field: HeaderField) -> bytes:
        made.append(field[0])
        return relaxed(field)

    monkeypatch.setitem(CANONICAL, "relaxed", counted)
    fields = Fields(HEADER)
    names = [b"to", b"to", b"from"]
    digests = {fields.digest((b"A", b"", b"b=%d" % at), names, "relaxed") for at in range(10)}
    data = b"to:two\r\nto:one\r\nfrom:Alice <alice@example.com>\r\na:b="
    assert digests == {sha256(data).digest()}
    assert sorted(made) == [b"A"] * 10 + [b"TO", b"To", b"from"]
