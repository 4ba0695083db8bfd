"""The memory and the time that a hash asks for, told from its parameters, and the limits of both.

smtpd takes no mail while a hash is computed, so a row must not be able to ask for much. The times
were measured on one core of a server of 2024 with libxcrypt 4.4, OpenSSL 3, argon2-cffi 25 and
bcrypt 5, with passwords of 511 bytes where their length counts, and rounded up. A machine of half
that speed takes twice as long.
"""

from typing import NamedTuple

MEMORY_MAX = 256 << 20
"""Bytes of memory."""
LANES_MAX = 8
"""Parallel parts of a hash, which are computed one after another."""
SECONDS_MAX = 2.0

_ARGON2 = 1.5e-6
"""Seconds for a KiB of memory, filled once."""
_BCRYPT = 58e-6
_SCRYPT_BLOCK = 0.22e-6
"""Seconds to mix 128 bytes of memory, once."""
_SCRYPT_START = 3e-6
"""Seconds for 128 bytes of the block that scrypt begins and ends with (PBKDF2)."""
_YESCRYPT_BLOCK = 0.15e-6
_SPARE = 8192
"""Blocks of 128 bytes that scrypt may have beside its memory: a MiB."""


class Cost(NamedTuple):
    """The work to compute a hash: bytes of memory, parallel parts, seconds."""

    memory: int = 0
    lanes: int = 1
    seconds: float = 0.0

    def excessive(self) -> bool:
        """Return whether it is more than a table may spend."""
        return self.memory > MEMORY_MAX or self.lanes > LANES_MAX or self.seconds > SECONDS_MAX


def argon2(memory: int, passes: int, lanes: int) -> Cost:
    """``memory`` is in KiB. The lanes share it, and the work: one thread computes all of them."""
    return Cost(memory << 10, lanes, memory * passes * _ARGON2)


def bcrypt(log2_rounds: int) -> Cost:
    """The cost of bcrypt's key schedule, computed ``2 ** log2_rounds`` times."""
    return Cost(seconds=_BCRYPT * 2**log2_rounds)


def rounds(count: int, seconds: float) -> Cost:
    """The cost of so many rounds, of so many seconds each."""
    return Cost(seconds=count * seconds)


def scrypt(log2_n: int, r: int, p: int) -> Cost:
    """The cost of scrypt by RFC 7914: each of ``p`` parts fills the memory and reads it again."""
    blocks = r << log2_n
    seconds = p * (2 * blocks * _SCRYPT_BLOCK + r * _SCRYPT_START)
    return Cost(_blocks(blocks, r * p), p, seconds)


def yescrypt(log2_n: int, r: int, p: int, passes: float, *, shared: bool = True) -> Cost:
    """The cost of yescrypt, whose ``p`` parts share the memory, or fill it one after another.

    ``passes`` says how often the memory is read after it was filled.
    """
    blocks = r << log2_n
    mixed = blocks * (1 + passes) * (1 if shared else p)
    seconds = mixed * _YESCRYPT_BLOCK + r * p * _SCRYPT_START
    return Cost(_blocks(blocks, r * p), p, seconds)


def _blocks(memory: int, beside: int) -> int:
    return 128 * (memory + max(0, beside - _SPARE))
