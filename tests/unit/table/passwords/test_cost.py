"""Costs: what is accepted and what is not, by memory, parallel parts and seconds."""

import pytest

from opensmtpd.table.passwords import cost
from opensmtpd.table.passwords.cost import Cost

MIB = 1 << 20


def test_the_limits() -> None:
    assert (cost.MEMORY_MAX, cost.LANES_MAX, cost.SECONDS_MAX) == (256 * MIB, 8, 2.0)
    assert not Cost(256 * MIB, 8, 2.0).excessive()
    assert Cost(256 * MIB + 1, 8, 2.0).excessive()
    assert Cost(256 * MIB, 9, 2.0).excessive()
    assert Cost(256 * MIB, 8, 2.01).excessive()
    assert not Cost().excessive()


@pytest.mark.parametrize(
    ("ours", "excessive"),
    [
        (cost.argon2(65536, 3, 4), False),  # argon2-cffi, and RFC 9106 for little memory
        (cost.argon2(262144, 4, 8), False),
        (cost.argon2(262144, 6, 1), True),
        (cost.argon2(262145, 1, 1), True),
        (cost.argon2(8192, 1, 9), True),
        (cost.argon2(64, 20_000, 1), False),
        (cost.argon2(64, 20_000, 8), False),  # in one thread: 640,000 would take a minute
        (cost.argon2(64, 21_000, 8), True),
        (cost.bcrypt(15), False),
        (cost.bcrypt(16), True),
        (cost.scrypt(14, 8, 1), False),  # passlib was at 16 once
        (cost.scrypt(16, 8, 8), False),
        (cost.scrypt(18, 8, 1), False),
        (cost.scrypt(18, 9, 1), True),
        (cost.scrypt(17, 8, 5), True),
        (cost.scrypt(4, 8, 9), True),
        (cost.scrypt(2, 400_000, 1), False),
        (cost.scrypt(2, 400_000, 2), True),
        (cost.yescrypt(15, 32, 1, 1 / 3), False),  # smtpctl encrypt
        (cost.yescrypt(16, 32, 1, 1 / 3), False),
        (cost.yescrypt(17, 32, 1, 1 / 3), True),
        (cost.yescrypt(16, 32, 4, 1, shared=False), True),
        (cost.yescrypt(12, 32, 1, 99), False),
        (cost.yescrypt(12, 32, 1, 110), True),
    ],
)
def test_what_is_excessive(ours: Cost, excessive: bool) -> None:
    assert ours.excessive() is excessive


def test_memory_is_counted_in_bytes() -> None:
    assert cost.argon2(65536, 3, 4).memory == 64 * MIB
    assert cost.scrypt(14, 8, 1).memory == 16 * MIB
    assert cost.yescrypt(15, 32, 1, 1 / 3).memory == 128 * MIB
    assert cost.scrypt(2, 100_000, 2).memory == 128 * 4 * 100_000 + 128 * 200_000 - MIB
