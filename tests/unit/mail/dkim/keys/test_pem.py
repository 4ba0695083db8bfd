"""Keys in PEM: which are taken, and what is said about the others."""

import subprocess
from base64 import b64encode
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa, x25519
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
    assert key.warnings == ()
    digest = sha256(b"data").digest()
    assert len(key.sign(digest)) == 256
    assert key.sign(digest) == key.sign(digest)


def test_text_around_the_key_is_skipped(tmp_path: Path) -> None:
    path = key_file(tmp_path, b"made in 2026\n\n" + pem(RSA))
    assert load(path).algorithm == "rsa-sha256"


BROKEN = RSA_PEM.replace("jxOCKG9v3b4j", "AAAAAAAAAAAA")


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"", "an empty file"),
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
    ],
    ids=range(9),
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


@pytest.mark.parametrize(
    ("private", "kind"),
    [
        (ec.generate_private_key(ec.SECP256R1()), "EC|EllipticCurve"),  # by the library's version
        (ed448.Ed448PrivateKey.generate(), "Ed448"),
        (x25519.X25519PrivateKey.generate(), "X25519"),
    ],
)
def test_a_key_of_another_kind(
    tmp_path: Path, private: ec.EllipticCurvePrivateKey, kind: str
) -> None:
    wanted = f"a key of the kind ({kind}), neither RSA nor Ed25519; make one: openssl genrsa "
    with pytest.raises(ConfigError, match=wanted):
        load(key_file(tmp_path, pem(private)))


def made(folder: Path, *arguments: str) -> str:
    """Return the file of a key that openssl makes."""
    path = folder / "private.key"
    command = ["openssl", "genpkey", *arguments, "-out", str(path)]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    path.chmod(0o600)
    return str(path)


def test_rsassa_pss(tmp_path: Path) -> None:
    """cryptography takes it for an RSA key, and no verifier takes its public key."""
    path = made(tmp_path, "-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048")
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert str(caught.value) == (
        f"{path}: a key for RSASSA-PSS, not for DKIM; make one: openssl genrsa -out FILE 2048"
    )


def test_more_bits_than_verifiers_need_to_know(tmp_path: Path) -> None:
    path = key_file(tmp_path, pem(rsa.generate_private_key(65537, 4096)))
    assert load(path).warnings == ()
    path = key_file(tmp_path, pem(rsa.generate_private_key(65537, 4104)))
    assert load(path).warnings == (
        f"{path}: RSA key of 4104 bits, and verifiers need not know more than 4096;"
        " make one: openssl genrsa -out FILE 2048",
    )


def test_exponents(tmp_path: Path) -> None:
    for number in (3, 2147483659):
        exponent = ("-pkeyopt", f"rsa_keygen_pubexp:{number}")
        path = made(tmp_path, "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", *exponent)
        assert load(path).warnings == (
            f"{path}: RSA key with the exponent {number}, not 65537;"
            " make one: openssl genrsa -out FILE 2048",
        )


def test_of_two_keys_the_first_signs_with_a_warning(tmp_path: Path) -> None:
    other = pem(ed25519.Ed25519PrivateKey.generate())
    path = key_file(tmp_path, pem(RSA) + other)
    key = load(path)
    assert key.algorithm == "rsa-sha256"
    assert key.warnings == (
        f"{path}: 2 private keys, of which only the first signs; keep one in the file",
    )
    assert load(key_file(tmp_path, other + pem(RSA))).algorithm == "ed25519-sha256"


@pytest.mark.parametrize(
    "data",
    [
        pem(RSA).replace(b"\n", b"\r\n"),
        b"\xef\xbb\xbf" + pem(RSA),
        pem(RSA).rstrip(),
        b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n" + pem(RSA),
    ],
    ids=["CRLF", "byte order mark", "no end of line", "behind a certificate"],
)
def test_files_that_other_tools_write(tmp_path: Path, data: bytes) -> None:
    key = load(key_file(tmp_path, data))
    assert (key.algorithm, key.warnings) == ("rsa-sha256", ())


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


def of_numbers(*numbers: int) -> bytes:
    """Return a file of an RSA key with these numbers (RFC 8017 appendix A.1.2)."""
    body = b"".join(map(integer, (0, *numbers)))
    text = b64encode(b"\x30\x82" + len(body).to_bytes(2, "big") + body).decode()
    return f"-----BEGIN RSA PRIVATE KEY-----\n{text}\n-----END RSA PRIVATE KEY-----\n".encode()


def test_a_key_whose_numbers_do_not_go_together(tmp_path: Path) -> None:
    numbers = rsa.generate_private_key(65537, 1024).private_numbers()
    public = numbers.public_numbers
    damaged = (public.n, public.e, numbers.d ^ 2, numbers.p, numbers.q, numbers.dmp1 ^ 2)
    data = of_numbers(*damaged, numbers.dmq1, numbers.iqmp)
    with pytest.raises(ConfigError, match="a damaged private key"):
        load(key_file(tmp_path, data))


def test_a_key_with_which_anybody_could_sign(tmp_path: Path) -> None:
    """With the exponent 1, the signature is the digest in its padding, and verifies."""
    numbers = rsa.generate_private_key(65537, 1024).private_numbers()
    data = of_numbers(numbers.public_numbers.n, 1, 1, numbers.p, numbers.q, 1, 1, numbers.iqmp)
    # cryptography 38 validates the numbers by itself.
    with pytest.raises(ConfigError, match=r"the exponent 1: anybody could|a damaged private"):
        load(key_file(tmp_path, data))
