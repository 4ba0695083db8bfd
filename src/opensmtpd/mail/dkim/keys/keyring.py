"""The identities that sign for a domain. Nothing here knows a private key."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple


class Identity(NamedTuple):
    """A domain with a selector, and the key that is published under the two."""

    domain: str
    """As it was configured, but with A-labels: ``d=`` repeats it letter by letter."""
    selector: str
    algorithm: str
    """``"rsa-sha256"`` or ``"ed25519-sha256"``, the ``a=`` tag."""
    key: bytes
    """``Key.id`` of the key, by which a worker finds it."""


class Keyring:
    """Identities in order, found by domain."""

    def __init__(self, identities: Iterable[Identity]) -> None:
        """Take at least one identity; several of one domain all sign."""
        self._by_domain: dict[bytes, list[Identity]] = {}
        for identity in identities:
            name = identity.domain.lower().encode("ascii")
            self._by_domain.setdefault(name, []).append(identity)

    def __iter__(self) -> Iterator[Identity]:
        return (identity for group in self._by_domain.values() for identity in group)

    @property
    def first(self) -> list[Identity]:
        """Return the identities of the domain that was named first."""
        return next(iter(self._by_domain.values()))

    def find(self, domain: bytes) -> list[Identity] | None:
        """Return the identities for a domain in lower case, or for its nearest parent."""
        while domain:
            found = self._by_domain.get(domain)
            if found is not None:
                return found
            domain = domain.partition(b".")[2]
        return None
