"""Certificates and private keys in PEM. All reading that needs cryptography is here."""

from datetime import UTC, datetime
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from opensmtpd.errors import ConfigError
from opensmtpd.files import reading

_SIZE_MAX = 1 << 20


class CertificateData(NamedTuple):
    """The names, dates and key of a certificate."""

    names: frozenset[str]
    """In lower case; with ``*`` as the first label of some. Empty where it has addresses alone."""
    begins: datetime
    ends: datetime
    public: bytes
    """The public key, as SubjectPublicKeyInfo."""


def certificate(path: str) -> CertificateData:
    """Read the first certificate of a file.

    Raises ConfigError where there is none, ValueError for one that is not understood.
    """
    with reading(path) as file:
        pem = file.read(_SIZE_MAX)
    if b"CERTIFICATE-----" not in pem:
        raise ConfigError("no certificate in PEM", path=path)
    try:
        found = x509.load_pem_x509_certificate(pem)
        public = _spki(found.public_key())
        return CertificateData(_names(found), *_period(found), public)
    except Exception:  # of all kinds: OpenSSL takes certificates that cryptography does not
        raise ValueError(f"the certificate in {path} is not understood") from None


def public_half(path: str) -> bytes:
    """Return the public half of a private key, empty for one with a passphrase.

    Raises as ``certificate`` does.
    """
    with reading(path) as file:
        pem = file.read(_SIZE_MAX)
    if b"PRIVATE KEY-----" not in pem:
        raise ConfigError("no private key in PEM", path=path)
    try:
        return _spki(load_pem_private_key(pem, password=None).public_key())
    except TypeError:
        return b""
    except Exception:  # as above
        raise ValueError(f"the private key in {path} is not understood") from None


def _spki(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _names(found: x509.Certificate) -> frozenset[str]:
    try:
        more = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names = more.get_values_for_type(x509.DNSName)
    except x509.ExtensionNotFound:
        kind = x509.NameOID.COMMON_NAME
        names = [str(each.value) for each in found.subject.get_attributes_for_oid(kind)]
    return frozenset(name.lower() for name in names)


def _period(found: x509.Certificate) -> tuple[datetime, datetime]:
    try:
        return found.not_valid_before_utc, found.not_valid_after_utc
    except AttributeError:  # before cryptography 42
        begins, ends = found.not_valid_before, found.not_valid_after
        return begins.replace(tzinfo=UTC), ends.replace(tzinfo=UTC)
