"""Compute hashes: whether one is that of a password, and new ones.

The libraries of hashes are used here only. Of a table, a worker imports this (``worker``); smtpd's
own child does not. What is raised, and for which hashes, ``opensmtpd.table.passwords`` says.
"""

import hmac
import importlib
from contextlib import suppress

from opensmtpd.errors import LocalError
from opensmtpd.table.passwords import libcrypt, packages, schemes
from opensmtpd.table.passwords.inspection import PASSWORD_MAX, bare, inspect, locked
from opensmtpd.table.passwords.schemes import Scheme

_DECOYS = (
    b"$y$jCT$saltsaltsaltsalt$" + 43 * b".",
    b"$2b$10$" + 53 * b".",
    b"$6$saltsaltsaltsalt$" + 86 * b".",
)
"""Stand for users who do not exist as long as no hash was seen: what ``encrypt`` would make, of
which the first counts that this system can compute."""


def verify(password: str, hash: str | None, user: str = "") -> bool:
    """Return whether ``hash`` is one of ``password``. Raises LocalError, which names the user."""
    secret = password.encode("utf-8", "surrogateescape")
    if b"\0" in secret or len(secret) > PASSWORD_MAX:
        return False
    if hash is None or locked(bare(hash)):
        return _decoy(secret)
    raw = bare(hash).encode("utf-8", "surrogateescape")
    scheme = schemes.find(raw)
    try:
        matches = _matches(secret, raw, scheme)
    except ValueError as error:
        whose = f"{user}: " if user else ""
        raise LocalError(f"{whose}cannot check {inspect(hash).named()} hash: {error}") from None
    _remember(raw)
    return matches


def encrypt(password: str) -> str:
    """Return a new hash of a password. Raises LocalError."""
    secret = password.encode("utf-8", "surrogateescape")
    if b"\0" in secret or len(secret) > PASSWORD_MAX:
        raise LocalError(f"a password has at most {PASSWORD_MAX} bytes, and none is NUL")
    made = libcrypt.new_hash(secret)
    if made is None:
        try:
            bcrypt = importlib.import_module("bcrypt")
        except ImportError:
            raise LocalError("nothing here can hash a password; install bcrypt") from None
        made = bcrypt.hashpw(secret[: packages.BCRYPT_MAX], bcrypt.gensalt(10))
    return made.decode("ascii")


def prepare() -> None:
    """Load whatever checks hashes: what is loaded later may be gone by then."""
    packages.load()
    libcrypt.load()


# The last hash that could be checked. To compute it again takes exactly as long as it takes for
# the table's users, at the same cost; what comes out is not looked at.
_last: bytes | None = None


def _remember(hash: bytes) -> None:
    global _last  # noqa: PLW0603  one process serves one table
    _last = hash


def _decoy(secret: bytes) -> bool:
    """Compute a hash all the same, so that nobody can tell by the time which users there are."""
    for hash in _DECOYS if _last is None else (_last,):
        with suppress(ValueError):  # nothing to compute with: then no user's is, either
            _matches(secret, hash, schemes.find(hash))
            _remember(hash)
            break
    return False


def _matches(secret: bytes, hash: bytes, scheme: Scheme) -> bool:
    """Raises ValueError with the reason why it cannot be told."""
    if fault := schemes.fault(hash, scheme):
        raise ValueError(fault)
    checker = packages.checker(hash)
    found = _by_system(secret, hash) if checker is None or checker.second else None
    if found is not None:
        return found
    reason = "it is malformed, or unknown to the crypt(3) of this system"
    if checker is not None:
        try:
            return checker.check(secret, hash)
        except ImportError:
            reason = f"install {checker.needs}"
        except packages.FAULTS:
            reason = "it is malformed, or there is no memory for it"
        found = None if checker.second else _by_system(secret, hash)  # less strict about salts
        if found is not None:
            return found
    raise ValueError(reason)


def _by_system(secret: bytes, hash: bytes) -> bool | None:
    """Ask crypt(3); None where it cannot tell."""
    made = libcrypt.crypt(secret, hash)
    return hmac.compare_digest(made, hash) if made and len(made) == len(hash) else None
