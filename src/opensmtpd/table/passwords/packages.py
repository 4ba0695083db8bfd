"""Check hashes by the packages that know them, and by OpenSSL: each may be missing.

Passwords and hashes are bytes; a hash matches the pattern of its scheme (``schemes``). Each check
raises ImportError where what it needs is missing, and one of FAULTS for a hash that it refuses.
"""

import base64
import hashlib
import hmac
import importlib
import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple, TypeAlias

from opensmtpd.table.passwords import schemes

BCRYPT_MAX = 72
"""Bytes of a password that bcrypt looks at; crypt(3) ignores the rest, bcrypt 5 raises."""

FAULTS = (ValueError, TypeError, RuntimeError, MemoryError)
"""Errors that the packages raise for hashes they refuse, and where there is no memory."""

_Check: TypeAlias = Callable[[bytes, bytes], bool]
"""Takes password and hash."""


class PasswordChecker(NamedTuple):
    """A library that checks hashes of a scheme."""

    needs: str
    """The package or library to install."""
    check: _Check
    second: bool = False
    """True where crypt(3) is asked first: it is several times as fast, without the interpreter."""


def _argon2(secret: bytes, hash: bytes) -> bool:
    """Check a hash in one thread: a worker may start none, and a row shall not ask for many.

    The package's own ``verify_secret`` starts a thread for each lane, with the same result.
    """
    low_level = importlib.import_module("argon2.low_level")
    types = {b"d": low_level.Type.D, b"i": low_level.Type.I, b"id": low_level.Type.ID}
    *fields, salt, wanted = hash.split(b"$")
    numbers = {name: int(number) for name, number in re.findall(rb"([vmtp])=(\d+)", hash)}
    salt, wanted = _unpadded(salt), _unpadded(wanted)
    new = low_level.ffi.new
    made = new("uint8_t[]", len(wanted))
    inputs = [new("uint8_t[]", data) for data in (secret, salt)]  # kept for the call
    context = new(
        "argon2_context *",
        {
            **{"version": numbers.get(b"v", 16), "out": made, "outlen": len(wanted)},
            **{"pwd": inputs[0], "pwdlen": len(secret), "salt": inputs[1], "saltlen": len(salt)},
            **{"t_cost": numbers[b"t"], "m_cost": numbers[b"m"]},
            **{"lanes": numbers[b"p"], "threads": 1},
        },
    )
    fault = low_level.core(context, types[fields[1][6:]].value)
    if fault:
        raise ValueError(low_level.error_to_str(fault))
    return hmac.compare_digest(bytes(made), wanted)


def _unpadded(text: bytes) -> bytes:
    """Read Base64 without padding. Raises ValueError where bits are left over, as libargon2."""
    data = base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    if base64.b64encode(data).rstrip(b"=") != text:
        raise ValueError("malformed")
    return data


def _bcrypt(secret: bytes, hash: bytes) -> bool:
    bcrypt = importlib.import_module("bcrypt")
    return bool(bcrypt.checkpw(secret[:BCRYPT_MAX], hash))


def _scrypt(secret: bytes, hash: bytes) -> bool:
    """Check a hash as passlib writes it: Base64 without padding."""
    scrypt = getattr(hashlib, "scrypt", None)
    match = re.fullmatch(schemes.SCHEMES[b"$scrypt$"].pattern, hash)
    if scrypt is None:
        raise ImportError("OpenSSL without scrypt")
    if not match:
        raise ValueError("malformed")
    log2_n, r, p = map(int, match.groups()[:3])
    salt, wanted = (base64.b64decode(text + b"=" * (-len(text) % 4)) for text in match.groups()[3:])
    memory = 128 * r * ((1 << log2_n) + p + 2)
    made = scrypt(
        secret, salt=salt, n=1 << log2_n, r=r, p=p, maxmem=memory + (1 << 20), dklen=len(wanted)
    )
    return hmac.compare_digest(made, wanted)


def _passlib(name: str) -> _Check:
    """Return what checks a hash by the class of that name in passlib (or libpass)."""

    def check(secret: bytes, hash: bytes) -> bool:
        handlers: Any = importlib.import_module("passlib.hash")
        return bool(getattr(handlers, name).verify(secret, hash))

    return check


CHECKERS = {
    b"$argon2id$": PasswordChecker("argon2-cffi", _argon2),
    b"$argon2i$": PasswordChecker("argon2-cffi", _argon2),
    b"$argon2d$": PasswordChecker("argon2-cffi", _argon2),
    b"$scrypt$": PasswordChecker("a Python whose OpenSSL knows scrypt", _scrypt),
    b"$2a$": PasswordChecker("bcrypt", _bcrypt),
    b"$2b$": PasswordChecker("bcrypt", _bcrypt),
    b"$2y$": PasswordChecker("bcrypt", _bcrypt),
    b"$5$": PasswordChecker("libpass", _passlib("sha256_crypt"), second=True),
    b"$6$": PasswordChecker("libpass", _passlib("sha512_crypt"), second=True),
}
"""Checkers by the beginning of the hash."""


def checker(hash: bytes) -> PasswordChecker | None:
    """Return the checker of a hash, None where only crypt(3) may know it."""
    parts = hash.split(b"$", 2)
    return CHECKERS.get(b"$" + parts[1] + b"$") if len(parts) == 3 else None


def load() -> None:
    """Load all that there is: each checker computes a hash that takes next to no time."""
    for hash in _CHEAP:
        with suppress(ImportError, *FAULTS):
            CHECKERS[hash[: hash.index(b"$", 1) + 1]].check(b"", hash)


_CHEAP = (
    b"$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$c2FsdHNhbHRzYWx0c2FsdA",
    b"$scrypt$ln=1,r=1,p=1$c2FsdA$" + 43 * b"A",
    b"$2b$04$" + 53 * b".",
    b"$5$rounds=1000$salt$" + 43 * b".",
    b"$6$rounds=1000$salt$" + 86 * b".",
)
