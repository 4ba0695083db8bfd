"""New keys: what ``load`` makes of them, and what is published."""

from base64 import b64decode
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from opensmtpd.mail.dkim.keys import generate
from opensmtpd.mail.dkim.keys.load import load


def written(tmp_path: Path, pem: bytes) -> str:
    path = tmp_path / "key"
    path.touch(0o600)
    path.write_bytes(pem)
    return str(path)


@pytest.mark.parametrize("bits", [2048, 2056, 3072])
def test_rsa(tmp_path: Path, bits: int) -> None:
    new = generate.rsa(bits)
    key = load(written(tmp_path, new.pem))
    assert (key.algorithm, key.warnings) == ("rsa-sha256", ())
    assert new.pem.startswith(b"-----BEGIN PRIVATE KEY-----\n")
    start, _, value = new.record.rpartition("p=")
    assert start == "v=DKIM1; k=rsa; "
    public = load_der_public_key(b64decode(value, validate=True))
    assert isinstance(public, RSAPublicKey)
    assert (public.key_size, public.public_numbers().e) == (bits, 65537)
    public.verify(key.sign(sha256(b"mail").digest()), b"mail", PKCS1v15(), SHA256())


def test_ed25519(tmp_path: Path) -> None:
    new = generate.ed25519()
    key = load(written(tmp_path, new.pem))
    assert key.algorithm == "ed25519-sha256"
    start, _, value = new.record.rpartition("p=")
    assert start == "v=DKIM1; k=ed25519; "
    assert len(b64decode(value, validate=True)) == 32
    public = Ed25519PublicKey.from_public_bytes(b64decode(value))
    digest = sha256(b"mail").digest()
    public.verify(key.sign(digest), digest)


def test_no_two_are_the_same_and_none_shows_its_private_half() -> None:
    one, other = generate.ed25519(), generate.ed25519()
    assert one.record != other.record
    assert repr(one) == f"NewKey(record={one.record!r})"
