"""The properties of a hash that can be told from its text: nothing is computed, nothing loaded."""

from collections.abc import Iterable
from typing import NamedTuple

from opensmtpd.errors import ConfigError
from opensmtpd.table.passwords import prefixes, schemes

PASSWORD_MAX = 511
"""Bytes of a password that can match: crypt(3) takes no more (``CRYPT_MAX_PASSPHRASE_SIZE``)."""


class Inspection(NamedTuple):
    """The properties of a hash that can be told without computing it."""

    scheme: str
    """Its kind, as ``SHA-512-crypt``; "unknown" for a kind that is not known, and for what is no
    hash; "" for a locked account."""
    by_crypt: bool
    """True where smtpd itself can check this kind, by crypt(3), where its system knows it."""
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
    if locked(hash):
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


def locked(hash: str) -> bool:
    """Return whether an account with this in the place of its hash (``bare``) is locked."""
    return hash in ("", "x") or hash.startswith(("*", "!"))
