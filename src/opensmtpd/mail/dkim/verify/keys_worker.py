"""The worker process that verifies signatures: filter-auth itself loads no cryptography.

What strangers publish as keys is read in a process that may crash.
"""

from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256

from opensmtpd import worker
from opensmtpd.mail.dkim.keys.library import load_der_public_key, public_der
from opensmtpd.mail.dkim.verify.claims import BAD_KEY, FAIL, LARGE, PASS, WEAK, Claim, Verdict
from opensmtpd.needs import Needs

_PADDING, _PREHASHED = PKCS1v15(), Prehashed(SHA256())
_RSA_LEAST, _RSA_WEAK, _RSA_MOST = 1024, 512, 4096
"""Bits: RFC 8301 section 3.2 has verifiers know 1024 to 4096. Larger ones take more time."""
_EXPONENT_MOST = 33
"""Bits of a public exponent, 65537 has 17: a verification takes time for each of them."""
_ED25519_BITS = 256


class PublicKeyWorker(worker.Worker):
    """Verifies signatures.

    A request is a list of claims, the reply a list with a verdict for each, in the same order.
    """

    title = "signatures"
    memory = 1 << 30
    needs = Needs()

    def load(self, setup: Any) -> None:
        """Use both algorithms once: what their library loads late comes before the sandbox."""
        modulus = (1 << 2048) - 1
        der = public_der(RSAPublicNumbers(65537, modulus).public_key())
        judge(Claim("rsa", der, bytes(32), bytes(256), weak=False))
        judge(Claim("ed25519", bytes(32), bytes(32), bytes(64), weak=False))

    def handle(self, request: list[list[Any]]) -> list[Verdict]:
        """Return the verdicts."""
        return [judge(Claim(*each)) for each in request]


def judge(claim: Claim) -> Verdict:
    """Return the verdict on one claim."""
    return _rsa(claim) if claim.kind == "rsa" else _ed25519(claim)


def _rsa(claim: Claim) -> Verdict:
    try:
        key = load_der_public_key(claim.key)
    except MemoryError:
        raise
    except Exception:  # anything: a stranger's key must not keep other claims from their verdicts
        return Verdict(BAD_KEY, 0)
    if not isinstance(key, RSAPublicKey):
        return Verdict(BAD_KEY, 0)
    bits = key.key_size
    if bits < (_RSA_WEAK if claim.weak else _RSA_LEAST):
        return Verdict(WEAK, bits)
    if bits > _RSA_MOST or key.public_numbers().e.bit_length() > _EXPONENT_MOST:
        return Verdict(LARGE, bits)
    try:
        key.verify(claim.signature, claim.digest, _PADDING, _PREHASHED)
    except (InvalidSignature, ValueError):
        return Verdict(FAIL, bits)
    return Verdict(PASS, bits)


def _ed25519(claim: Claim) -> Verdict:
    try:
        key = Ed25519PublicKey.from_public_bytes(claim.key)
    except (ValueError, UnsupportedAlgorithm):
        return Verdict(BAD_KEY, 0)
    try:
        key.verify(claim.signature, claim.digest)  # of the digest: RFC 8463 section 3
    except (InvalidSignature, ValueError):
        return Verdict(FAIL, _ED25519_BITS)
    return Verdict(PASS, _ED25519_BITS)
