"""Certificates of a server: a right one, and some that no client may accept."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

NAMES = ("localhost", "127.0.0.1", "directory.example", "db.example.com", "valkey.example.com")
"""What the right certificate is for."""
CERTIFICATES = ("right", "stranger", "other-name", "expired")


class Authority:
    """Signs certificates."""

    def __init__(self, name: str) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _called(name)
        self.certificate = _pem(self._signed(self._name, self._key, [], 0, 30))

    def issue(self, names: tuple[str, ...], since: float = -1, until: float = 30) -> bytes:
        """Return a certificate and its key, PEM, valid between two days, counted from now."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._signed(_called(names[0]), key, list(names), since, until)
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return _pem(certificate) + private

    def _signed(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        names: list[str],
        since: float,
        until: float,
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + timedelta(days=min(since, until) - 1))
            .not_valid_after(now + timedelta(days=until))
            .add_extension(x509.BasicConstraints(ca=not names, path_length=None), True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), False
            )
        )
        if names:
            others = x509.SubjectAlternativeName([_alternative(name) for name in names])
            builder = builder.add_extension(others, False)
        else:
            builder = builder.add_extension(_SIGNS, True)
        return builder.sign(self._key, hashes.SHA256())


_SIGNS = x509.KeyUsage(
    digital_signature=False, content_commitment=False, key_encipherment=False,
    data_encipherment=False, key_agreement=False, key_cert_sign=True, crl_sign=True,
    encipher_only=False, decipher_only=False,
)  # fmt: skip


def _called(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def write(folder: Path, names: tuple[str, ...] = NAMES) -> None:
    """Fill a folder: ``ca.pem``, ``stranger-ca.pem``, and a ``.pem`` for each of CERTIFICATES."""
    right, stranger = Authority("lab"), Authority("stranger")
    (folder / "ca.pem").write_bytes(right.certificate)
    (folder / "stranger-ca.pem").write_bytes(stranger.certificate)
    issued = {
        "right": right.issue(names),
        "stranger": stranger.issue(names),
        "other-name": right.issue(("elsewhere.example.org",)),
        "expired": right.issue(names, since=-9, until=-2),
    }
    for name, pem in issued.items():
        (folder / f"{name}.pem").write_bytes(pem)
