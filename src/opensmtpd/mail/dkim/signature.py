"""The DKIM-Signature field (RFC 6376 section 3.5), and those of ARC that have its form.

Tags, their order and their folding are those of the C filter-dkimsign, so that signatures with RSA
are equal byte for byte.
"""

import re
from base64 import b64encode
from hashlib import sha256
from itertools import accumulate, pairwise
from typing import NamedTuple, TypeAlias

from opensmtpd.mail.dkim.canonical_header import relaxed_value
from opensmtpd.mail.dkim.folding import Folding
from opensmtpd.mail.dkim.keys.keyring import Identity

FORMS_MAX, NAMES_MAX = 512, 24
"""The forms that all templates of a signer keep, and the names in ``h=`` of one that is kept: a
client chooses which fields a message has, and how often.
"""
_HOLE = b"\0" * len(b64encode(sha256().digest()))
"""Stands for the digest of a body: no tag holds such bytes."""
_HOLES = re.compile(rb"\0+")


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
        self,
        identity: Identity,
        header: str,
        body: str,
        instance: int | None = None,
        forms: "Forms | None" = None,
    ) -> None:
        """``header`` and ``body`` are the names of the canonicalizations.

        An ``instance`` makes it an ARC-Message-Signature (RFC 8617 section 4.1.2). ``forms`` are
        those of all templates of a signer; None for a template of one message.
        """
        algorithm, selector = f"a={identity.algorithm}", f"s={identity.selector}"
        canonical = f"c={header}/{body}"
        if instance is None:
            self._start = begin("DKIM-Signature", "v=1", algorithm, canonical, selector)
        else:
            number = f"i={instance}"
            self._start = begin("ARC-Message-Signature", number, algorithm, selector, canonical)
        self._domain = b" d=%s;" % identity.domain.encode("ascii")
        self._relaxed = header == "relaxed"
        self._forms = forms

    def prepare(self, covered: Covered) -> Unsigned:
        """Write the field up to its signature."""
        names, forms = covered.names, self._forms
        differs = covered.copies is not None or covered.times or len(names) > NAMES_MAX
        if forms is None or differs:
            return unsigned(self.written(covered), covered.data, self._relaxed)
        # The fast path: most messages differ in the digest of their body alone, and all digests
        # are of one length, so that the field is folded at the same places.
        key = (self, *names)
        form = forms.get(key)
        if form is None:
            if len(forms) >= FORMS_MAX:
                forms.clear()
            form = forms[key] = _Form.of(self.written(covered, _HOLE), self._relaxed)
        return form.filled(covered)

    def written(self, covered: Covered, digest: bytes | None = None) -> Folding:
        """Return the field, complete up to ``b=``; ``digest`` stands in it instead of the body's.

        That is in base64.
        """
        field = self._start.copy()
        if covered.copies is not None:
            field.piece(b" z=")
            field.run(covered.copies + b";")
        for tag in covered.times:
            field.piece(b" %s;" % tag)
        if digest is None:
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
        return field


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
    text = _signed(field.text(), relaxed)
    return Unsigned(sha256(data + text).digest(), field)


def _signed(text: bytes, relaxed: bool) -> bytes:
    """Return the text of a field, folded up to ``b=``, as it is signed."""
    if not relaxed:
        return text
    name, _, value = text.partition(b":")
    return name.lower() + b":" + relaxed_value(value.replace(b"\r\n", b"\n"))


class _Form(NamedTuple):
    """A field that lacks the digest of a body, too: ``%`` puts the parts of that in."""

    text: bytes
    signed: bytes
    """The text as it is signed."""
    cuts: list[slice]
    """The parts of the digest: it may be folded."""
    column: int

    @classmethod
    def of(cls, field: Folding, relaxed: bool) -> "_Form":
        """Return the form of a field that has _HOLE in the place of the digest."""
        text = field.text()
        ends = accumulate(map(len, _HOLES.findall(text)), initial=0)
        cuts = [slice(*each) for each in pairwise(ends)]
        return cls(_holed(text), _holed(_signed(text, relaxed)), cuts, field.column)

    def filled(self, covered: Covered) -> Unsigned:
        """Return the field with the digest of a body, signed behind what it covers."""
        digest = b64encode(covered.body)
        parts = tuple([digest[cut] for cut in self.cuts])
        signed = sha256(covered.data + self.signed % parts)
        return Unsigned(signed.digest(), Folding(self.text % parts, self.column))


Forms: TypeAlias = dict[tuple[object, ...], _Form]
"""Forms of several templates, by the template and the names in ``h=``."""


def _holed(text: bytes) -> bytes:
    """Return text with ``%b`` in the place of each part of _HOLE."""
    return _HOLES.sub(b"%b", text.replace(b"%", b"%%"))
