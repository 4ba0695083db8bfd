"""crypt(3) of this system: hashes it makes, and hashes that it knows."""

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
