"""Files that are no private key of ours: what is said of each, and that the remedies help."""

import subprocess
from base64 import b64encode, encodebytes
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given
from hypothesis import strategies as st

from opensmtpd.mail.dkim.keys.load import load
from opensmtpd.mail.dkim.keys.pem_faults import is_pss, of_text, private_keys
from unit.support.dkim_key_files import RSA, key_file, pem

GENRSA = "make one: openssl genrsa -out FILE 2048"
FROM_DER = "openssl pkey -inform DER -out NEWFILE"

ED25519 = Ed25519PrivateKey.generate()
SEED = ED25519.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
PUBLIC = ED25519.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
RSA_DER = RSA.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


@pytest.mark.parametrize(
    ("data", "fault", "remedy"),
    [
        (b"", "an empty file", GENRSA),
        (b" \r\n", "an empty file", GENRSA),
        (b"hello\n", "not a key in PEM", GENRSA),
        (pem(RSA)[:300], "a damaged private key", f"restore it, or {GENRSA}"),
        (
            pem(RSA, encryption=BestAvailableEncryption(b"secret")),
            "an encrypted key",
            "take the passphrase off: openssl pkey -in FILE -out NEWFILE",
        ),
        (pem(RSA, PrivateFormat.OpenSSH), "a key for ssh", GENRSA),
        (
            RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
            "a public key",
            "name the private key; the public one belongs into the DNS",
        ),
        (
            RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.PKCS1),
            "a public key",
            "name the private key; the public one belongs into the DNS",
        ),
        (b"-----BEGIN CERTIFICATE-----\nMIIB\n", "a certificate", "name the private key"),
        (RSA_DER, "not a key in PEM", f"convert it: {FROM_DER} -in FILE"),
        (
            pem(RSA).decode().encode("utf-16"),
            "not a key in PEM, but UTF-16 or no text",
            f"save it as ASCII, or {GENRSA}",
        ),
        (b"abc=", "not a key in PEM", GENRSA),
    ],
)
def test_the_fault_and_its_remedy(data: bytes, fault: str, remedy: str) -> None:
    assert of_text(data) == (fault, remedy)


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b64encode(SEED), "an Ed25519 key in base64, not in PEM"),
        (b64encode(SEED) + b"\r\n", "an Ed25519 key in base64, not in PEM"),
        (encodebytes(SEED + PUBLIC), "an Ed25519 key in base64, not in PEM"),
        (b64encode(RSA_DER), "a key in base64, not in PEM"),
        (encodebytes(RSA_DER).replace(b"\n", b"\r\n"), "a key in base64, not in PEM"),
        (RSA_DER, "not a key in PEM"),
    ],
    ids=range(6),
)
def test_what_is_to_convert_it_does(tmp_path: Path, data: bytes, fault: str) -> None:
    """The command of the remedy makes a key that signs as the one in the file."""
    (tmp_path / "FILE").write_bytes(data)
    found, remedy = of_text(data)
    assert found == fault
    command = remedy.partition("convert it: ")[2]
    subprocess.run(["sh", "-c", command], cwd=tmp_path, check=True)
    key = load(str(tmp_path / "NEWFILE"))
    private = ED25519 if key.algorithm == "ed25519-sha256" else RSA
    assert key.id == load(key_file(tmp_path, pem(private))).id


def test_base64_that_begins_as_a_key_in_der() -> None:
    text = b64encode(b"\xd3" * 32)
    assert text.startswith(b"0")  # 0x30
    assert of_text(text)[0] == "an Ed25519 key in base64, not in PEM"


@given(st.binary() | st.text("ABab01+/=\n ").map(str.encode))
def test_any_file_has_a_fault_of_one_line(data: bytes) -> None:
    fault, remedy = of_text(data)
    for text in (fault, remedy):
        assert text.isprintable()
        assert text
    assert is_pss(data) is False
    assert private_keys(data) == 0


def test_rsassa_pss_is_known_by_its_identifier(tmp_path: Path) -> None:
    path = tmp_path / "key"
    for more in ([], ["-pkeyopt", "rsa_pss_keygen_md:sha256"]):
        size = ["-pkeyopt", "rsa_keygen_bits:1024"]
        command = ["openssl", "genpkey", "-algorithm", "RSA-PSS", *size, *more, "-out", str(path)]
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
        assert is_pss(path.read_bytes())
    assert not is_pss(pem(RSA))
    assert not is_pss(pem(RSA, PrivateFormat.TraditionalOpenSSL))


def test_private_keys_are_counted() -> None:
    public = RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    assert private_keys(public) == 0
    assert private_keys(public + pem(RSA)) == 1
    assert private_keys(pem(RSA) + pem(RSA, PrivateFormat.TraditionalOpenSSL)) == 2
