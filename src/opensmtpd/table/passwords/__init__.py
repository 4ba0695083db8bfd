"""Password hashes: check them, and make them as ``smtpctl encrypt`` does.

argon2 needs argon2-cffi, bcrypt the package of that name, scrypt (``$scrypt$``) libpass or passlib;
so does SHA-crypt (``$5$`` and ``$6$``) where crypt(3) lacks it. Without its package, and for every
other kind, crypt(3) of this system is asked, as smtpd does. All are imported when they are needed
first.

Passwords are str with ``surrogateescape``, as they come from smtpd. No text of an error holds
anything of a hash or a password.
"""

import hmac
import importlib
import re
import secrets
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

from opensmtpd.errors import LocalError
from opensmtpd.table.passwords import libcrypt

__all__ = ["PASSWORD_MAX", "encrypt", "verify"]

PASSWORD_MAX = 511
"""Bytes of a password that can match: crypt(3) takes no more (``CRYPT_MAX_PASSPHRASE_SIZE``)."""
BCRYPT_MAX = 72
"""Bytes of a password that bcrypt looks at; crypt(3) ignores the rest, bcrypt 5 raises."""

COST_MAX = 1 << 20
"""KiB of memory that a hash may ask for, or work that takes as long as to fill so much: a
writer of a table must not be able to take all memory of the machine."""

_Check: TypeAlias = Callable[[bytes, bytes], bool]
"""Takes password and hash. Raises one of _FAULTS for a hash it cannot read."""
_FAULTS = (ValueError, TypeError, RuntimeError, MemoryError)
"""Errors that the packages raise for such hashes, and for those that ask for too much memory."""


class _Kind(NamedTuple):
    name: str
    package: str = ""
    check: _Check | None = None
    first: bool = False
    """True where crypt(3) is asked first: it is several times as fast, without the interpreter."""


def verify(password: str, hash: str | None) -> bool:
    """Return whether ``hash`` is one of ``password``.

    It takes as long without a hash (None: there is no such user).

    Locked accounts (``*``, ``!``, ``x`` or nothing where the hash belongs) never match, nor do
    passwords with a NUL or of more than PASSWORD_MAX bytes. Raises LocalError for a hash that is
    malformed or of a kind that cannot be checked here.
    """
    secret = password.encode("utf-8", "surrogateescape")
    if b"\0" in secret or len(secret) > PASSWORD_MAX:
        return False
    if hash is None or hash in ("", "x") or hash.startswith(("*", "!")):
        return _decoy(secret)
    raw = hash.encode("utf-8", "surrogateescape")
    matches = _matches(secret, raw)
    _remember(raw)
    return matches


def encrypt(password: str) -> str:
    """Return a hash, of the kind that ``smtpctl encrypt`` would choose on this system.

    Raises LocalError for a password that ``verify`` would never accept, and where nothing can make
    a hash.
    """
    secret = password.encode("utf-8", "surrogateescape")
    if b"\0" in secret or len(secret) > PASSWORD_MAX:
        raise LocalError(f"a password has at most {PASSWORD_MAX} bytes, and none is NUL")
    made = libcrypt.new_hash(secret)
    if made is None:
        try:
            bcrypt = importlib.import_module("bcrypt")
        except ImportError:
            raise LocalError("nothing here can hash a password; install bcrypt") from None
        made = bcrypt.hashpw(secret[:BCRYPT_MAX], bcrypt.gensalt(10))
    return made.decode("ascii")


# The last hash that could be checked. To compute it again takes exactly as long as it takes for
# the table's users, at the same cost; what comes out is not looked at.
_last: bytes | None = None


def _remember(hash: bytes) -> None:
    global _last  # noqa: PLW0603  one process serves one table
    _last = hash


def _decoy(secret: bytes) -> bool:
    """Compute a hash all the same, so that nobody can tell by the time which users there are."""
    try:
        if _last is None:
            _remember(encrypt(secrets.token_hex()).encode("ascii"))
        _matches(secret, _last or b"")
    except LocalError:  # nothing to compute with: then no user's hash is computed either
        pass
    return False


def _matches(secret: bytes, hash: bytes) -> bool:
    """Raises LocalError."""
    kind = _kind(hash)
    if _cost(hash) > COST_MAX:
        raise LocalError(f"cannot check {kind.name} hash: it asks for too much memory or time")
    missing = False
    if kind.check is None or kind.first:
        found = _by_system(secret, hash)
        if found is not None:
            return found
    if kind.check is not None:
        try:
            return kind.check(secret, hash)
        except ImportError:
            missing = True
        except _FAULTS:  # crypt(3) is less strict about salts
            pass
        found = None if kind.first else _by_system(secret, hash)
        if found is not None:
            return found
    raise LocalError(f"cannot check {kind.name} hash: {_reason(kind, missing)}")


def _by_system(secret: bytes, hash: bytes) -> bool | None:
    """Ask crypt(3); None where it cannot tell."""
    made = libcrypt.crypt(secret, hash) if _PLAUSIBLE.fullmatch(hash) else None
    return hmac.compare_digest(made, hash) if made and len(made) == len(hash) else None


_COSTS: tuple[tuple[re.Pattern[bytes], Callable[..., int]], ...] = (
    (re.compile(rb"\$argon2.*\$m=(\d+),t=(\d+)"), lambda m, t: max(m, m * t // 4)),
    (
        re.compile(rb"\$scrypt\$ln=(\d+),r=(\d+),p=(\d+)"),
        lambda ln, r, p: (r << min(ln, 60)) * max(4, p) // 32,
    ),
    (re.compile(rb"\$2[aby]\$(\d+)"), lambda cost: 16 << min(cost, 60)),
    (re.compile(rb"\$[56]\$rounds=(\d+)"), lambda rounds: rounds // 5),
)


def _cost(hash: bytes) -> int:
    """Return what computing a hash takes, in the measure of COST_MAX; 0 where it does not say."""
    for pattern, cost in _COSTS:
        match = pattern.match(hash)
        if match:
            return cost(*(int(number[:10]) for number in match.groups()))
    return 0


def _reason(kind: _Kind, missing: bool) -> str:
    if missing:
        return f"install {kind.package}"
    if kind.package:
        return "it is malformed, or asks for too much memory"
    return "it is malformed, or unknown to the crypt(3) of this system"


# What crypt(3) may be asked for: "$id$…", traditional DES, BSDi's DES. Anything else it would take
# for DES, too, by its first two letters.
_PLAUSIBLE = re.compile(rb"\$[!-~]+|[./0-9A-Za-z]{13}|_[./0-9A-Za-z]{19}")
_ID = re.compile(rb"\$[0-9a-z]+\$|")


def _argon2(secret: bytes, hash: bytes) -> bool:
    """Raises ImportError, ValueError."""
    low_level = importlib.import_module("argon2.low_level")
    exceptions = importlib.import_module("argon2.exceptions")
    types = {b"d": low_level.Type.D, b"i": low_level.Type.I, b"id": low_level.Type.ID}
    try:
        return bool(low_level.verify_secret(hash, secret, types[hash.split(b"$")[1][6:]]))
    except exceptions.VerifyMismatchError:
        return False
    except exceptions.Argon2Error:
        raise ValueError("malformed") from None


_BCRYPT = re.compile(rb"\$2[aby]\$(?:0[4-9]|[12][0-9]|3[01])\$[./A-Za-z0-9]{53}")


def _bcrypt(secret: bytes, hash: bytes) -> bool:
    """Raises ImportError, ValueError."""
    bcrypt = importlib.import_module("bcrypt")
    if not _BCRYPT.fullmatch(hash):
        raise ValueError("malformed")
    return bool(bcrypt.checkpw(secret[:BCRYPT_MAX], hash))


def _passlib(name: str) -> _Check:
    """Return what checks a hash by the class of that name in passlib (or libpass)."""

    def check(secret: bytes, hash: bytes) -> bool:
        handlers: Any = importlib.import_module("passlib.hash")
        return bool(getattr(handlers, name).verify(secret, hash))

    return check


_KINDS = {
    b"$argon2id$": _Kind("an argon2id", "argon2-cffi", _argon2),
    b"$argon2i$": _Kind("an argon2i", "argon2-cffi", _argon2),
    b"$argon2d$": _Kind("an argon2d", "argon2-cffi", _argon2),
    b"$2a$": _Kind("a bcrypt", "bcrypt", _bcrypt),
    b"$2b$": _Kind("a bcrypt", "bcrypt", _bcrypt),
    b"$2y$": _Kind("a bcrypt", "bcrypt", _bcrypt),
    b"$scrypt$": _Kind("a scrypt", "libpass", _passlib("scrypt")),
    b"$5$": _Kind("a SHA-256-crypt", "libpass", _passlib("sha256_crypt"), True),
    b"$6$": _Kind("a SHA-512-crypt", "libpass", _passlib("sha512_crypt"), True),
    b"$y$": _Kind("a yescrypt"),
    b"$gy$": _Kind("a gost-yescrypt"),
    b"$7$": _Kind("a scrypt ($7$)"),
    b"$1$": _Kind("an MD5-crypt"),
}
_UNKNOWN = _Kind("an unknown kind of")


def _kind(hash: bytes) -> _Kind:
    match = _ID.match(hash)
    return _KINDS.get(match[0], _UNKNOWN) if match else _UNKNOWN
