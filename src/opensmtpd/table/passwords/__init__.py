"""Password hashes: check them, and make them as ``smtpctl encrypt`` does.

argon2 needs argon2-cffi, bcrypt the package of that name, scrypt (``$scrypt$``) an OpenSSL that has
it, SHA-crypt (``$5$`` and ``$6$``) libpass or passlib where crypt(3) lacks it. Without these, and
for every other known kind, crypt(3) of this system is asked, as smtpd does. ``prepare`` loads them
all. A hash of a kind that is not known, whose parameters are not written as they should be, or that
asks for too much memory or time is refused before anything is computed.

Passwords are str with ``surrogateescape``, as they come from smtpd. No text of an error holds
anything of a hash or a password.
"""

import hmac
import importlib
import secrets
from collections.abc import Iterable
from contextlib import suppress
from typing import NamedTuple

from opensmtpd.errors import ConfigError, LocalError
from opensmtpd.table.passwords import libcrypt, packages, prefixes, schemes
from opensmtpd.table.passwords.schemes import Scheme

__all__ = [
    "PASSWORD_MAX",
    "Inspection",
    "bare",
    "check_rows",
    "encrypt",
    "inspect",
    "prepare",
    "verify",
]

PASSWORD_MAX = 511
"""Bytes of a password that can match: crypt(3) takes no more (``CRYPT_MAX_PASSPHRASE_SIZE``)."""


class Inspection(NamedTuple):
    """The properties of a hash that can be told without computing it."""

    scheme: str
    """Its kind, as ``SHA-512-crypt``; "unknown" for a kind that is not known, and for what is no
    hash; "" for a locked account."""
    by_crypt: bool
    """Whether smtpd itself can check this kind, by crypt(3), where its system knows it."""
    fault: str
    """Why ``verify`` refuses it, "" where nothing speaks against it."""

    def named(self) -> str:
        """Return the kind with its article, as it stands in front of the word hash."""
        if self.scheme == "unknown":
            return "an unknown kind of"
        return f"{'an' if self.scheme.startswith(('argon', 'MD5', 'NT')) else 'a'} {self.scheme}"


def inspect(hash: str) -> Inspection:
    """Look at a hash, of which nothing is computed; one with a scheme in braces, at the rest."""
    hash = bare(hash)
    if _locked(hash):
        return Inspection("", True, "")
    raw = hash.encode("utf-8", "surrogateescape")
    scheme = schemes.find(raw)
    return Inspection(scheme.name, scheme.by_crypt, schemes.fault(raw, scheme))


def check_rows(rows: Iterable[tuple[int, str, str]], path: str) -> None:
    """Raise ConfigError for the first row that ``verify`` would refuse: line, user and hash."""
    refused = [(line, user, found) for line, user, hash in rows if (found := inspect(hash)).fault]
    if refused:
        line, user, found = refused[0]
        more = f" (and {len(refused) - 1:,} more)" if len(refused) > 1 else ""
        fault = f"{user}: cannot check {found.named()} hash: {found.fault}{more}"
        remedy = "make a new one with smtpctl encrypt, or write * to lock the account"
        raise ConfigError(fault, path=path, line=line, remedy=remedy)


def bare(hash: str) -> str:
    """Return a hash without the scheme in braces that Dovecot writes in front of it.

    It stays where it is none of those that can be checked, or does not fit the hash.
    """
    return prefixes.split(hash)[1]


def verify(password: str, hash: str | None, user: str = "") -> bool:
    """Return whether ``hash`` is one of ``password``.

    It takes as long without a hash (None: there is no such user).

    Locked accounts (``*``, ``!``, ``x`` or nothing where the hash belongs) never match, nor do
    passwords with a NUL or of more than PASSWORD_MAX bytes. A scheme in braces in front of the hash
    is passed over (``bare``). Raises LocalError, which names the user, for a hash that is
    malformed, of a kind that cannot be checked here, or that asks for too much memory or time.
    """
    secret = password.encode("utf-8", "surrogateescape")
    if b"\0" in secret or len(secret) > PASSWORD_MAX:
        return False
    if hash is None or _locked(bare(hash)):
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
        made = bcrypt.hashpw(secret[: packages.BCRYPT_MAX], bcrypt.gensalt(10))
    return made.decode("ascii")


def prepare() -> None:
    """Load whatever checks hashes, and make the hash that stands for users who do not exist.

    A table that serves ``auth`` calls it at start: what is loaded later may be gone by then, with
    an upgrade, say. Takes about a second at most.
    """
    packages.load()
    with suppress(LocalError):
        _remember(encrypt(secrets.token_hex()).encode("ascii"))


def _locked(hash: str) -> bool:
    return hash in ("", "x") or hash.startswith(("*", "!"))


# The last hash that could be checked. To compute it again takes exactly as long as it takes for
# the table's users, at the same cost; what comes out is not looked at.
_last: bytes | None = None


def _remember(hash: bytes) -> None:
    global _last  # noqa: PLW0603  one process serves one table
    _last = hash


def _decoy(secret: bytes) -> bool:
    """Compute a hash all the same, so that nobody can tell by the time which users there are."""
    with suppress(LocalError, ValueError):  # nothing to compute with: then no user's is, either
        if _last is None:
            _remember(encrypt(secrets.token_hex()).encode("ascii"))
        hash = _last or b""
        _matches(secret, hash, schemes.find(hash))
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
