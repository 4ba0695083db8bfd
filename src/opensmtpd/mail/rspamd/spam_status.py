"""The fields that say why a message is spam, letter for letter as the filter in Go writes them."""

import struct
from typing import Any

_LINE = 68
"""Bytes that a line of tests has, at most, if it has more than one."""
_LARGE = 6
"""The power of ten from which on Go writes an exponent."""


def score(value: float, required: float) -> bytes:
    """Return the value of ``X-Spam-Score``."""
    return f"{_shortest(value)} / {_shortest(required)}".encode()


def status(value: float, required: float, symbols: list[list[Any]]) -> list[bytes]:
    """Return the lines of the value of ``X-Spam-Status``.

    ``symbols`` are names (bytes) and scores. There is no comma where a line ends.
    """
    lines = [b"Yes, score=%.3f required=%.3f" % (_single(value), _single(required))]
    line, begun = b"tests=[", False
    for name, points in sorted(symbols):
        test = b"%s=%.3f" % (_word(name), _single(points))
        if line and len(test) + len(line) > _LINE:
            lines.append(b"\t" + line)
            line = b""
        if line and begun:
            line += b", "
        line += test
        begun = True
    return [*lines, b"\t" + line + b"]"]


def _word(name: bytes) -> bytes:
    """Return the name of a symbol without what cannot stand in a field."""
    return name.translate(None, b"\r\n\0")


def _single(value: float) -> float:
    """Return the number that Go has, with 24 bits."""
    single: float = struct.unpack("f", struct.pack("f", value))[0]
    return single


def _shortest(value: float) -> str:
    """Return the shortest text that means the same number with 24 bits, as ``%v`` in Go."""
    single = _single(value)
    texts = (f"{single:.{digits}e}" for digits in range(9))
    text = next(each for each in texts if _single(float(each)) == single)
    digits, _, exponent = text.partition("e")
    if not -5 < int(exponent) < _LARGE:
        return text
    after_point = max(0, len(digits.lstrip("-")) - 2 - int(exponent)) if "." in digits else 0
    return f"{float(text):.{max(after_point, -int(exponent))}f}"
