"""Parameters of $7$ and $y$: those that libxcrypt itself writes, and those that it refuses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensmtpd.table.passwords import cost, libcrypt, yescrypt

DIGITS = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def setting(prefix: bytes, count: int) -> bytes:
    made = libcrypt._setting(prefix, count)
    assert made is not None
    return made


@pytest.mark.parametrize("count", range(1, 12))
@pytest.mark.parametrize("prefix", [b"$y$", b"$gy$"])
def test_what_libxcrypt_makes_of_yescrypt(prefix: bytes, count: int) -> None:
    """crypt_gensalt(3): 1 and 2 have blocks of a KiB, the others of four."""
    log2_n, r = (count + 9, 8) if count < 3 else (count + 7, 32)
    parameters = setting(prefix, count).split(b"$")[2]
    assert yescrypt.yescrypt_cost(parameters) == cost.yescrypt(log2_n, r, 1, 1 / 3)


@pytest.mark.parametrize("count", range(6, 12))
def test_what_libxcrypt_makes_of_scrypt(count: int) -> None:
    made = setting(b"$7$", count)
    assert yescrypt.scrypt_cost(made[3:4], made[4:9], made[9:14]) == cost.scrypt(count + 7, 32, 1)


def written(number: int, least: int) -> str:
    """``encode64_uint32`` of libxcrypt."""
    start, end, chars, bits = 0, 47, 1, 0
    number -= least
    while number >= (count := (end + 1 - start) << bits):
        number -= count
        start, end = end + 1, end + 1 + (62 - end) // 2
        chars, bits = chars + 1, bits + 6
    rest = "".join(DIGITS[(number >> 6 * place) & 63] for place in reversed(range(chars - 1)))
    return DIGITS[start + (number >> bits)] + rest


def parameters(log2_n: int, r: int, p: int = 1, t: int = 0, flavor: int = 47) -> bytes:
    have = (p > 1) | (t > 0) << 1
    text = written(flavor, 0) + written(log2_n, 1) + written(r, 1)
    text += written(have, 1) if have else ""
    text += written(p, 2) if p > 1 else ""
    return (text + (written(t, 1) if t else "")).encode()


@given(
    st.integers(2, 31),
    st.integers(1, 1 << 20),
    st.integers(1, 1000),
    st.integers(0, 1 << 28),
)
def test_all_numbers_are_read(log2_n: int, r: int, p: int, t: int) -> None:
    found = yescrypt.yescrypt_cost(parameters(log2_n, r, p, t))
    passes = t - 1 if t > 1 else (1 + t) / 3
    assert found == cost.yescrypt(log2_n, r, p, passes)


def test_the_setting_that_smtpctl_makes() -> None:
    assert parameters(15, 32) == b"jCT"


@pytest.mark.parametrize(("t", "passes", "parts"), [(0, 1, 1), (1, 1.5, 1), (3, 3, 4)])
def test_the_flavor_that_only_reads(t: int, passes: float, parts: int) -> None:
    found = yescrypt.yescrypt_cost(parameters(12, 8, parts, t, flavor=1))
    assert found == cost.yescrypt(12, 8, parts, passes, shared=False)


def test_the_flavor_that_is_scrypt() -> None:
    assert yescrypt.yescrypt_cost(parameters(12, 8, 3, 0, 0)) == cost.scrypt(12, 8, 3)


REFUSED = [
    b"",
    b"j",
    b"jC",
    b"jCT.",  # p is to follow
    b"jCT/",  # t is to follow
    b"jCT..x",
    b"jCT1.",  # g: upgrades of hashes
    b"jCT5.",  # a ROM
    b"z",
    parameters(1, 8),
    parameters(32, 8),
    parameters(12, 8, flavor=2),
    parameters(12, 8, flavor=46),
    parameters(12, 8, flavor=48),
    parameters(12, 8, t=1, flavor=0),
    parameters(12, 1 << 20, 1 << 10),
]


@pytest.mark.parametrize("refused", REFUSED)
def test_parameters_that_libxcrypt_refuses(refused: bytes) -> None:
    """It says so itself, without computing anything."""
    with pytest.raises(ValueError, match=r"."):
        yescrypt.yescrypt_cost(refused)
    assert libcrypt.crypt(b"secret", b"$y$" + refused + b"$saltsaltsaltsalt") is None


@pytest.mark.parametrize(
    "refused", [b"." + b"6....", b"/" + b"6....", b"U" + b"6....", b"A" + b"....."]
)
def test_parameters_of_scrypt_that_libxcrypt_refuses(refused: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        yescrypt.scrypt_cost(refused[:1], refused[1:], b"/....")
    assert libcrypt.crypt(b"secret", b"$7$" + refused + b"/....saltsaltsalt") is None


def test_numbers_of_five_digits() -> None:
    assert yescrypt.fixed(b"/....") == 1
    assert yescrypt.fixed(b"./...") == 64
    assert yescrypt.fixed(b"zzzzz") == (1 << 30) - 1
    assert yescrypt.fixed(b"U/..") == 96
