"""What is taken from the package cryptography by other ways than the public ones."""

import importlib
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.bindings import _rust
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import example, given
from hypothesis import strategies as st

from opensmtpd.mail.dkim.keys import library
from unit.support.dkim_key_files import RSA, pem
from unit.support.dkim_material import ED25519_PEM


@given(st.integers(1024, 4100), st.integers(1 << 1023, 1 << 4100), st.integers(1, 1 << 32))
@example(1024, 0, 1)
@example(1031, 0, 64)  # the first bit of each number is that of a byte
@example(4096, 0, 32768)
def test_an_rsa_key_is_the_der_of_the_library(bits: int, noise: int, half: int) -> None:
    modulus = 1 << (bits - 1) | noise % (1 << (bits - 1)) | 1
    public = RSAPublicNumbers(2 * half + 1, modulus).public_key()
    wanted = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert library.public_der(public) == wanted


@given(st.binary(min_size=32, max_size=32))
def test_an_ed25519_key_is_the_der_of_the_library(seed: bytes) -> None:
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key()
    assert library.ed25519_raw(public) == public.public_bytes(Encoding.Raw, PublicFormat.Raw)
    wanted = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert library.public_der(public) == wanted


@given(st.binary())
def test_a_digest_is_that_of_hashlib(data: bytes) -> None:
    assert library.sha256(data) == sha256(data).digest()


def test_the_functions_are_those_with_public_names() -> None:
    assert library.load_pem_private_key is serialization.load_pem_private_key
    assert library.load_der_public_key is serialization.load_der_public_key


def test_without_their_private_place_the_public_names_are_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(_rust, "openssl", object())
        patch.setattr(serialization, "load_pem_private_key", "private")
        patch.setattr(serialization, "load_der_public_key", "public")
        importlib.reload(library)
        found: list[object] = [library.load_pem_private_key, library.load_der_public_key]
    importlib.reload(library)
    assert found == ["private", "public"]


def test_a_worker_with_keys_loads_neither_serialization_nor_hashlib(tmp_path: Path) -> None:
    (tmp_path / "table").write_text("a.example m rsa.key\na.example ed ed.key\n")
    (tmp_path / "rsa.key").write_bytes(pem(RSA))
    (tmp_path / "ed.key").write_text(ED25519_PEM)
    code = (
        "import sys\n"
        "from opensmtpd.mail.dkim.keys.signing_worker import SigningWorker\n"
        "from opensmtpd.mail.dkim.verify.keys_worker import PublicKeyWorker\n"
        "worker = SigningWorker()\n"
        "setup = dict.fromkeys(('domains', 'selector', 'key', 'algorithm'), None)\n"
        f"table = {str(tmp_path / 'table')!r}\n"
        "found, _ = worker.load(setup | {'domain_files': [], 'key_table': table})\n"
        "worker.handle([(id, bytes(32)) for _, _, _, id in found])\n"
        "PublicKeyWorker().load(None)\n"
        "print([name for name in sys.modules if 'serialization' in name or 'hashlib' in name])\n"
    )
    run = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True)
    assert run.stdout == b"['cryptography.hazmat.primitives._serialization']\n"
