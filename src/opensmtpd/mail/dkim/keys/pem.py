"""Make a `Key` of a file in PEM. All reading that needs the package cryptography is here.

RSA with PKCS #1 v1.5 and SHA-256 (RFC 6376 section 3.3.1), Ed25519 over a SHA-256 digest (RFC 8463
section 3). Nothing here ever puts key material, or a library's words about it, into a message.
"""

from hashlib import sha256

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from opensmtpd.errors import ConfigError
from opensmtpd.mail.dkim.keys.key import ED25519, RSA, Key

_RSA_LEAST, _RSA_ADVISED = 1024, 2048  # bits: RFC 8301 section 3.2
_GENRSA = "make one: openssl genrsa -out FILE 2048"


def key(path: str, data: bytes) -> Key:
    """Return the key in a file's ``data``. Raises ConfigError, with a remedy."""
    private = _parse(path, data)
    if isinstance(private, RSAPrivateKey):
        return _rsa(path, private)
    if isinstance(private, Ed25519PrivateKey):
        return _ed25519(private)
    raise ConfigError("neither an RSA nor an Ed25519 key", path=path, remedy=_GENRSA)


def _parse(path: str, data: bytes) -> object:
    try:
        return _load_pem(data)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        fault, remedy = _fault(data)
        raise ConfigError(fault, path=path, remedy=remedy) from None


def _load_pem(data: bytes) -> object:
    # To validate an RSA key takes 40 ms, a third of our time to start; _prove says as much.
    try:
        return load_pem_private_key(data, password=None, unsafe_skip_rsa_key_validation=True)
    except TypeError:  # cryptography 38 (Debian 12) has no such argument; or the key is encrypted
        return load_pem_private_key(data, password=None)


def _fault(data: bytes) -> tuple[str, str]:
    """Return the fault of a file that is no private key of ours, and the remedy."""
    if b"ENCRYPTED" in data:
        return "an encrypted key", "take the passphrase off: openssl pkey -in FILE -out NEWFILE"
    if b"-----BEGIN OPENSSH PRIVATE KEY" in data:
        return "a key for ssh", _GENRSA
    if b"PRIVATE KEY-----" in data:
        return "a damaged private key", "restore it, or " + _GENRSA
    if b"PUBLIC KEY-----" in data:
        return "a public key", "name the private key; the public one belongs into the DNS"
    if data.startswith(b"\x30"):
        return "not a key in PEM", "convert it: openssl pkey -inform DER -in FILE -out NEWFILE"
    return "not a key in PEM", _GENRSA


def _rsa(path: str, private: RSAPrivateKey) -> Key:
    bits = private.key_size
    if bits < _RSA_LEAST:
        raise ConfigError(
            f"an RSA key of {bits} bits, fewer than {_RSA_LEAST}: no verifier accepts it",
            path=path,
            remedy=_GENRSA,
        )
    warnings: tuple[str, ...] = ()
    if bits < _RSA_ADVISED:
        warnings = (f"{path}: RSA key of {bits} bits, fewer than {_RSA_ADVISED}; {_GENRSA}",)
    padding, digest, sign = PKCS1v15(), SHA256(), private.sign
    _prove(path, private, padding, digest)
    return Key(RSA, lambda data: sign(data, padding, digest), True, warnings)


def _prove(path: str, private: RSAPrivateKey, padding: PKCS1v15, digest: SHA256) -> None:
    """Sign something and verify it: a damaged key must not begin to sign mail."""
    try:
        signature = private.sign(b"", padding, digest)
        private.public_key().verify(signature, b"", padding, digest)
    except (ValueError, InvalidSignature):
        remedy = "restore it, or " + _GENRSA
        raise ConfigError("a damaged private key", path=path, remedy=remedy) from None


def _ed25519(private: Ed25519PrivateKey) -> Key:
    sign = private.sign
    return Key(ED25519, lambda data: sign(sha256(data).digest()), False, ())
