"""The functions of the package cryptography that read and write keys, without ``serialization``.

Its package of that name imports all that ssh's keys need: 2 MB and 15 ms of each process that has
keys. It only passes on what a module in Rust has, which is taken from there. That place is not
promised: a version that has it not, such as 38 of Debian 12, is asked by the public name.
"""

from collections.abc import Callable

from cryptography.hazmat.bindings import _rust
from cryptography.hazmat.primitives.asymmetric import ec  # noqa: F401  see ``_rust`` below
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256, Hash

__all__ = ["ed25519_raw", "load_der_public_key", "load_pem_private_key", "public_der", "sha256"]

# ``_rust`` imports ``ec`` when it meets such a key: in the sandbox that would be refused.
load_pem_private_key: Callable[..., object]
load_der_public_key: Callable[[bytes], object]
try:
    load_pem_private_key = _rust.openssl.keys.load_pem_private_key
    load_der_public_key = _rust.openssl.keys.load_der_public_key
except AttributeError:
    from cryptography.hazmat.primitives import serialization

    load_pem_private_key = serialization.load_pem_private_key
    load_der_public_key = serialization.load_der_public_key

_SEQUENCE, _INTEGER, _BIT_STRING = 0x30, 0x02, 0x03
_RSA = bytes.fromhex("300d06092a864886f70d0101010500")
"""AlgorithmIdentifier of rsaEncryption (RFC 3279 section 2.3.1)."""
_ED25519 = bytes.fromhex("302a300506032b6570032100")
"""SubjectPublicKeyInfo of Ed25519, up to the 32 bytes of the key (RFC 8410 section 4)."""


def ed25519_raw(public: Ed25519PublicKey) -> bytes:
    """Return the 32 bytes of a public key."""
    try:
        return public.public_bytes_raw()
    except AttributeError:  # cryptography 38
        from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415  see above
            Encoding,
            PublicFormat,
        )

        return public.public_bytes(Encoding.Raw, PublicFormat.Raw)


def public_der(public: RSAPublicKey | Ed25519PublicKey) -> bytes:
    """Return a public key as a SubjectPublicKeyInfo in DER (RFC 5280 section 4.1)."""
    if isinstance(public, Ed25519PublicKey):
        return _ED25519 + ed25519_raw(public)
    numbers = public.public_numbers()
    key = _tagged(_SEQUENCE, _integer(numbers.n) + _integer(numbers.e))
    return _tagged(_SEQUENCE, _RSA + _tagged(_BIT_STRING, b"\0" + key))


def _integer(number: int) -> bytes:
    """Return a number above 0: its first bit, the sign, is 0."""
    return _tagged(_INTEGER, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def _tagged(tag: int, content: bytes) -> bytes:
    """Return content behind its tag and its length: short, or the bytes of a long one counted."""
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


def sha256(data: bytes) -> bytes:
    """Return a digest, by the library that is loaded anyway: ``hashlib`` loads a second one."""
    state = Hash(SHA256())
    state.update(data)
    return state.finalize()
