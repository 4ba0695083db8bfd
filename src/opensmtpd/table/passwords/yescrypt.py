"""Read the parameters of ``$7$`` (scrypt) and ``$y$`` (yescrypt) as libxcrypt does.

Source: ``yescrypt_r`` in ``alg-yescrypt-common.c``, ``smix`` and ``yescrypt_kdf_body`` in
``alg-yescrypt-opt.c`` of libxcrypt.
"""

from opensmtpd.table.passwords import cost
from opensmtpd.table.passwords.cost import Cost

_DIGITS = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_VALUES = {digit: value for value, digit in enumerate(_DIGITS)}

_LOG2_MAX = 31
"""The most for the logarithm of N: libxcrypt keeps N in 32 bits."""
_SCRYPT, _WORM, _DEFAULTS = 0, 1, 47
"""Flavors of yescrypt. Of those from 2 on, which differ in details, libxcrypt knows one."""
_P, _T, _G, _ROM = 1, 2, 4, 8
"""Bits that say which optional parameters follow."""


def scrypt_cost(log2_n: bytes, r: bytes, p: bytes) -> Cost:
    """Return the cost of ``$7$``: a digit, then two numbers of five. Raises ValueError."""
    exponent, blocks, lanes = _VALUES[log2_n[0]], fixed(r), fixed(p)
    _check(exponent, blocks, lanes)
    return cost.scrypt(exponent, blocks, lanes)


def yescrypt_cost(parameters: bytes) -> Cost:
    """Return the cost of ``$y$`` and ``$gy$``. Raises ValueError for what libxcrypt refuses."""
    digits = _Digits(parameters)
    flavor, exponent, r = digits.number(0), digits.number(1), digits.number(1)
    have = digits.number(1) if digits.left() else 0
    p = digits.number(2) if have & _P else 1
    t = digits.number(1) if have & _T else 0
    if have & ~(_P | _T) or digits.left():  # with _G or _ROM, there is nothing that knows it
        raise ValueError("parameters that libxcrypt does not know")
    _check(exponent, r, p)
    if flavor == _SCRYPT and not t:
        return cost.scrypt(exponent, r, p)
    if flavor == _WORM:
        return cost.yescrypt(exponent, r, p, 1.5 if t == 1 else max(t, 1), shared=False)
    if flavor == _DEFAULTS:
        return cost.yescrypt(exponent, r, p, (1 + t) / 3 if t <= 1 else t - 1)
    raise ValueError("a flavor that libxcrypt does not know")


def _check(log2_n: int, r: int, p: int) -> None:
    """Raise ValueError for parameters that libxcrypt refuses."""
    if not 2 <= log2_n <= _LOG2_MAX or not r or not p or r * p >= 1 << 30:
        raise ValueError("N, r or p out of range")


def fixed(digits: bytes) -> int:
    """Read a number of five digits, the lowest first (``decode64_uint32_fixed``)."""
    return sum(_VALUES[digit] << 6 * place for place, digit in enumerate(digits))


class _Digits:
    """Numbers of one to six digits, the first of which tells how many (``decode64_uint32``)."""

    def __init__(self, digits: bytes) -> None:
        self._digits = digits
        self._place = 0

    def left(self) -> bool:
        return self._place < len(self._digits)

    def number(self, least: int) -> int:
        """Read the next one, of ``least`` or more. Raises ValueError."""
        first = self._digit()
        start, end, bits, number = 0, 47, 0, least
        while first > end:
            number += (end + 1 - start) << bits
            start, end = end + 1, end + 1 + (62 - end) // 2
            bits += 6
        number += (first - start) << bits
        while bits:
            bits -= 6
            number += self._digit() << bits
        return number

    def _digit(self) -> int:
        if not self.left():
            raise ValueError("a number cut short")
        self._place += 1
        return _VALUES[self._digits[self._place - 1]]
