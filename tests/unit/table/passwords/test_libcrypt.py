"""crypt(3) of this system: hashes it makes, and hashes that it knows."""

from collections.abc import Callable
from types import SimpleNamespace

import pytest

from opensmtpd.table.passwords import encrypt, libcrypt, verify


def test_encrypt_by_sha512_where_crypt_makes_no_salts(monkeypatch: pytest.MonkeyPatch) -> None:
    library = libcrypt._library()
    assert library is not None
    plain = SimpleNamespace(crypt_r=library.crypt_r)
    monkeypatch.setattr(libcrypt, "_library", lambda: plain)
    hash = encrypt("secret")
    assert hash.startswith("$6$")
    assert len(hash) == len("$6$") + 16 + len("$") + 86
    assert verify("secret", hash) is True


# By openssl passwd, and by perl's crypt.
KNOWN = [
    (b"secret", b"$1$abcdefgh$cHJi5PXp/ki/ktXzqlk6I1"),
    (b"secret", b"$5$abcdefgh$gruCpC7VkOTspMQTTSAR8mtlO9Upms.fwqE5y16JVM."),
    (b"secret", b"abNANd1rDfiNc"),
    (b"p\xe4ss\xff", b"$1$salt$iRWCvHGyVwvuTMbLaAaW8."),
]


@pytest.mark.parametrize(("password", "hash"), KNOWN)
def test_a_hash_is_a_setting_too(password: bytes, hash: bytes) -> None:
    assert libcrypt.crypt(password, hash) == hash
    salt = hash[: hash.rfind(b"$") + 1] or hash[:2]  # the rest is not looked at
    assert libcrypt.crypt(password, salt) == hash
    other = libcrypt.crypt(password + b"x", hash)
    assert other is not None
    assert other != hash
    assert len(other) == len(hash)


@pytest.mark.parametrize("setting", [b"", b"*", b"*0", b"$", b"$nothing$x", b"$5$rounds=x$y:z\n"])
def test_a_setting_that_is_none(setting: bytes) -> None:
    assert libcrypt.crypt(b"secret", setting) is None


def test_a_new_hash_has_a_salt_of_its_own() -> None:
    first, second = libcrypt.new_hash(b"secret"), libcrypt.new_hash(b"secret")
    assert first is not None
    assert second is not None
    assert first != second
    assert first[:7] == second[:7] == b"$y$jCT$"
    assert libcrypt.crypt(b"secret", first) == first


def without(*missing: bytes) -> Callable[[bytes, bytes], bytes | None]:
    """Return a crypt(3) that lacks methods, as older ones do."""
    known = libcrypt.crypt

    def crypt(password: bytes, setting: bytes) -> bytes | None:
        return None if setting.startswith(missing) else known(password, setting)

    return crypt


@pytest.mark.parametrize(
    ("missing", "prefix"),
    [
        ((b"$y$",), b"$gy$"),
        ((b"$y$", b"$gy$"), b"$7$"),
        ((b"$y$", b"$gy$", b"$7$"), b"$2a$10$"),
        ((b"$y$", b"$gy$", b"$7$", b"$2a$"), b"$6$"),
    ],
)
def test_the_next_best_method_is_taken(
    missing: tuple[bytes, ...], prefix: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(libcrypt, "crypt", without(*missing))
    made = libcrypt.new_hash(b"secret")
    assert made is not None
    assert made.startswith(prefix)


def test_weak_methods_are_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libcrypt, "crypt", without(b"$y$", b"$gy$", b"$7$", b"$2a$", b"$6$"))
    assert libcrypt.new_hash(b"secret") is None


def test_where_there_is_no_crypt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libcrypt, "_library", lambda: None)
    assert libcrypt.crypt(b"secret", KNOWN[0][1]) is None
    assert libcrypt.new_hash(b"secret") is None
