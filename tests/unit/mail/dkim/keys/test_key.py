"""Keys that are ready to sign."""

from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PrivateFormat, PublicFormat

from opensmtpd.mail.dkim.keys.key import ALGORITHMS
from opensmtpd.mail.dkim.keys.load import load
from unit.support.dkim_key_files import RSA, SECRET, key_file, pem
from unit.support.dkim_material import ED25519_PEM

DIGEST = sha256(b"data").digest()


def test_ed25519_signs_the_digest(tmp_path: Path) -> None:
    key = load(key_file(tmp_path, ED25519_PEM.encode()))
    assert key.algorithm == "ed25519-sha256"
    private = ed25519.Ed25519PrivateKey.from_private_bytes(
        bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    )
    assert key.sign(DIGEST) == private.sign(DIGEST)


def test_a_key_shows_nothing_of_itself(rsa_file: str) -> None:
    shown = repr(load(rsa_file))
    assert SECRET not in shown


def test_rsa_signs_what_its_public_half_verifies(tmp_path: Path) -> None:
    key = load(key_file(tmp_path, pem(RSA)))
    assert key.algorithm == "rsa-sha256"
    signature = key.sign(DIGEST)
    RSA.public_key().verify(signature, b"data", PKCS1v15(), SHA256())
    with pytest.raises(InvalidSignature):
        RSA.public_key().verify(signature, b"other", PKCS1v15(), SHA256())


def test_the_algorithms_are_the_tags_of_the_rfcs() -> None:
    assert ALGORITHMS == ("rsa-sha256", "ed25519-sha256")


def test_threads_may_share_a_key(tmp_path: Path) -> None:
    key = load(key_file(tmp_path, ED25519_PEM.encode()))
    with ThreadPoolExecutor(4) as threads:
        assert len(set(threads.map(key.sign, [DIGEST] * 100))) == 1


@pytest.mark.parametrize("text", [pem(RSA), ED25519_PEM.encode()], ids=["RSA", "Ed25519"])
@pytest.mark.parametrize("data", [b"", b"data", DIGEST + b"x"], ids=repr)
def test_nothing_but_a_digest_is_signed(tmp_path: Path, text: bytes, data: bytes) -> None:
    key = load(key_file(tmp_path, text))
    with pytest.raises(ValueError, match="digest"):
        key.sign(data)


def test_the_id_is_that_of_the_public_key(tmp_path: Path) -> None:
    key = load(key_file(tmp_path, pem(RSA)))
    der = RSA.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert key.id == sha256(der).digest()[:16]
    same = load(key_file(tmp_path, pem(RSA, PrivateFormat.TraditionalOpenSSL)))
    assert same.id == key.id
    assert load(key_file(tmp_path, ED25519_PEM.encode())).id != key.id
