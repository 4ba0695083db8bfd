"""Private keys: read, checked, and made into something that signs.

RSA with PKCS #1 v1.5 and SHA-256 (RFC 6376 section 3.3.1), Ed25519 over a SHA-256 digest (RFC 8463
section 3). Nothing here ever puts key material, or a library's words about it, into a message.
"""

import os
from collections.abc import Callable
from hashlib import sha256
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from opensmtpd.errors import ConfigError

RSA, ED25519 = "rsa-sha256", "ed25519-sha256"
ALGORITHMS = (RSA, ED25519)

_RSA_LEAST, _RSA_ADVISED = 1024, 2048  # bits: RFC 8301 section 3.2
_FILE_MAX = 1 << 20
_GENRSA = "make one: openssl genrsa -out FILE 2048"


class Key(NamedTuple):
    """A private key, ready to sign."""

    algorithm: str
    """``"rsa-sha256"`` or ``"ed25519-sha256"``, the ``a=`` tag."""
    sign: Callable[[bytes], bytes]
    """Returns the signature of canonicalized data, not yet in base64. Threads may share it."""
    slow: bool
    """Does a signature take so long that it belongs into a thread?"""
    warnings: tuple[str, ...]
    """What is questionable about the key or its file, a sentence each."""


def load(path: str, algorithm: str | None = None) -> Key:
    """Read a private key in PEM; ``algorithm`` None takes the one that the key is made for.

    Raises ConfigError, with the path and a remedy, for a key that cannot or must not be used.
    """
    data, warnings = _read(path)
    private = _parse(path, data)
    if isinstance(private, RSAPrivateKey):
        key = _rsa(path, private)
    elif isinstance(private, Ed25519PrivateKey):
        key = _ed25519(private)
    else:
        raise ConfigError("neither an RSA nor an Ed25519 key", path=path, remedy=_GENRSA)
    if algorithm not in (None, key.algorithm):
        raise ConfigError(
            f"a key for {key.algorithm}, not {algorithm}",
            path=path,
            remedy=f"name the algorithm {key.algorithm}, or another key",
        )
    return key._replace(warnings=warnings + key.warnings)


def _read(path: str) -> tuple[bytes, tuple[str, ...]]:
    try:
        with open(path, "rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            data = file.read(_FILE_MAX)
    except OSError as error:
        raise ConfigError(
            f"cannot read the key: {error.strerror}",
            path=path,
            remedy="the user that smtpd runs the filter as must be able to read it",
        ) from None
    if mode & 0o007:
        return data, (f"{path}: key open to every user of this machine; chmod o= {path}",)
    return data, ()


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
    """Say what a file is that is no private key of ours, and what to do."""
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
