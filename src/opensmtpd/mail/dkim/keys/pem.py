"""Make a `Key` of a file in PEM. All reading that needs the package cryptography is here.

RSA with PKCS #1 v1.5 and SHA-256 (RFC 6376 section 3.3.1), Ed25519 over a SHA-256 digest (RFC 8463
section 3). Nothing here ever puts key material, or a library's words about it, into a message.
"""

from collections.abc import Callable, Iterator

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256

from opensmtpd.errors import ConfigError
from opensmtpd.mail.dkim.keys import pem_faults
from opensmtpd.mail.dkim.keys.key import ED25519, RSA, Key
from opensmtpd.mail.dkim.keys.library import ed25519_raw, load_pem_private_key, public_der, sha256
from opensmtpd.mail.dkim.keys.pem_faults import GENRSA

_RSA_LEAST, _RSA_ADVISED, _RSA_KNOWN = 1024, 2048, 4096  # bits: RFC 8301 section 3.2
_EXPONENT = 65537
"""Of a public RSA key, as all tools make it. A smaller one has let forged signatures pass
verifiers with a fault (CVE-2006-4339), and some know none above 31 bits.
"""
_DIGEST, _ID = 32, 16  # bytes of a SHA-256 digest, and of it in ``Key.id``


def key(path: str, data: bytes) -> Key:
    """Return the key in a file's ``data``. Raises ConfigError, with a remedy."""
    private = _parse(path, data)
    if isinstance(private, RSAPrivateKey):
        if pem_faults.is_pss(data):
            raise ConfigError("a key for RSASSA-PSS, not for DKIM", path=path, remedy=GENRSA)
        found = _rsa(path, private)
    elif isinstance(private, Ed25519PrivateKey):
        found = _ed25519(private)
    else:
        kind = type(private).__name__.lstrip("_").removesuffix("PrivateKey")
        fault = f"a key of the kind {kind}, neither RSA nor Ed25519"
        raise ConfigError(fault, path=path, remedy=GENRSA)
    count = pem_faults.private_keys(data)
    if count > 1:
        doubt = f"{path}: {count} private keys, of which only the first signs; keep one in the file"
        return found._replace(warnings=(*found.warnings, doubt))
    return found


def _parse(path: str, data: bytes) -> object:
    try:
        return _load_pem(data)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        fault, remedy = pem_faults.of_text(data)
        raise ConfigError(fault, path=path, remedy=remedy) from None


def _load_pem(data: bytes) -> object:
    # To validate an RSA key takes 40 ms, a third of our time to start; _prove says as much.
    try:
        return load_pem_private_key(data, password=None, unsafe_skip_rsa_key_validation=True)
    except TypeError:  # cryptography 38 (Debian 12) has no such argument; or the key is encrypted
        return load_pem_private_key(data, password=None)


def _rsa(path: str, private: RSAPrivateKey) -> Key:
    bits, exponent = private.key_size, private.public_key().public_numbers().e
    if bits < _RSA_LEAST:
        fault = f"an RSA key of {bits} bits, fewer than {_RSA_LEAST}: no verifier accepts it"
        raise ConfigError(fault, path=path, remedy=GENRSA)
    if exponent < 3:
        fault = f"an RSA key with the exponent {exponent}: anybody could sign"
        raise ConfigError(fault, path=path, remedy=GENRSA)
    padding, prehashed, sign = PKCS1v15(), Prehashed(SHA256()), private.sign
    _prove(path, private, padding)
    warnings = tuple(f"{path}: {doubt}; {GENRSA}" for doubt in _doubts(bits, exponent))
    der = public_der(private.public_key())
    return Key(_id(der), RSA, lambda digest: sign(digest, padding, prehashed), warnings, der)


def _doubts(bits: int, exponent: int) -> Iterator[str]:
    """Yield what speaks against an RSA key that can be used."""
    if bits < _RSA_ADVISED:
        yield f"RSA key of {bits} bits, fewer than {_RSA_ADVISED}"
    if bits > _RSA_KNOWN:
        yield f"RSA key of {bits} bits, and verifiers need not know more than {_RSA_KNOWN}"
    if not _EXPONENT <= exponent < 1 << 31:
        yield f"RSA key with the exponent {exponent}, not {_EXPONENT}"


def _prove(path: str, private: RSAPrivateKey, padding: PKCS1v15) -> None:
    """Sign something and verify it: a damaged key must not begin to sign mail."""
    try:
        signature = private.sign(b"", padding, SHA256())
        private.public_key().verify(signature, b"", padding, SHA256())
    except (ValueError, InvalidSignature):
        remedy = f"restore it, or {GENRSA}"
        raise ConfigError("a damaged private key", path=path, remedy=remedy) from None


def _ed25519(private: Ed25519PrivateKey) -> Key:
    public = private.public_key()
    identity = _id(public_der(public))
    return Key(identity, ED25519, _checked(private.sign), (), ed25519_raw(public))


def _checked(sign: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    """Return ``sign`` for digests alone: Ed25519 itself signs data of any length."""

    def checked(digest: bytes) -> bytes:
        if len(digest) != _DIGEST:
            raise ValueError("no SHA-256 digest")
        return sign(digest)

    return checked


def _id(der: bytes) -> bytes:
    return sha256(der)[:_ID]
