"""Keys in PEM: which are taken, and what is said about the others."""

from base64 import b64encode
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from opensmtpd.errors import ConfigError
from opensmtpd.mail.dkim.keys.load import load
from unit.support.dkim_key_files import RSA, SECRET, key_file, pem
from unit.support.dkim_material import RSA_PEM


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_rsa_in_both_forms(tmp_path: Path, form: PrivateFormat) -> None:
    key = load(key_file(tmp_path, pem(RSA, form)))
    assert key.algorithm == "rsa-sha256"
    assert key.slow
    assert key.warnings == ()
    assert len(key.sign(b"data")) == 256
    assert key.sign(b"data") == key.sign(b"data")


def test_text_around_the_key_is_skipped(tmp_path: Path) -> None:
    path = key_file(tmp_path, b"made in 2026\n\n" + pem(RSA))
    assert load(path).algorithm == "rsa-sha256"


BROKEN = RSA_PEM.replace("jxOCKG9v3b4j", "AAAAAAAAAAAA")


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"", "not a key in PEM"),
        (b"hello\n", "not a key in PEM"),
        (RSA_PEM[:300].encode(), "a damaged private key"),
        (BROKEN.encode(), "a damaged private key"),
        (pem(RSA, encryption=BestAvailableEncryption(b"secret")), "an encrypted key"),
        (
            pem(RSA, PrivateFormat.TraditionalOpenSSL, BestAvailableEncryption(b"secret")),
            "an encrypted key",
        ),
        (
            RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
            "a public key",
        ),
        (pem(RSA, PrivateFormat.OpenSSH), "a key for ssh"),
        (
            RSA.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()),
            "not a key in PEM",
        ),
        (pem(ec.generate_private_key(ec.SECP256R1())), "neither an RSA nor an Ed25519 key"),
    ],
    ids=range(10),
)
def test_what_is_no_key_of_ours(tmp_path: Path, data: bytes, fault: str) -> None:
    path = key_file(tmp_path, data)
    with pytest.raises(ConfigError) as caught:
        load(path)
    error = caught.value
    assert (error.path, error.message) == (path, fault)
    assert error.remedy
    assert error.__cause__ is None
    assert SECRET not in str(error)
    assert "\n" not in str(error)


# openssl genrsa -traditional 768: too short for the library in use here to make one.
SHORT_PEM = """\
-----BEGIN RSA PRIVATE KEY-----
MIIBygIBAAJhAPogwnuuPqh70IFYqnf43kI/QXbFU/7FSrfWgZ5vr33zexEoUKpL
6HHtEBJzr6yKvx/eyqKMDZMusuY7Xs0JTM1AHJd7p8OhHki/rTBrjpEPiaJMFjlS
y3eRARjcn+jAswIDAQABAmEA8K+LVWYjBw81YPHH/2/rt0WVIcvZ+oMwVdxEmAeS
kBk16BmqHWSzxMTAPXEyr05Fmkb+icd4sRRjTO/C7VTH6iVS+3kpSE6cHPL35BHQ
nplYyMwLnqjTF03rGTQQ9ruhAjEA//ijQwKF8s9XMBlhJWCxy2xOL+pvQy9eLPfq
R0Lkp0iAzpHL2LNO77jbgqPBGN+xAjEA+if0MmRpmLpvI3o3DQUP6Cu4i5s4V22i
8oUZF6YOinEcaMAKgvbIEGEWCeczt0OjAjAGtMfqOIWz39TD8NZHuWnPD45Y2QaD
Nxl7ih88MLd23oJpZw51JfV6eFhf6tRjR3ECMAMQqEJRzqVra18w6SnErRw4JOu4
/Ci+FCgKj3MlurnhhuqVp8tRAMSKm/2FErIlJwIwWx1FXaM6M0mAqKVQfCup+zMG
Ko+8rtNEbQvpKe3C2XJRcothngKII2zCfdCO9mkU
-----END RSA PRIVATE KEY-----
"""


def test_a_key_that_no_verifier_accepts(tmp_path: Path) -> None:
    path = key_file(tmp_path, SHORT_PEM.encode())
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert str(caught.value) == (
        f"{path}: an RSA key of 768 bits, fewer than 1024: no verifier accepts it;"
        " make one: openssl genrsa -out FILE 2048"
    )


def integer(value: int) -> bytes:
    """An INTEGER in DER."""
    data = value.to_bytes(value.bit_length() // 8 + 1, "big")
    size = len(data).to_bytes((len(data).bit_length() + 7) // 8, "big")
    return b"\x02" + (size if len(data) < 128 else bytes([0x80 | len(size)]) + size) + data


def test_a_key_whose_numbers_do_not_go_together(tmp_path: Path) -> None:
    numbers = rsa.generate_private_key(65537, 1024).private_numbers()
    public = numbers.public_numbers
    damaged = (0, public.n, public.e, numbers.d ^ 2, numbers.p, numbers.q)
    body = b"".join(map(integer, (*damaged, numbers.dmp1 ^ 2, numbers.dmq1, numbers.iqmp)))
    der = b"\x30\x82" + len(body).to_bytes(2, "big") + body
    text = b64encode(der).decode()
    data = f"-----BEGIN RSA PRIVATE KEY-----\n{text}\n-----END RSA PRIVATE KEY-----\n"
    with pytest.raises(ConfigError, match="a damaged private key"):
        load(key_file(tmp_path, data.encode()))
