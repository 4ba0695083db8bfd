"""Certificates and keys, made for a test."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

KEY, OTHER = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))


def certificate(*names: str, period: tuple[datetime, datetime] | None = None) -> bytes:
    """Return one that is signed by KEY itself; for an address alone where no name is given."""
    now = datetime.now(UTC)
    begins, ends = period or (now - timedelta(days=1), now + timedelta(days=60))
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "common.example")])
    alternatives: list[x509.GeneralName] = [x509.DNSName(name) for name in names]
    if not names:
        alternatives.append(x509.IPAddress(ip_address("192.0.2.1")))
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(KEY.public_key())
        .serial_number(1)
        .not_valid_before(begins)
        .not_valid_after(ends)
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .sign(KEY, SHA256())
    )
    return made.public_bytes(Encoding.PEM)


def key_pem(key: ec.EllipticCurvePrivateKey, passphrase: bytes = b"") -> bytes:
    """Return a key in PEM."""
    how = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, how)
