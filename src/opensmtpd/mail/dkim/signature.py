"""The DKIM-Signature field (RFC 6376 section 3.5), and those of ARC that have its form.

Tags, their order and their folding are those of the C filter-dkimsign, so that signatures with RSA
are equal byte for byte.
"""

from base64 import b64encode
from hashlib import sha256
from typing import NamedTuple

from opensmtpd.mail.dkim.canonical_header import relaxed_value
from opensmtpd.mail.dkim.folding import Folding
from opensmtpd.mail.dkim.keys.keyring import Identity


class Covered(NamedTuple):
    """The data that a signature covers, and the tags that belong to it."""

    data: bytes
    """The canonicalized header fields, each with its line end."""
    names: list[bytes]
    """Their names for ``h=``, in the same order; at least one."""
    body: bytes
    """The digest of the canonicalized body."""
    copies: bytes | None
    """The value of ``z=``, None for no such tag."""
    times: tuple[bytes, ...]
    """The tags ``t=`` and ``x=``, where wanted."""


class Unsigned(NamedTuple):
    """A field that lacks nothing but its signature."""

    digest: bytes
    """The SHA-256 digest that is to be signed, whatever the algorithm (RFC 8463 section 3)."""
    field: Folding

    def lines(self, signature: bytes) -> list[bytes]:
        """Return the lines of the field, without line ends."""
        signed = self.field.copy()
        signed.run(b64encode(signature))
        return signed.text().split(b"\r\n")


class Template:
    """The field for one identity: what is the same in every message is made once."""

    def __init__(
        self, identity: Identity, header: str, body: str, instance: int | None = None
    ) -> None:
        """``header`` and ``body`` are the names of the canonicalizations.

        An ``instance`` makes it an ARC-Message-Signature (RFC 8617 section 4.1.2).
        """
        algorithm, selector = f"a={identity.algorithm}", f"s={identity.selector}"
        forms = f"c={header}/{body}"
        if instance is None:
            self._start = begin("DKIM-Signature", "v=1", algorithm, forms, selector)
        else:
            number = f"i={instance}"
            self._start = begin("ARC-Message-Signature", number, algorithm, selector, forms)
        self._domain = b" d=%s;" % identity.domain.encode("ascii")
        self._relaxed = header == "relaxed"

    def prepare(self, covered: Covered) -> Unsigned:
        """Write the field up to its signature."""
        field = self._start.copy()
        if covered.copies is not None:
            field.piece(b" z=")
            field.run(covered.copies + b";")
        for tag in covered.times:
            field.piece(b" %s;" % tag)
        digest = b64encode(covered.body)
        field.piece(b" bh=" + digest[:1])
        field.run(digest[1:] + b";")
        *names, last = covered.names
        tag = b" h="
        for name in names:
            field.piece(tag + name + b":")
            tag = b""
        field.piece(tag + last + b";")
        field.piece(self._domain)
        field.piece(b" b=")
        return unsigned(field, covered.data, self._relaxed)


def begin(name: str, *tags: str) -> Folding:
    """Return a field with its first tags."""
    field = Folding()
    field.piece(name.encode("ascii") + b":")
    for tag in tags:
        field.piece(b" %s;" % tag.encode("ascii"))
    return field


def unsigned(field: Folding, data: bytes, relaxed: bool) -> Unsigned:
    """Return a field, complete up to ``b=``, that is to sign itself behind ``data``.

    ``relaxed`` is the canonicalization that it is signed in.
    """
    text = field.text()
    if relaxed:
        name, _, value = text.partition(b":")
        text = name.lower() + b":" + relaxed_value(value.replace(b"\r\n", b"\n"))
    return Unsigned(sha256(data + text).digest(), field)
