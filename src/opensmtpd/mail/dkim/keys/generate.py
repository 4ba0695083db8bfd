"""New private keys, and their records in the DNS.

RSA keys of at least 2048 bits and at most 4096, which all verifiers must know (RFC 8301 section
3.2); the public key as RFC 6376 section 3.6.1 wants it, that of Ed25519 as RFC 8463 section 4.2.
"""

from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from opensmtpd.mail.dkim import record
from opensmtpd.mail.dkim.keys import memory
from opensmtpd.mail.dkim.keys.key import ED25519, RSA


@dataclass(frozen=True)
class NewKey:
    """A private key that is in no file yet."""

    pem: bytes = field(repr=False)
    """PKCS #8, without a passphrase."""
    record: str
    """The text of its TXT record."""


def rsa(bits: int) -> NewKey:
    """Make a key for ``rsa-sha256``."""
    memory.guard()
    private = generate_private_key(65537, bits)
    der = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return _key(private, RSA, der)


def ed25519() -> NewKey:
    """Make a key for ``ed25519-sha256``."""
    memory.guard()
    private = Ed25519PrivateKey.generate()
    raw = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return _key(private, ED25519, raw)


def _key(private: RSAPrivateKey | Ed25519PrivateKey, algorithm: str, public: bytes) -> NewKey:
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return NewKey(pem, record.text(algorithm, public))
