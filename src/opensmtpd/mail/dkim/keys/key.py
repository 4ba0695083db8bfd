"""A private key that is ready to sign, and the algorithms that there are."""

from collections.abc import Callable
from typing import NamedTuple

RSA, ED25519 = "rsa-sha256", "ed25519-sha256"
"""The ``a=`` tags of RFC 6376 section 3.3.1 and of RFC 8463 section 3."""
ALGORITHMS = (RSA, ED25519)


class Key(NamedTuple):
    """A private key, ready to sign."""

    id: bytes
    """16 bytes of the SHA-256 digest of its public key: the same wherever it is read."""
    algorithm: str
    """``"rsa-sha256"`` or ``"ed25519-sha256"``, the ``a=`` tag."""
    sign: Callable[[bytes], bytes]
    """Returns the signature, not yet in base64, of the SHA-256 digest of canonicalized data.

    Raises ValueError for what is no digest. Threads may share it.
    """
    warnings: tuple[str, ...]
    """Doubts about the key or its file, a sentence each."""
    public: bytes
    """The public key as its record has it: of RSA a SubjectPublicKeyInfo in DER, of Ed25519 32
    octets.
    """
