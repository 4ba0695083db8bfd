"""Requests to the worker that uses public keys, and its replies: plain data."""

from collections.abc import Sequence
from typing import Any, NamedTuple

PASS, FAIL, BAD_KEY, WEAK, LARGE = "pass", "fail", "badkey", "weak", "large"
"""Words of a verdict: the signature holds; it does not; the key cannot be read; it has too few bits
to be believed (RFC 8301 section 3.2); it has more than anybody needs.
"""
WORDS = frozenset((PASS, FAIL, BAD_KEY, WEAK, LARGE))


class Claim(NamedTuple):
    """A signature that is to be verified. It crosses to the worker as a list."""

    kind: str
    """``"rsa"`` or ``"ed25519"``, the type of the key."""
    key: bytes
    """As ``PublicKey.data`` has it."""
    digest: bytes
    """The SHA-256 digest of the data that is signed."""
    signature: bytes
    weak: bool
    """An RSA key of 512 to 1023 bits will do."""


class Verdict(NamedTuple):
    """The worker's reply to a claim. It crosses to the front as a list."""

    word: str
    """One of ``WORDS``."""
    bits: int
    """The size of the key, 0 where it cannot be read."""


def verdicts(replies: object, count: int) -> Sequence[Verdict | None]:
    """Return so many verdicts of a worker, or None for each where its reply is none."""
    if not isinstance(replies, list) or len(replies) != count:
        return [None] * count
    return [_verdict(reply) for reply in replies]


def _verdict(reply: Any) -> Verdict | None:
    match reply:
        case [str(word), int(bits)] if word in WORDS:
            return Verdict(word, bits)
    return None
