"""Private keys made for a test, and files of them."""

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)

RSA = rsa.generate_private_key(65537, 2048)


def pem(
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey,
    form: PrivateFormat = PrivateFormat.PKCS8,
    encryption: KeySerializationEncryption | None = None,
) -> bytes:
    return key.private_bytes(Encoding.PEM, form, encryption or NoEncryption())


def key_file(folder: Path, data: bytes, mode: int = 0o640) -> str:
    path = folder / "private.key"
    path.write_bytes(data)
    path.chmod(mode)
    return str(path)


SECRET = "MIICXwIBAAKBgQDwIRP"
