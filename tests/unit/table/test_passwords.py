"""Password hashes: published and independently made ones, right and wrong passwords."""

import contextlib
import hashlib
import subprocess
import sys

import bcrypt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opensmtpd.errors import LocalError
from opensmtpd.table.passwords import (
    bare,
    encrypt,
    inspect,
    libcrypt,
    prepare,
    verification,
    verify,
)

# From the argon2, crypt_blowfish, escrypt projects' own tests and RFC 7914 (cut to 32 bytes); by
# openssl passwd, by perl's crypt, by smtpctl encrypt of 7.9.
ARGON2ID = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
ARGON2I = "$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$iekCn0Y3spW+sCcFanM2xBT63UP2sghkUoHLIUpWRS8"
BCRYPT = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"
SCRYPT = "$scrypt$ln=14,r=8,p=1$U29kaXVtQ2hsb3JpZGU$cCO9yzr9c0hGHAbNgf046/2o+7qQT44+qbVD9lRdofI"
SCRYPT7 = "$7$C6..../....SodiumChloride$kBGj9fHznVYFQMEn/qDCfrDevf9YDtcDdKvEqHJLV8D"
SHA256 = "$5$abcdefgh$gruCpC7VkOTspMQTTSAR8mtlO9Upms.fwqE5y16JVM."
SHA512 = (
    "$6$abcdefgh$ltjgWl6579NluT/Vi1nwEvcil.G5Nbc4NiXZaNGStk8PSwGfQv72N2CKPPrVACtLtip/cZ/1GM/O6I"
    "ND4WQhG."
)
SHA512_ROUNDS = (
    "$6$rounds=10000$saltstringsaltst$OW1/O6BYHV6BcXZu8QVeXbDWra3Oeqh0sbHbbMCVNSnCM/UrjmM0Dp8vO"
    "uZeHBy/YTBmSK6H9qs/y3RnOaw5v."
)
YESCRYPT = "$y$jCT$9zMKGvP4v9bGUAPqaQ3b80$LTDpscYckyVy7ZtioOTAg2vc2jK4soC77mA87b2iu/C"
MD5 = "$1$abcdefgh$cHJi5PXp/ki/ktXzqlk6I1"

KNOWN = [
    ("password", ARGON2ID),
    ("password", ARGON2I),
    ("U*U", BCRYPT),
    ("\udca3", "$2y$05$/OK.fbVrR/bpIqNJ5ianF.Sa7shbm4.OzKpvFnX1pQLmQW96oUlCq"),
    ("pleaseletmein", SCRYPT),
    ("pleaseletmein", SCRYPT7),
    ("secret", SHA256),
    ("secret", SHA512),
    ("Hello world!", SHA512_ROUNDS),
    ("secret", YESCRYPT),
    ("secret", MD5),
    ("p\udce4ss\udcff", "$1$salt$iRWCvHGyVwvuTMbLaAaW8."),
    ("secret", "abNANd1rDfiNc"),
    ("secret", "_J9..abcd/H6HLCcf7nw"),
]


@pytest.fixture(autouse=True)
def nothing_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verification, "_last", None)


@pytest.fixture
def no_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("argon2.low_level", "bcrypt", "passlib.hash"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delattr(hashlib, "scrypt")


@pytest.fixture
def no_crypt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libcrypt, "_library", lambda: None)


@pytest.mark.parametrize(("password", "hash"), KNOWN)
def test_known_answers(password: str, hash: str) -> None:
    assert verify(password, hash) is True
    assert verify(password + "x", hash) is False
    assert verify(password.swapcase() if password.isascii() else "x", hash) is False
    assert verify("", hash) is False


@pytest.mark.usefixtures("no_crypt")
@pytest.mark.parametrize(
    ("password", "hash"),
    [known for known in KNOWN if known[1].startswith(("$a", "$2", "$s", "$5", "$6"))],
)
def test_the_packages_need_no_crypt(password: str, hash: str) -> None:
    assert verify(password, hash) is True
    assert verify(password + "x", hash) is False


@pytest.mark.usefixtures("no_packages")
@pytest.mark.parametrize(
    ("password", "hash"),
    [known for known in KNOWN if not known[1].startswith(("$a", "$s"))],
)
def test_crypt_needs_no_packages(password: str, hash: str) -> None:
    assert verify(password, hash) is True
    assert verify(password + "x", hash) is False


@pytest.mark.usefixtures("no_packages", "no_crypt")
@pytest.mark.parametrize(
    ("hash", "text"),
    [
        (ARGON2ID, "cannot check an argon2id hash: install argon2-cffi"),
        (ARGON2I, "cannot check an argon2i hash: install argon2-cffi"),
        (BCRYPT, "cannot check a bcrypt hash: install bcrypt"),
        (SCRYPT, "cannot check a scrypt hash: install a Python whose OpenSSL knows scrypt"),
        (SHA256, "cannot check a SHA-256-crypt hash: install libpass"),
        (SHA512, "cannot check a SHA-512-crypt hash: install libpass"),
        (YESCRYPT, "cannot check a yescrypt hash: it is malformed, or unknown to the crypt(3) of"
         " this system"),
        ("$new$what", "cannot check an unknown kind of hash: it is malformed"),
    ],
)  # fmt: skip
def test_what_nothing_can_check_says_what_to_install(hash: str, text: str) -> None:
    with pytest.raises(LocalError) as caught:
        verify("secret", hash)
    assert str(caught.value) == text


@pytest.mark.parametrize("hash", [hash for _, hash in KNOWN if hash.startswith("$")])
def test_a_hash_cut_short_is_malformed(hash: str) -> None:
    for cut in (hash[:-1], hash[:-9], hash[: len(hash) // 2], hash[: hash.index("$", 1) + 1]):
        with pytest.raises(LocalError, match="malformed"):
            verify("secret", cut)


NO_HASHES = ["secret", "s", "ab", "abNANd1rDfiN", "{PLAIN}secret", "ä", "$", "$$", "$$$", "a\0b"]
TOO_MUCH = [f"{SHA512}\n", f" {SHA512}", f"{BCRYPT}\0", f"{YESCRYPT}\0", "$6$\udcff$abc"]


@pytest.mark.parametrize("hash", NO_HASHES + TOO_MUCH)
def test_what_is_no_hash(hash: str) -> None:
    with pytest.raises(LocalError, match=r"cannot check (an unknown kind of|a .*) hash"):
        verify("secret", hash)


@given(st.sampled_from([hash for _, hash in KNOWN]), st.data())
@settings(max_examples=100, deadline=None)
def test_a_damaged_hash_never_matches_and_never_raises_anything_else(
    hash: str, data: st.DataObject
) -> None:
    # Behind the cost: a byte there may ask for years of computing, as an administrator may.
    start = hash.rindex("$") + 1 if "$" in hash else 9
    place = data.draw(st.integers(start, len(hash) - 2))
    new = data.draw(st.characters(codec="utf-8").filter(lambda char: char != hash[place]))
    with contextlib.suppress(LocalError):
        assert verify("secret or not", hash[:place] + new + hash[place + 1 :]) is False


@pytest.mark.parametrize("locked", ["", "*", "!", "!!", "x", f"!{SHA512}", "*LK*"])
@pytest.mark.parametrize("password", ["", "x", "secret", "*"])
def test_a_locked_account_never_matches(locked: str, password: str) -> None:
    assert verify(password, locked) is False


@pytest.mark.parametrize("hash", [ARGON2ID, BCRYPT, SHA256, YESCRYPT, None])
def test_passwords_that_never_match(hash: str | None) -> None:
    assert verify("secret\0", hash) is False
    assert verify("\0", hash) is False
    assert verify("x" * 512, hash) is False


def test_bcrypt_looks_at_72_bytes_as_crypt_does(monkeypatch: pytest.MonkeyPatch) -> None:
    # crypt_blowfish: "chars after 72 are ignored"
    hash = "$2a$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui"
    password = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    monkeypatch.setattr(verification, "PASSWORD_MAX", 1000)
    for secret in (password, password + "chars after 72 are ignored", password + 900 * "x"):
        assert verify(secret, hash) is True
    assert verify(password[:-1], hash) is False


class Counted:
    """Notes which hashes are computed, by bcrypt and by crypt(3)."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.computed: list[bytes] = []
        original, crypt = bcrypt.checkpw, libcrypt.crypt

        def checkpw(password: bytes, hash: bytes) -> bool:
            self.computed.append(hash)
            return original(password, hash)

        def counted_crypt(password: bytes, setting: bytes) -> bytes | None:
            self.computed.append(setting)
            return crypt(password, setting)

        monkeypatch.setattr(bcrypt, "checkpw", checkpw)
        monkeypatch.setattr(libcrypt, "crypt", counted_crypt)

    def take(self) -> list[bytes]:
        computed, self.computed = self.computed, []
        return computed


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counted:
    return Counted(monkeypatch)


@pytest.mark.parametrize("nobody", [None, "*", "x", ""])
@pytest.mark.parametrize(("password", "hash"), [("U*U", BCRYPT), ("secret", MD5)])
def test_an_unknown_user_costs_what_a_known_one_does(
    counted: Counted, password: str, hash: str, nobody: str | None
) -> None:
    verify(password, hash)
    right = counted.take()
    verify("wrong", hash)
    assert counted.take() == right == [hash.encode()]
    assert verify(password, nobody) is False  # even with that user's password
    assert counted.take() == right
    assert verify("x", nobody) is False
    assert counted.take() == right


def test_before_any_hash_was_seen_one_of_this_system_is_computed(counted: Counted) -> None:
    assert verify("x", None) is False
    [hash] = counted.take()
    assert hash[:6] == encrypt("x").encode()[:6]
    counted.take()
    assert verify("x", None) is False
    assert counted.take() == [hash]


@pytest.mark.usefixtures("no_crypt")
def test_before_any_hash_was_seen_without_crypt_one_of_bcrypt_is_computed(counted: Counted) -> None:
    assert verify("x", None) is False
    assert verify("x", None) is False
    computed = [each for each in counted.take() if each.startswith(b"$2b$10$")]
    assert len(computed) == 2


def test_the_kind_seen_last_is_computed(counted: Counted) -> None:
    for password, hash in (("U*U", BCRYPT), ("secret", MD5)):
        verify(password, hash)
        with pytest.raises(LocalError):
            verify(password, "$2b$05$short")
        counted.take()
        verify("x", None)
        assert counted.take() == [hash.encode()]


@pytest.mark.usefixtures("no_packages", "no_crypt")
def test_an_unknown_user_where_nothing_can_be_computed() -> None:
    assert verify("x", None) is False


def test_encrypt_makes_what_smtpctl_encrypt_makes() -> None:
    first, second = encrypt("secret"), encrypt("secret")
    assert first != second
    assert first.startswith("$y$jCT$")  # smtpctl encrypt on Debian, cost included
    assert len(first) == len(YESCRYPT)


@pytest.mark.usefixtures("no_crypt")
def test_encrypt_by_bcrypt_where_there_is_no_crypt() -> None:
    hash = encrypt("secret" * 20)
    assert hash.startswith("$2b$10$")
    assert verify("secret" * 20, hash) is True
    assert verify("secret", hash) is False


@pytest.mark.usefixtures("no_packages", "no_crypt")
def test_encrypt_where_nothing_can() -> None:
    with pytest.raises(LocalError, match=r"^nothing here can hash a password; install bcrypt$"):
        encrypt("secret")


@pytest.mark.parametrize("password", ["a\0b", "x" * 512, "ä" * 256])
def test_encrypt_refuses_what_would_never_match(password: str) -> None:
    with pytest.raises(LocalError, match=r"^a password has at most 511 bytes, and none is NUL$"):
        encrypt(password)


PASSWORDS = st.binary(max_size=100).map(
    lambda raw: raw.replace(b"\0", b"0").decode("utf-8", "surrogateescape")
)


@given(PASSWORDS, PASSWORDS)
@settings(max_examples=8, deadline=None)
def test_what_was_encrypted_matches_and_nothing_else_does(password: str, other: str) -> None:
    hash = encrypt(password)
    assert verify(password, hash) is True
    assert verify(other, hash) is (password == other)


def test_a_password_in_clear_is_no_salt_of_des() -> None:
    with pytest.raises(LocalError, match="cannot check an unknown kind of hash"):
        verify("x", "Secret pass!!")  # as long as a hash of DES


# The hashes of an attack on this table: each took seconds or gigabytes.
COSTLY = [
    "$argon2id$v=19$m=262145,t=1,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA",
    "$argon2d$m=65536,t=99,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA",
    "$argon2i$v=19$m=8192,t=1,p=9$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA",
    "$argon2id$v=19$m=262144,t=1,p=4000$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA",
    "$scrypt$ln=21,r=8,p=1$c2FsdHNhbHQ$" + 43 * "A",
    "$scrypt$ln=99,r=8,p=1$c2FsdHNhbHQ$" + 43 * "A",
    "$scrypt$ln=4,r=8,p=9$c2FsdHNhbHQ$" + 43 * "A",
    "$scrypt$ln=1,r=700000,p=1$c2FsdHNhbHQ$" + 43 * "A",
    "$2b$16$abcdefghijklmnopqrstuu2bVvAyH4k1tGbIQBfxqYqZ1vQ0uPvJm",
    "$6$rounds=9999999$saltsalt$" + 86 * "a",
    "$5$rounds=9999999$saltsalt$" + 43 * "a",
    "$7$J6..../....saltsaltsalt$" + 43 * ".",
    "$7$06....7....saltsaltsalt$" + 43 * ".",
    "$y$jET$saltsaltsaltsalt$" + 43 * ".",
    "$y$jFT$saltsaltsaltsalt$" + 43 * ".",
    "$gy$jFT$saltsaltsaltsalt$" + 43 * ".",
    "$y$jCT/zzzzzz$saltsaltsaltsalt$" + 43 * ".",
    "$sha1$999999$saltsalt$" + 28 * ".",
    "$md5,rounds=4294967295$saltsalt$$" + 22 * ".",
    "_zzzzsalt" + 11 * ".",
]


@pytest.mark.parametrize("hash", COSTLY)
def test_hashes_that_ask_for_too_much_are_not_computed(counted: Counted, hash: str) -> None:
    with pytest.raises(LocalError) as caught:
        verify("x", hash, "alice")
    kind = inspect(hash).scheme
    article = "an" if kind.startswith("argon") else "a"
    assert str(caught.value) == (
        f"alice: cannot check {article} {kind} hash: it asks for too much memory or time"
    )
    assert inspect(hash).fault == "it asks for too much memory or time"
    assert counted.take() == []


MALFORMED = [
    "$scrypt$ln=14,r=8,p=+20000$c2FsdHNhbHQ$" + 43 * "A",
    "$scrypt$ln=1_0,r=8,p=1$c2FsdHNhbHQ$" + 43 * "A",
    "$scrypt$ln=00000000000021,r=8,p=1$c2FsdHNhbHQ$" + 43 * "A",
    "$scrypt$ln= 4,r=8,p=1$c2FsdHNhbHQ$" + 43 * "A",
    "$scrypt$ln=\u0664,r=8,p=1$c2FsdHNhbHQ$" + 43 * "A",
    "$argon2id$v=19$m=08192,t=1,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA",
    "$argon2id$v=19$m=8192,t=-1,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA",
    "$argon2id$v=20$m=8192,t=1,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA",
    "$2b$4$" + 53 * "a",
    "$2b$+4$" + 53 * "a",
    "$2b$03$" + 53 * "a",
    "$2b$32$" + 53 * "a",
    "$6$rounds=+5000$saltsalt$" + 86 * "a",
    "$6$rounds=05000$saltsalt$" + 86 * "a",
    "$6$rounds=999$saltsalt$" + 86 * "a",
    "$6$saltsalt$" + 86 * "a" + "::::::",
    "$5$saltsalt$" + 43 * "a" + " # mine",
    "$sha1$+5$saltsalt$" + 28 * ".",
    "$md5,rounds=+5$saltsalt$$" + 22 * ".",
    "$7$.6..../....salt$" + 43 * ".",
    "$7$J...../....salt$" + 43 * ".",
    "$y$j$salt$" + 43 * ".",
    "$y$jCTz$salt$" + 43 * ".",
    "$y$jCT.$salt$" + 43 * ".",
    "$y$jCT5.$salt$" + 43 * ".",
    "$y$kCT$salt$" + 43 * ".",
    "$3$$" + 31 * "a",
    "_" + 18 * "a",
]


@pytest.mark.parametrize("hash", MALFORMED)
def test_parameters_that_no_scheme_writes_are_not_computed(counted: Counted, hash: str) -> None:
    with pytest.raises(LocalError, match=r"^bob: cannot check .* hash: it is malformed$"):
        verify("x", hash, "bob")
    assert inspect(hash).fault == "it is malformed"
    assert counted.take() == []


@pytest.mark.parametrize(
    "hash",
    [
        "$2x$04$abcdefghijklmnopqrstuunfOIiPqH/AvYsKgnKSfsSneSVvINcr2",
        "$sha1$4$saltsalt$rVQSvkHN2C55BPcKqHBzdAUftdk/",
        "$md5$saltsalt$$jcQEaAjXjK3wErykEtmU9.",
        "$md5$saltsalt$6sQF2v8ifkVDZoVtCO8KN/",
        "$md5,rounds=10$saltsalt$$Gb.M1SE.l080OIiVA5T6j0",
        "$3$$05fc880db2f34ba5722c7fad46bb49c5",
        "_cD..saltcyOR.zLWaNQ",
        "$1$$1k5FZFgC1YPtcoLTu7m8O.",
        "$6$$/ZCSupt5K7Jasy6hF41F3pOcBODfOgqJqmay4mKZpk8PkfQvlse9uvWjuO1Sc2q0.yXqoL3MCOQCJRIkm1Ddk.",
    ],
)
def test_other_kinds_that_crypt_knows(hash: str) -> None:
    assert verify("secret-pass-12", hash) is True
    assert verify("secret-pass-13", hash) is False


@pytest.mark.parametrize("scheme", ["{CRYPT}", "{crypt}", "{SHA512-CRYPT}", "{Sha512-Crypt}"])
def test_the_schemes_of_dovecot_are_passed_over(scheme: str) -> None:
    assert bare(scheme + SHA512) == SHA512
    assert verify("secret", scheme + SHA512) is True
    assert verify("Secret", scheme + SHA512) is False
    assert inspect(scheme + SHA512) == ("SHA-512-crypt", True, "")


@pytest.mark.parametrize(
    "hash",
    [
        f"{{PLAIN}}{SHA512}",
        f"{{SHA256-CRYPT}}{SHA512}",
        f"{{CRYPT}}{{CRYPT}}{SHA512}",
        "{SSHA}aa==",
    ],
)
def test_other_schemes_of_dovecot_are_no_hashes(hash: str) -> None:
    with pytest.raises(LocalError, match="cannot check an unknown kind of hash"):
        verify("secret", hash)
    assert inspect(hash) == ("unknown", False, "it is malformed")


@pytest.mark.parametrize("locked", ["{CRYPT}", "{CRYPT}*", "{crypt}!", "{CRYPT}x"])
def test_a_locked_account_behind_a_scheme(counted: Counted, locked: str) -> None:
    verify("x", MD5)
    counted.take()
    assert verify("", locked) is False
    assert counted.take() == [MD5.encode()]  # as long as for any other
    assert inspect(locked) == ("", True, "")


def test_prepare_loads_all_that_is_needed_later() -> None:
    """A fresh interpreter in which nothing can be imported or opened any more."""
    hashes = [hash for password, hash in KNOWN if password == "secret" or "argon" in hash]
    known = {hash: password for password, hash in KNOWN}
    program = f"""
import builtins, ctypes, importlib, sys
from opensmtpd.table import passwords
from opensmtpd.table.passwords import libcrypt
passwords.prepare()
def refuse(*args, **more):
    raise ImportError(args)
class Nothing:
    find_spec = staticmethod(refuse)
sys.meta_path[:] = [Nothing]
ctypes.CDLL = refuse
for hash in {hashes!r} + [{SCRYPT!r}, {BCRYPT!r}]:
    assert passwords.verify({known!r}[hash], hash) is True
    assert passwords.verify("wrong", hash) is False
libcrypt._library = lambda: None
for hash in [{SHA256!r}, {SHA512!r}]:
    assert passwords.verify("secret", hash) is True
assert passwords.verify("x", None) is False
print("done")
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=300, check=False
    )
    assert (done.stdout, done.stderr) == ("done\n", "")


@pytest.mark.usefixtures("no_packages", "no_crypt")
def test_prepare_where_there_is_nothing() -> None:
    prepare()
    assert verify("x", None) is False
