"""The header fields that a signature covers, and their hash (RFC 6376 sections 3.7, 5.4.2)."""

import re
from collections.abc import Sequence
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
        canonical = CANONICAL[canonicalization]
        left: dict[bytes, list[HeaderField]] = {}
        signed = []
        for name in names:
            if name not in left:
                left[name] = [field for field in self.named(name) if field is not signature]
            if left[name]:
                signed.append(canonical(left[name].pop()))
        signed.append(canonical(unsigned(signature)))
        return sha256(b"\r\n".join(signed)).digest()


def unsigned(signature: HeaderField) -> HeaderField:
    """Return a field with nothing behind ``b=``, not even white space (RFC 6376 section 3.7)."""
    name, gap, value = signature
    return name, gap, b";".join([_emptied(spec) for spec in value.split(b";")])


def _emptied(spec: bytes) -> bytes:
    tag, equals, _ = spec.partition(b"=")
    return tag + equals if tag.strip(_WHITE) == b"b" else spec
