"""The worker that has the public keys."""

from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, rsa, x448, x25519
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from opensmtpd import worker
from opensmtpd.mail.dkim.verify.claims import Claim, Verdict
from opensmtpd.mail.dkim.verify.keys_worker import PublicKeyWorker, judge
from opensmtpd.needs import Needs
from unit.support.dkim_material import RSA_PEM

DIGEST = sha256(b"what is signed").digest()


def loaded() -> rsa.RSAPrivateKey:
    """Return the key of RFC 6376, of 1024 bits."""
    key = load_pem_private_key(RSA_PEM.encode(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return key


RSA_KEY = loaded()
SPKI, PKCS1 = (
    RSA_KEY.public_key().public_bytes(Encoding.DER, form)
    for form in (PublicFormat.SubjectPublicKeyInfo, PublicFormat.PKCS1)
)
SIGNED = RSA_KEY.sign(DIGEST, PKCS1v15(), Prehashed(SHA256()))
ED = Ed25519PrivateKey.from_private_bytes(bytes(32))
ED_RAW = ED.public_key().public_bytes_raw()
ED_SIGNED = ED.sign(DIGEST)


def of_numbers(bits: int, exponent: int = 65537) -> bytes:
    """Return a public key that nobody has the other half of."""
    numbers = rsa.RSAPublicNumbers(exponent, (1 << bits) - 1)
    return numbers.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def small(exponent: int) -> bytes:
    """Return a key in DER with an exponent that cryptography does not make, as PKCS #1 has it."""
    modulus = b"\x02\x41\x00" + b"\xff" * 64
    return b"\x30\x46" + modulus + b"\x02\x01" + bytes([exponent])


@pytest.mark.parametrize(
    ("claim", "verdict"),
    [
        (Claim("rsa", SPKI, DIGEST, SIGNED, weak=False), ("pass", 1024)),
        (Claim("rsa", PKCS1, DIGEST, SIGNED, weak=False), ("pass", 1024)),
        (Claim("rsa", SPKI, DIGEST[::-1], SIGNED, weak=False), ("fail", 1024)),
        (Claim("rsa", SPKI, DIGEST, SIGNED[1:], weak=False), ("fail", 1024)),
        (Claim("rsa", SPKI, DIGEST, b"\0" + SIGNED, weak=False), ("fail", 1024)),
        (Claim("rsa", SPKI, DIGEST, b"\xff" * 128, weak=False), ("fail", 1024)),
        (Claim("rsa", SPKI, DIGEST, b"", weak=False), ("fail", 1024)),
        (Claim("rsa", b"\0\0\0", DIGEST, SIGNED, weak=False), ("badkey", 0)),
        (Claim("rsa", SPKI[:-1], DIGEST, SIGNED, weak=False), ("badkey", 0)),
        (Claim("rsa", SPKI + b"\0", DIGEST, SIGNED, weak=False), ("badkey", 0)),
        (Claim("rsa", small(1), DIGEST, SIGNED, weak=True), ("badkey", 0)),
        (Claim("rsa", small(3), DIGEST, SIGNED, weak=True), ("fail", 512)),
        (Claim("rsa", of_numbers(1023), DIGEST, SIGNED, weak=False), ("weak", 1023)),
        (Claim("rsa", of_numbers(1023), DIGEST, SIGNED, weak=True), ("fail", 1023)),
        (Claim("rsa", of_numbers(511), DIGEST, SIGNED, weak=True), ("weak", 511)),
        (Claim("rsa", of_numbers(4096), DIGEST, SIGNED, weak=False), ("fail", 4096)),
        (Claim("rsa", of_numbers(4097), DIGEST, SIGNED, weak=False), ("large", 4097)),
        (Claim("rsa", of_numbers(2048, 2**32 + 1), DIGEST, SIGNED, weak=False), ("fail", 2048)),
        (Claim("rsa", of_numbers(2048, 2**33 + 1), DIGEST, SIGNED, weak=False), ("large", 2048)),
        (Claim("ed25519", ED_RAW, DIGEST, ED_SIGNED, weak=False), ("pass", 256)),
        (Claim("ed25519", ED_RAW, DIGEST, ED_SIGNED[::-1], weak=False), ("fail", 256)),
        (Claim("ed25519", ED_RAW, DIGEST, ED_SIGNED[1:], weak=False), ("fail", 256)),
        (Claim("ed25519", ED_RAW, DIGEST, SIGNED, weak=False), ("fail", 256)),
        (Claim("ed25519", ED_RAW[1:], DIGEST, ED_SIGNED, weak=False), ("badkey", 0)),
    ],
)  # fmt: skip
def test_verdicts(claim: Claim, verdict: tuple[str, int]) -> None:
    assert judge(claim) == Verdict(*verdict)


def test_a_key_of_another_kind() -> None:
    key = ED.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert judge(Claim("rsa", key, DIGEST, ED_SIGNED, weak=False)) == ("badkey", 0)
    other = dsa.generate_parameters(1024).generate_private_key().public_key()
    key = other.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert judge(Claim("rsa", key, DIGEST, SIGNED, weak=False)) == ("badkey", 0)


def test_a_weak_key_that_is_allowed() -> None:
    """Two Mersenne primes make a key of 648 bits."""
    p, q = 2**521 - 1, 2**127 - 1
    exponent = pow(65537, -1, (p - 1) * (q - 1))
    info = bytes.fromhex("3031300d060960864801650304020105000420")  # RFC 8017 section 9.2
    padded = b"\0\1" + b"\xff" * (81 - 3 - len(info) - 32) + b"\0" + info + DIGEST
    signature = pow(int.from_bytes(padded, "big"), exponent, p * q).to_bytes(81, "big")
    numbers = rsa.RSAPublicNumbers(65537, p * q).public_key()
    key = numbers.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert judge(Claim("rsa", key, DIGEST, signature, weak=True)) == ("pass", 648)
    assert judge(Claim("rsa", key, DIGEST, signature, weak=False)) == ("weak", 648)


OTHER_KINDS: tuple[PublicKeyTypes, ...] = (
    *(ec.generate_private_key(curve()).public_key() for curve in (ec.SECP256R1, ec.SECP256K1)),
    dsa.generate_private_key(1024).public_key(),
    ED.public_key(),
    ed448.Ed448PrivateKey.generate().public_key(),
    x25519.X25519PrivateKey.generate().public_key(),
    x448.X448PrivateKey.generate().public_key(),
)


def test_a_process_that_needs_nothing_verifies() -> None:
    """In the sandbox, for the first and for the second time.

    A key of another kind, for which the library may load a module, spoils no other claim.
    """
    assert PublicKeyWorker.needs == Needs()
    claims = [
        Claim("rsa", SPKI, DIGEST, SIGNED, weak=False),
        Claim("ed25519", ED_RAW, DIGEST, ED_SIGNED, weak=False),
        Claim("rsa", b"", DIGEST, SIGNED, weak=False),
    ]
    for key in OTHER_KINDS:
        der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        claims.append(Claim("rsa", der, DIGEST, SIGNED, weak=False))
    bad = [["badkey", 0]] * (1 + len(OTHER_KINDS))
    pool = worker.Pool(PublicKeyWorker)
    try:
        for _ in range(2):
            assert pool.request(claims, 60.0) == [["pass", 1024], ["pass", 256], *bad]
        assert pool.request([], 60.0) == []
    finally:
        pool.close()
