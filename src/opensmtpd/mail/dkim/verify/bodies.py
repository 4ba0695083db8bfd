"""The body hashes of one message, for all its signatures: the body is canonicalized once.

DKIM and ARC share them. RFC 6376 section 3.7.
"""

from hashlib import sha256

from opensmtpd.mail.dkim.canonical_body import RelaxedBody, SimpleBody

HASHES_MAX = 4
"""Different hashes of one message, at most."""


class BodyHash:
    """The hash of a canonicalized body, or of its first octets."""

    __slots__ = ("_hash", "_left", "digest", "length", "octets")

    digest: bytes
    """The SHA-256 digest; there is one after ``BodyHashes.end``."""

    def __init__(self, length: int | None) -> None:
        """``length`` is the number of octets that count, None for all."""
        self.length = length
        self.octets = 0
        """Octets of the whole canonicalized body so far."""
        self._hash = sha256()
        self._left = length or 0

    def update(self, data: bytes) -> None:
        """Take the next octets of the canonicalized body."""
        self.octets += len(data)
        if self.length is None:
            self._hash.update(data)
        elif self._left:
            self._hash.update(data[: self._left])
            self._left -= min(self._left, len(data))

    def end(self) -> None:
        """Take the digest."""
        self.digest = self._hash.digest()


class _Form:
    """A body in one canonicalization, and its hashes."""

    def __init__(self, canonicalization: str) -> None:
        body = RelaxedBody if canonicalization == "relaxed" else SimpleBody
        self.body = body(self._update)
        self.hashes: dict[int | None, BodyHash] = {}

    def _update(self, data: bytes) -> None:
        for one in self.hashes.values():
            one.update(data)

    def end(self) -> None:
        self.body.end()
        for one in self.hashes.values():
            one.end()


class BodyHashes:
    """All hashes that are wanted of a body. Say which before its first line comes."""

    def __init__(self) -> None:
        self._forms: dict[str, _Form] = {}

    def want(self, canonicalization: str, length: int | None) -> BodyHash | None:
        """Return the hash for ``"simple"`` or ``"relaxed"`` and ``l=``, None for no such tag.

        Returns None where there are ``HASHES_MAX`` others.
        """
        form = self._forms.get(canonicalization)
        found = form.hashes.get(length) if form else None
        if found is not None:
            return found
        if sum(len(each.hashes) for each in self._forms.values()) == HASHES_MAX:
            return None
        form = self._forms.setdefault(canonicalization, form or _Form(canonicalization))
        return form.hashes.setdefault(length, BodyHash(length))

    def feed(self, lines: list[bytes]) -> None:
        """Take the next run of body lines, without line ends and without dot-stuffing."""
        for form in self._forms.values():
            form.body.feed(lines)

    def end(self) -> None:
        """Finish all hashes; the last call."""
        for form in self._forms.values():
            form.end()
