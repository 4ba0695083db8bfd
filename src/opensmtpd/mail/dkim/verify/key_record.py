"""Public keys as the DNS publishes them (RFC 6376 sections 3.6.1 and 6.1.2, RFC 8463 section 4)."""

from collections.abc import Iterable
from itertools import islice
from typing import NamedTuple

from opensmtpd.errors import PermError
from opensmtpd.mail.dkim.verify.tags import base64, compact, tag_list, words

_KINDS = {b"rsa": "rsa", b"ed25519": "ed25519"}
_ED25519_SIZE = 32
_RECORDS_MAX = 10
"""Records of a name that are read: an answer may have thousands, and all take time."""


class PublicKey(NamedTuple):
    """A key record that fits."""

    kind: str
    """``"rsa"`` or ``"ed25519"``."""
    data: bytes
    """RSA: a SubjectPublicKeyInfo or an RSAPublicKey (PKCS #1) in DER, not yet looked at.

    Ed25519: the 32 octets.
    """
    testing: bool
    """The domain tests DKIM: its mail is as good and as bad as unsigned mail (``t=y``)."""
    strict: bool
    """The domain of ``i=`` must be that of ``d=`` (``t=s``)."""

    @classmethod
    def of(cls, record: bytes, kind: str) -> "PublicKey":
        """Read a record, for a signature with a key of this kind and SHA-256.

        Raises PermError for a record that has no key for it.
        """
        tags = tag_list(record)
        # Where it stands, v= is the first tag.
        if b"v" in tags and (next(iter(tags)) != b"v" or tags[b"v"] != b"DKIM1"):
            raise PermError("the key record is not of version DKIM1")
        if compact(tags.get(b"p", b"-")) == b"":
            raise PermError("the key is revoked")
        if _KINDS.get(tags.get(b"k", b"rsa")) != kind:
            raise PermError("the key is for another algorithm")
        if b"h" in tags and b"sha256" not in words(tags[b"h"]):
            raise PermError("the key is not for sha256")
        if not {b"*", b"email"}.intersection(words(tags.get(b"s", b"*"))):
            raise PermError("the key is not for mail")
        try:
            data = base64(tags, b"p")
        except PermError as error:
            raise PermError(f"the key record: {error}") from None
        if kind == "ed25519" and len(data) != _ED25519_SIZE:
            raise PermError("the key is not of the length of an Ed25519 key")
        flags = words(tags.get(b"t", b""))
        return cls(kind, data, b"y" in flags, b"s" in flags)


def choose(records: Iterable[str], kind: str) -> PublicKey:
    """Return the first key that fits, of the first ten TXT records of one name.

    ``records`` have a character for each octet. RFC 6376 section 3.6.2.2 leaves open which of
    several counts. Raises PermError, the reason of the first record, where none fits.
    """
    first: PermError | None = None
    for record in islice(records, _RECORDS_MAX):
        try:
            return PublicKey.of(record.encode("latin-1"), kind)
        except PermError as error:
            first = first or error
    raise first or PermError("no key")


class ChosenKeys:
    """The keys of one message: an answer is read once, however many signatures ask for it."""

    def __init__(self) -> None:
        self._chosen: dict[tuple[str, str], PublicKey | str] = {}
        """By name and kind: a key, or the reason why there is none."""

    def choose(self, name: str, records: Iterable[str], kind: str) -> PublicKey:
        """Return what ``choose`` does; ``records`` are those of ``name``. Raises PermError."""
        chosen = self._chosen.get((name, kind))
        if chosen is None:
            try:
                chosen = choose(records, kind)
            except PermError as error:
                chosen = str(error)
            self._chosen[name, kind] = chosen
        if isinstance(chosen, str):
            raise PermError(chosen)
        return chosen
