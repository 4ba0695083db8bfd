"""Keys that a table is asked for, beside the program in C."""

from collections.abc import Sequence
from random import Random

KEY_MAX = 1023
"""Bytes of a key: smtpd's buffers take no more."""


def some_key(dice: Random, words: Sequence[bytes], fewest: int = 0) -> bytes:
    """Return a word, some of them together (``fewest`` or more), any bytes, or a long key."""
    match dice.randrange(4):
        case 0:
            return dice.choice(words)
        case 1:
            return b"".join(dice.choices(words, k=dice.randint(fewest, 4)))
        case 2:
            return bytes(dice.choices(range(1, 256), k=dice.randrange(40))).replace(b"\n", b"")
        case _:
            length = dice.choice((1, 255, 1022, KEY_MAX))
            return (dice.choice(words) + dice.choice((b"x", b"'", b"|", b"\xff")) * KEY_MAX)[
                :length
            ]
