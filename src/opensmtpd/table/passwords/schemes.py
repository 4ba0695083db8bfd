"""The kinds of hashes that can be checked: how they are written, and what each of them costs.

A pattern matches a hash in full, its parameters without signs, leading zeros or whatever else a
library might pass over. So what a hash costs is known before anything is computed, and nothing else
is given to a library, or to crypt(3). Sources: crypt(5) and the ``crypt-*.c`` of libxcrypt, and
``decode_string`` in ``encoding.c`` of argon2.
"""

import re
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from opensmtpd.table.passwords import cost, yescrypt
from opensmtpd.table.passwords.cost import Cost


class Scheme(NamedTuple):
    """A kind of hash."""

    name: str
    pattern: bytes
    """A regular expression, compiled when a hash of the kind is met: few kinds are, and all of them
    take 3 ms of a table's start."""
    cost: Callable[..., Cost]
    """Takes the groups of the pattern, as bytes, None for one that is absent. Raises ValueError."""
    by_crypt: bool = True
    """True where crypt(3) of some system knows it, and so smtpd itself."""


UNKNOWN = Scheme("unknown", b"(?!)", Cost, by_crypt=False)

_NUMBER = b"([1-9][0-9]{0,9})"
_CRYPT64 = b"[./0-9A-Za-z]"
_SALT = rb"[^\x00-\x20\x7f-\xff$:;*!\\]"


def _pattern(text: bytes) -> bytes:
    """``N`` is a number, ``D`` a digit of crypt(3), ``S`` a byte of a salt."""
    parts = {b"N": _NUMBER, b"D": _CRYPT64, b"S": _SALT}
    return re.sub(rb"<([NDS])>", lambda match: parts[match[1]], text)


def _argon2(memory: bytes, passes: bytes, lanes: bytes) -> Cost:
    return cost.argon2(int(memory), int(passes), int(lanes))


def _bcrypt(log2_rounds: bytes) -> Cost:
    return cost.bcrypt(int(log2_rounds))


def _scrypt(log2_n: bytes, r: bytes, p: bytes, _salt: bytes, _hash: bytes) -> Cost:
    return cost.scrypt(int(log2_n), int(r), int(p))


def _rounds(count: bytes | None, *, default: int = 0, more: int = 0, seconds: float) -> Cost:
    """A number of rounds, or ``default``, and ``more`` that are not said."""
    return cost.rounds((default if count is None else int(count)) + more, seconds)


def _bsdi(count: bytes) -> Cost:
    return cost.rounds(yescrypt.fixed(count), 1.3e-6)


def _scheme(name: str, text: bytes, cost: Callable[..., Cost] = Cost, **more: bool) -> Scheme:
    return Scheme(name, _pattern(text), cost, **more)


_PHC = rb"\$[A-Za-z0-9+/]+\$[A-Za-z0-9+/]+"
_ARGON2 = rb"\$(?:v=(?:16|19)\$)?m=<N>,t=<N>,p=<N>" + _PHC
_SHA = rb"\$(?:rounds=([1-9][0-9]{3,8})\$)?<S>{0,16}\$<D>"
_BCRYPT = rb"\$(0[4-9]|[12][0-9]|3[01])\$<D>{53}"
_YESCRYPT = rb"\$(<D>+)\$<D>{0,86}\$<D>{43}"

SCHEMES = {
    b"$argon2id$": _scheme("argon2id", rb"\$argon2id" + _ARGON2, _argon2, by_crypt=False),
    b"$argon2i$": _scheme("argon2i", rb"\$argon2i" + _ARGON2, _argon2, by_crypt=False),
    b"$argon2d$": _scheme("argon2d", rb"\$argon2d" + _ARGON2, _argon2, by_crypt=False),
    b"$scrypt$": _scheme(
        "scrypt",
        rb"\$scrypt\$ln=([1-9][0-9]?),r=<N>,p=<N>\$([A-Za-z0-9+/]*)\$([A-Za-z0-9+/]{43})",
        _scrypt,
        by_crypt=False,
    ),
    b"$2a$": _scheme("bcrypt", rb"\$2a" + _BCRYPT, _bcrypt),
    b"$2b$": _scheme("bcrypt", rb"\$2b" + _BCRYPT, _bcrypt),
    b"$2x$": _scheme("bcrypt", rb"\$2x" + _BCRYPT, _bcrypt),
    b"$2y$": _scheme("bcrypt", rb"\$2y" + _BCRYPT, _bcrypt),
    b"$5$": _scheme(
        "SHA-256-crypt", rb"\$5" + _SHA + b"{43}", partial(_rounds, default=5000, seconds=3.7e-6)
    ),
    b"$6$": _scheme(
        "SHA-512-crypt", rb"\$6" + _SHA + b"{86}", partial(_rounds, default=5000, seconds=3.0e-6)
    ),
    b"$7$": _scheme(
        "scrypt ($7$)", rb"\$7\$(<D>)(<D>{5})(<D>{5})<D>*\$<D>{43}", yescrypt.scrypt_cost
    ),
    b"$y$": _scheme("yescrypt", rb"\$y" + _YESCRYPT, yescrypt.yescrypt_cost),
    b"$gy$": _scheme("gost-yescrypt", rb"\$gy" + _YESCRYPT, yescrypt.yescrypt_cost),
    b"$sha1$": _scheme(
        "SHA-1-crypt", rb"\$sha1\$<N>\$<D>{1,64}\$<D>{28}", partial(_rounds, seconds=2.8e-6)
    ),
    b"$md5": _scheme(
        "SunMD5",
        rb"\$md5(?:[,$]rounds=<N>)?\$<D>*\$\$?<D>{22}",
        partial(_rounds, default=0, more=4096, seconds=1.3e-6),
    ),
    b"$1$": _scheme("MD5-crypt", rb"\$1\$<S>{0,8}\$<D>{22}"),
    b"$3$": _scheme("NT", rb"\$3\$\$[0-9a-f]{32}"),
    b"_": _scheme("BSDi DES", rb"_(<D>{4})<D>{15}", _bsdi),
}
"""Schemes by the beginning of their hashes. A hash with another beginning is DES, or unknown."""
DES = _scheme("DES", rb"<D>{13}")

_START = re.compile(rb"\$md5(?=[,$])|\$[0-9a-z]+\$|_")


def find(hash: bytes) -> Scheme:
    """Return the scheme of a hash, by its beginning; UNKNOWN where there is none."""
    start = _START.match(hash)
    if start:
        return SCHEMES.get(start[0], UNKNOWN)
    return DES if re.fullmatch(DES.pattern, hash) else UNKNOWN


def fault(hash: bytes, scheme: Scheme) -> str:
    """Return why a hash of a scheme will not be computed, "" where nothing speaks against it."""
    match = re.fullmatch(scheme.pattern, hash)
    try:
        if not match:
            raise ValueError("malformed")
        excessive = scheme.cost(*match.groups()).excessive()
    except ValueError:
        return "it is malformed"
    return "it asks for too much memory or time" if excessive else ""
