"""A private key that is ready to sign, and the algorithms that there are."""

from collections.abc import Callable
from typing import NamedTuple

RSA, ED25519 = "rsa-sha256", "ed25519-sha256"
"""The ``a=`` tags of RFC 6376 section 3.3.1 and of RFC 8463 section 3."""
ALGORITHMS = (RSA, ED25519)


class Key(NamedTuple):
    """A private key, ready to sign."""

    algorithm: str
    """``"rsa-sha256"`` or ``"ed25519-sha256"``, the ``a=`` tag."""
    sign: Callable[[bytes], bytes]
    """Returns the signature of canonicalized data, not yet in base64. Threads may share it."""
    slow: bool
    """True where a signature takes so long that it belongs into a thread."""
    warnings: tuple[str, ...]
    """Doubts about the key or its file, a sentence each."""
