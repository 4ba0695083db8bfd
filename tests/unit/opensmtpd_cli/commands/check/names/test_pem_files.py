"""Certificates and keys as files have them."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from opensmtpd.errors import ConfigError
from opensmtpd_cli.commands.check.names import pem_files
from unit.support.certificates import KEY, OTHER, certificate, key_pem

PERIOD = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)
SPKI = KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def test_the_first_certificate_counts(tmp_path: Path) -> None:
    path = tmp_path / "chain"
    path.write_bytes(
        certificate("A.example", "*.b.example", period=PERIOD) + certificate("c.example")
    )
    assert pem_files.certificate(str(path)) == (
        frozenset(["a.example", "*.b.example"]),
        *PERIOD,
        SPKI,
    )
    path.write_bytes(certificate())
    assert pem_files.certificate(str(path)).names == frozenset()


def test_keys(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(key_pem(KEY) + certificate("a.example"))
    assert pem_files.public_half(str(path)) == SPKI
    path.write_bytes(key_pem(OTHER))
    assert pem_files.public_half(str(path)) not in (b"", SPKI)
    path.write_bytes(key_pem(KEY, b"secret"))
    assert pem_files.public_half(str(path)) == b""


@pytest.mark.parametrize("data", [b"", b"hello", key_pem(KEY)])
def test_no_certificate(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x"
    path.write_bytes(data)
    with pytest.raises(ConfigError, match="no certificate in PEM"):
        pem_files.certificate(str(path))


def test_what_is_not_understood(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(certificate("a.example")[:200] + b"-----END CERTIFICATE-----\n")
    with pytest.raises(ValueError, match="not understood"):
        pem_files.certificate(str(path))
    path.write_bytes(b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
    with pytest.raises(ValueError, match="not understood"):
        pem_files.public_half(str(path))
