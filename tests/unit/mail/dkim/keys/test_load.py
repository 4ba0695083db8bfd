"""Keys: what is taken, what is not, and what is said about it."""

from base64 import b64encode
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from opensmtpd.errors import ConfigError
from opensmtpd.mail.dkim.keys.load import load
from unit.support.dkim_material import ED25519_PEM, RSA_PEM

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


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_rsa_in_both_forms(tmp_path: Path, form: PrivateFormat) -> None:
    key = load(key_file(tmp_path, pem(RSA, form)))
    assert key.algorithm == "rsa-sha256"
    assert key.slow
    assert key.warnings == ()
    assert len(key.sign(b"data")) == 256
    assert key.sign(b"data") == key.sign(b"data")


def test_ed25519_signs_the_digest(tmp_path: Path) -> None:
    key = load(key_file(tmp_path, ED25519_PEM.encode()))
    assert key.algorithm == "ed25519-sha256"
    assert not key.slow
    private = ed25519.Ed25519PrivateKey.from_private_bytes(
        bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    )
    assert key.sign(b"data") == private.sign(sha256(b"data").digest())


def test_text_around_the_key_is_skipped(tmp_path: Path) -> None:
    path = key_file(tmp_path, b"made in 2026\n\n" + pem(RSA))
    assert load(path).algorithm == "rsa-sha256"


def test_a_short_key_is_taken_with_a_warning(rsa_file: str) -> None:
    (warning,) = load(rsa_file).warnings
    assert warning.startswith(f"{rsa_file}: RSA key of 1024 bits, fewer than 2048; make one: ")


@pytest.mark.parametrize(
    ("mode", "warned"), [(0o400, False), (0o640, False), (0o644, True), (0o641, True)]
)
def test_a_key_open_to_all_is_taken_with_a_warning(tmp_path: Path, mode: int, warned: bool) -> None:
    path = key_file(tmp_path, pem(RSA), mode)
    expected = (f"{path}: key open to every user of this machine; chmod o= {path}",)
    assert load(path).warnings == (expected if warned else ())


def test_the_algorithm_must_fit(rsa_file: str, ed25519_file: str) -> None:
    assert load(rsa_file, "rsa-sha256").algorithm == "rsa-sha256"
    with pytest.raises(ConfigError) as caught:
        load(rsa_file, "ed25519-sha256")
    assert str(caught.value) == (
        f"{rsa_file}: a key for rsa-sha256, not ed25519-sha256;"
        " name the algorithm rsa-sha256, or another key"
    )
    with pytest.raises(ConfigError, match="a key for ed25519-sha256, not rsa-sha256"):
        load(ed25519_file, "rsa-sha256")


SECRET = "MIICXwIBAAKBgQDwIRP"
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


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    path = str(tmp_path / "none.key")
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert str(caught.value) == (
        f"{path}: cannot read the key: No such file or directory;"
        " the user that smtpd runs the filter as must be able to read it"
    )
    with pytest.raises(ConfigError, match="cannot read the key: Is a directory"):
        load(str(tmp_path))


def test_a_key_shows_nothing_of_itself(rsa_file: str) -> None:
    shown = repr(load(rsa_file))
    assert SECRET not in shown


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
