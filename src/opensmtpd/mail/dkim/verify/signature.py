"""The tags of a signature, judged (RFC 6376 sections 3.5 and 6.1.1, RFC 8301, RFC 8463).

DKIM-Signature and ARC-Message-Signature (RFC 8617 section 4.1.2) have most of them in common.
"""

import re
from binascii import a2b_qp
from typing import NamedTuple

from opensmtpd.dns.names import NAME_MAX
from opensmtpd.errors import PermError
from opensmtpd.mail.dkim.a_label import to_a_labels
from opensmtpd.mail.dkim.canonical_header import CANONICAL
from opensmtpd.mail.dkim.keys.key import ALGORITHMS
from opensmtpd.mail.dkim.verify.tags import base64, compact, number, required, words

# Labels as RFC 6376 section 3.5 has them, and with the underscore that names in the DNS may have.
_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)(?:\.(?!-)[a-z0-9_-]{1,63}(?<!-))*")
_FIELD_NAME = re.compile(rb"[!-9;-~]+")
_TIME_DIGITS, _LENGTH_DIGITS = 12, 76  # of t= and x=, and of l=
_KEY_LABEL = "._domainkey."


class Signature(NamedTuple):
    """The values of a signature's tags."""

    algorithm: str
    """``"rsa-sha256"`` or ``"ed25519-sha256"``."""
    domain: str
    """``d=`` in lower case, with A-labels."""
    selector: str
    """``s=``, likewise."""
    header: str
    """``"simple"`` or ``"relaxed"``, the canonicalization of the header."""
    body: str
    """That of the body."""
    length: int | None
    """Octets of the canonicalized body that are signed, None for all: ``l=``."""
    body_hash: bytes
    value: bytes
    """The signature itself, ``b=``, out of its base64."""
    names: tuple[bytes, ...]
    """Names of the fields that are signed, in lower case: ``h=``."""
    expires: int | None
    """Seconds since 1970, None for never: ``x=``."""
    strict: bool = True
    """The domain of ``i=`` is that of ``d=``."""

    @property
    def key_name(self) -> str:
        """The name of the key's TXT record."""
        return self.selector + _KEY_LABEL + self.domain

    @property
    def kind(self) -> str:
        """The type of the key that belongs to the algorithm: ``"rsa"`` or ``"ed25519"``."""
        return self.algorithm.partition("-")[0]

    @classmethod
    def of(cls, tags: dict[bytes, bytes]) -> "Signature":
        """Judge the tags that DKIM and ARC have in common.

        Raises PermError for a signature that nobody can verify.
        """
        header, body = _canonicalizations(tags.get(b"c", b"simple"))
        found = cls.of_seal(tags)._replace(
            header=header,
            body=body,
            length=number(tags, b"l", _LENGTH_DIGITS),
            body_hash=base64(tags, b"bh"),
            names=_field_names(required(tags, b"h")),
        )
        methods = words(tags.get(b"q", b"dns/txt"))
        if not {b"dns/txt", b"dns"}.intersection(methods):
            raise PermError("q= knows no dns/txt")
        return found

    @classmethod
    def of_seal(cls, tags: dict[bytes, bytes]) -> "Signature":
        """Judge the tags that ARC-Seal has, too (RFC 8617 section 4.1.3): it signs no body.

        Raises PermError, as above.
        """
        found = cls(
            algorithm=_algorithm(required(tags, b"a")),
            domain=_name(tags, b"d"),
            selector=_name(tags, b"s"),
            header="relaxed",
            body="relaxed",
            length=None,
            body_hash=b"",
            value=base64(tags, b"b"),
            names=(),
            expires=_expires(tags),
        )
        if "." not in found.domain:
            raise PermError("d= is a top-level domain")
        if len(found.key_name) > NAME_MAX:
            raise PermError("no name in the DNS is so long as that of the key")
        return found

    @classmethod
    def of_dkim(cls, tags: dict[bytes, bytes]) -> "Signature":
        """Judge the tags of a DKIM-Signature field. Raises PermError, as above."""
        if required(tags, b"v") != b"1":
            raise PermError("v= is not 1")
        found = cls.of(tags)
        if b"from" not in found.names:
            raise PermError("h= without From")
        domain = identity_domain(tags) or found.domain
        if not f".{domain}".endswith(f".{found.domain}"):
            raise PermError("i= is not below d=")
        return found._replace(strict=domain == found.domain)


def identity_domain(tags: dict[bytes, bytes]) -> str | None:
    """Return the domain of ``i=`` in lower case, with A-labels; None where there is no such tag.

    Raises PermError where there is no domain in it.
    """
    value = tags.get(b"i")
    if value is None:
        return None
    _, at, domain = a2b_qp(compact(value)).rpartition(b"@")
    name = dns_name(domain) if at else None
    if name is None:
        raise PermError("i= has no domain")
    return name


def dns_name(name: bytes) -> str | None:
    """Return a name in lower case, with A-labels (RFC 8616 section 5); None for what is none."""
    if len(name) > NAME_MAX:
        return None
    try:
        found = to_a_labels(name.decode()).lower()
    except UnicodeDecodeError:
        return None
    return found if len(found) <= NAME_MAX and _NAME.fullmatch(found) else None


def _name(tags: dict[bytes, bytes], tag: bytes) -> str:
    name = dns_name(compact(required(tags, tag)))
    if name is None:
        raise PermError(f"{tag.decode('ascii')}= is no name in the DNS")
    return name


def _algorithm(value: bytes) -> str:
    for algorithm in ALGORITHMS:
        if value == algorithm.encode("ascii"):
            return algorithm
    if value == b"rsa-sha1":
        raise PermError("rsa-sha1 must not be used")  # RFC 8301 section 3.1
    raise PermError("a= is an unknown algorithm")


def _canonicalizations(value: bytes) -> tuple[str, str]:
    header, slash, body = value.decode("latin-1").partition("/")
    body = body if slash else "simple"
    if header not in CANONICAL or body not in CANONICAL:
        raise PermError("c= is an unknown canonicalization")
    return header, body


def _field_names(value: bytes) -> tuple[bytes, ...]:
    names = words(value.lower())
    if not all(map(_FIELD_NAME.fullmatch, names)):
        raise PermError("h= is no list of field names")
    return tuple(names)


def _expires(tags: dict[bytes, bytes]) -> int | None:
    made, expires = (number(tags, tag, _TIME_DIGITS) for tag in (b"t", b"x"))
    if made is not None and expires is not None and expires <= made:
        raise PermError("x= is not after t=")
    return expires
