"""Hashes checked by packages and by OpenSSL."""

import hashlib
import sys

import pytest

from opensmtpd.table.passwords import packages

SCRYPT = b"$scrypt$ln=14,r=8,p=1$U29kaXVtQ2hsb3JpZGU$cCO9yzr9c0hGHAbNgf046/2o+7qQT44+qbVD9lRdofI"


def check(secret: bytes, hash: bytes) -> bool:
    checker = packages.checker(hash)
    assert checker is not None
    return checker.check(secret, hash)


def test_scrypt_by_openssl() -> None:
    """RFC 7914, section 12, cut to 32 bytes."""
    assert check(b"pleaseletmein", SCRYPT) is True
    assert check(b"pleaseletmein!", SCRYPT) is False


def test_scrypt_of_the_largest_memory_is_computed() -> None:
    assert check(b"x", b"$scrypt$ln=17,r=15,p=1$c2FsdA$" + 43 * b"A") is False


@pytest.mark.parametrize("salt", [b"a", b"aaaaa", b"ab=="])
def test_a_salt_that_is_no_base64(salt: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        check(b"x", b"$scrypt$ln=4,r=8,p=1$" + salt + b"$" + 43 * b"A")


def test_an_openssl_without_scrypt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(hashlib, "scrypt")
    with pytest.raises(ImportError):
        check(b"x", SCRYPT)


def test_hashes_for_crypt_alone() -> None:
    for hash in (b"$y$jCT$salt$hash", b"$2x$04$" + 53 * b".", b"abNANd1rDfiNc", b"_J9..abcd", b""):
        assert packages.checker(hash) is None


def test_all_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("argon2.low_level", "bcrypt", "passlib.hash", "passlib.handlers.sha2_crypt"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    packages.load()
    for name in ("argon2.low_level", "bcrypt", "passlib.hash"):
        assert name in sys.modules


def test_nothing_to_load(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("argon2.low_level", "bcrypt", "passlib.hash"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delattr(hashlib, "scrypt")
    packages.load()
