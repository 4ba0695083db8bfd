"""Signatures in the process of a test: what a worker does for filter-dkimsign."""

from opensmtpd.mail.dkim.keys.key import Key
from opensmtpd.mail.dkim.keys.keyring import Identity, Keyring
from opensmtpd.mail.dkim.keys.load import load
from opensmtpd.mail.dkim.sign.signer import Prepared

KEYS: dict[bytes, Key] = {}
"""The keys that tests have read, by their ids."""


def identity(domain: str, selector: str, file: str) -> Identity:
    """Read a key, and return an identity that has it."""
    key = load(file)
    KEYS[key.id] = key
    return Identity(domain, selector, key.algorithm, key.id)


def ring(*identities: tuple[str, str, str]) -> Keyring:
    """Return a keyring of domains, selectors and files."""
    return Keyring(identity(*each) for each in identities)


def signed(prepared: Prepared) -> list[bytes]:
    """Sign, and return the lines in front of the message."""
    return prepared.lines([KEYS[id].sign(digest) for id, digest in prepared.request])
