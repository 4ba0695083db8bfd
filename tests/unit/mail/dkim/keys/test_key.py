"""Keys that are ready to sign."""

from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ed25519

from opensmtpd.mail.dkim.keys.load import load
from unit.support.dkim_key_files import SECRET, key_file
from unit.support.dkim_material import ED25519_PEM


def test_ed25519_signs_the_digest(tmp_path: Path) -> None:
    key = load(key_file(tmp_path, ED25519_PEM.encode()))
    assert key.algorithm == "ed25519-sha256"
    assert not key.slow
    private = ed25519.Ed25519PrivateKey.from_private_bytes(
        bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    )
    assert key.sign(b"data") == private.sign(sha256(b"data").digest())


def test_a_key_shows_nothing_of_itself(rsa_file: str) -> None:
    shown = repr(load(rsa_file))
    assert SECRET not in shown
