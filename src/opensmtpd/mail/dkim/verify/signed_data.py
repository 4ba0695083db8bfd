"""The header fields that a signature covers, and their hash (RFC 6376 sections 3.7, 5.4.2)."""

import re
from collections.abc import Iterator, Sequence
from hashlib import sha256

from opensmtpd.mail.dkim.canonical_header import CANONICAL, HeaderField

# As in canonical_header, and linear for the same reasons.
_FIELD = re.compile(rb"\n([!-9;-~]++)([ \t]*+):([^\n]*(?:\n[ \t][^\n]*)*)")
_WHITE = b" \t\n"


class Fields:
    """The fields of a header, by their names. Lines that are no part of a field are left out."""

    def __init__(self, header: bytes) -> None:
        """Take a header, each of its lines behind a line feed."""
        self._named: dict[bytes, list[HeaderField]] = {}
        for field in _FIELD.findall(header):
            self._named.setdefault(field[0].lower(), []).append(field)
        self._canonical: dict[tuple[str, HeaderField], bytes] = {}

    def named(self, name: bytes) -> list[HeaderField]:
        """Return the fields of a name in lower case, from top to bottom."""
        return self._named.get(name, [])

    def digest(
        self, signature: HeaderField, names: Sequence[bytes], canonicalization: str
    ) -> bytes:
        """Return the SHA-256 digest of what is signed, the tag ``b=`` of the signature left out.

        ``names``, in lower case, are those of ``h=``. One that stands there more often than there
        are such fields stands for nothing; the signature itself is none of them.
        """
        left: dict[bytes, Iterator[HeaderField]] = {}
        data = sha256()
        for name in names:
            for field in left.setdefault(name, reversed(self.named(name))):
                if field is not signature:
                    data.update(self._form(field, canonicalization) + b"\r\n")
                    break
        data.update(CANONICAL[canonicalization](unsigned(signature)))
        return data.digest()

    def _form(self, field: HeaderField, canonicalization: str) -> bytes:
        """Return a field in its canonical form, made once: many signatures may cover it."""
        key = canonicalization, field
        if key not in self._canonical:
            self._canonical[key] = CANONICAL[canonicalization](field)
        return self._canonical[key]


def unsigned(signature: HeaderField) -> HeaderField:
    """Return a field with nothing behind ``b=``, not even white space (RFC 6376 section 3.7)."""
    name, gap, value = signature
    return name, gap, b";".join([_emptied(spec) for spec in value.split(b";")])


def _emptied(spec: bytes) -> bytes:
    tag, equals, _ = spec.partition(b"=")
    return tag + equals if tag.strip(_WHITE) == b"b" else spec
