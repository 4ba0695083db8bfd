"""Schemes: how hashes are told apart, and which of them are refused."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opensmtpd.table.passwords import libcrypt, schemes

PHC = b"$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA"

ACCEPTED = [
    (b"$argon2id$v=19$m=65536,t=3,p=4" + PHC, "argon2id"),
    (b"$argon2i$m=65536,t=3,p=1" + PHC, "argon2i"),
    (b"$argon2d$v=16$m=65536,t=3,p=1" + PHC, "argon2d"),
    (b"$scrypt$ln=16,r=8,p=1$c2FsdHNhbHQ$" + 43 * b"A", "scrypt"),
    (b"$2b$12$" + 53 * b"a", "bcrypt"),
    (b"$2y$15$" + 53 * b"a", "bcrypt"),
    (b"$5$rounds=535000$saltsaltsaltsalt$" + 43 * b"a", "SHA-256-crypt"),  # passlib's default
    (b"$6$rounds=656000$saltsaltsaltsalt$" + 86 * b"a", "SHA-512-crypt"),  # passlib's default
    (b"$6$salt$" + 86 * b"a", "SHA-512-crypt"),
    (b"$7$C6..../....SodiumChloride$" + 43 * b"a", "scrypt ($7$)"),
    (b"$y$j9T$saltsaltsaltsalt$" + 43 * b"a", "yescrypt"),  # Debian's passwd(1)
    (b"$y$jCT$saltsaltsaltsalt$" + 43 * b"a", "yescrypt"),
    (b"$gy$jCT$saltsaltsaltsalt$" + 43 * b"a", "gost-yescrypt"),
    (b"$sha1$24680$saltsalt$" + 28 * b"a", "SHA-1-crypt"),
    (b"$md5,rounds=5000$saltsalt$$" + 22 * b"a", "SunMD5"),
    (b"$1$saltsalt$" + 22 * b"a", "MD5-crypt"),
    (b"$3$$" + 32 * b"a", "NT"),
    (b"_J9..abcd" + 11 * b"a", "BSDi DES"),
    (13 * b"a", "DES"),
]


@pytest.mark.parametrize(("hash", "name"), ACCEPTED)
def test_hashes_of_each_kind(hash: bytes, name: str) -> None:
    scheme = schemes.find(hash)
    assert (scheme.name, schemes.fault(hash, scheme)) == (name, "")


@pytest.mark.parametrize(("hash", "name"), ACCEPTED)
@pytest.mark.parametrize("behind", [b"::::::", b" # comment", b"\n", b"$", b"\0", b"\xff"])
def test_what_stands_around_a_hash_is_none_of_it(hash: bytes, name: str, behind: bytes) -> None:
    scheme = schemes.find(hash + behind)
    assert scheme.name == ("unknown" if name == "DES" else name)
    assert schemes.fault(hash + behind, scheme) == "it is malformed"
    scheme = schemes.find(b" " + hash)
    assert (scheme.name, schemes.fault(b" " + hash, scheme)) == ("unknown", "it is malformed")


@pytest.mark.parametrize(
    "hash", [b"", b"$", b"$$", b"$9$salt$hash", b"$Y$j9T$a$b", b"$pbkdf2-sha256$1$a$b", 12 * b"a"]
)
def test_what_is_no_hash_of_any_kind(hash: bytes) -> None:
    assert schemes.find(hash) is schemes.UNKNOWN
    assert schemes.fault(hash, schemes.UNKNOWN) == "it is malformed"


@pytest.mark.parametrize(("hash", "name"), ACCEPTED)
def test_what_crypt_computes_for_smtpd_is_marked_so(hash: bytes, name: str) -> None:
    by_crypt = libcrypt.crypt(b"secret", hash) is not None
    assert schemes.find(hash).by_crypt is (name not in ("argon2id", "argon2i", "argon2d", "scrypt"))
    assert by_crypt is schemes.find(hash).by_crypt


@given(st.sampled_from([hash for hash, _ in ACCEPTED]), st.data())
@settings(max_examples=300)
def test_nothing_is_raised_for_any_bytes(hash: bytes, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(hash)))
    damaged = hash[:place] + data.draw(st.binary(max_size=12)) + hash[place + 1 :]
    assert schemes.fault(damaged, schemes.find(damaged)) in (
        "",
        "it is malformed",
        "it asks for too much memory or time",
    )
