"""The keys that sign for a domain: from flags, from a list of domains, from a key table."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from opensmtpd.errors import ConfigError
from opensmtpd.mail.dkim import record
from opensmtpd.mail.dkim.keys import key_table as table
from opensmtpd.mail.dkim.keys import load, names
from opensmtpd.mail.dkim.keys.key import Key
from opensmtpd.mail.dkim.keys.key_table import KeyTableEntry


class Identity(NamedTuple):
    """A domain with a selector, and the key that is published under the two."""

    domain: str
    """As it was configured, but with A-labels: ``d=`` repeats it letter by letter."""
    selector: str
    key: Key


class Keyring:
    """Identities in order, found by domain."""

    def __init__(self, identities: Iterable[Identity]) -> None:
        """Take at least one identity; several of one domain all sign."""
        self._by_domain: dict[bytes, list[Identity]] = {}
        for identity in identities:
            name = identity.domain.lower().encode("ascii")
            self._by_domain.setdefault(name, []).append(identity)

    def __iter__(self) -> Iterator[Identity]:
        return (identity for group in self._by_domain.values() for identity in group)

    @property
    def warnings(self) -> list[str]:
        """Return doubts about names, keys and their files, each once, a sentence each."""
        found = [
            text
            for identity in self
            for text in (
                *names.doubts(identity.domain, identity.selector),
                *identity.key.warnings,
            )
        ]
        return list(dict.fromkeys(found))

    @property
    def first(self) -> list[Identity]:
        """Return the identities of the domain that was named first."""
        return next(iter(self._by_domain.values()))

    def find(self, domain: bytes) -> list[Identity] | None:
        """Return the identities for a domain in lower case, or for its nearest parent."""
        while domain:
            found = self._by_domain.get(domain)
            if found is not None:
                return found
            domain = domain.partition(b".")[2]
        return None


def one_key(domains: Iterable[str], selector: str, key: Key) -> Keyring:
    """Return the keyring that signs for all ``domains`` with one key, as the C filter does.

    Raises ConfigError for a domain or a selector that a signature cannot hold.
    """
    selector = names.check("selector", selector)
    unique: dict[str, str] = {}
    for name in domains:
        domain = names.check("domain", name)
        record.name(domain, selector)
        unique.setdefault(domain.lower(), domain)
    return Keyring([Identity(domain, selector, key) for domain in unique.values()])


def domain_file(path: str) -> list[str]:
    """Return the domains of a file: one a line, those that begin with ``#`` skipped.

    Raises ConfigError for a file that cannot be read, and for what is no domain.
    """
    return [
        names.check("domain", domain, path, number)
        for number, domain in table.lines(table.read(path))
    ]


def key_table(path: str) -> Keyring:
    """Read a key table and its keys. Raises ConfigError, with file and line."""
    loaded: dict[tuple[str, str | None], Key] = {}
    identities = []
    for entry in table.entries(table.read(path), path):
        same = (entry.file, entry.algorithm)
        if same not in loaded:
            loaded[same] = load_entry(entry, path)
        identities.append(Identity(entry.domain, entry.selector, loaded[same]))
    return Keyring(identities)


def load_entry(entry: KeyTableEntry, path: str) -> Key:
    """Read the key of a line in the table at ``path``. Raises ConfigError, with file and line."""
    try:
        return load.load(entry.file, entry.algorithm)
    except ConfigError as error:
        raise ConfigError(
            f"{error.path}: {error.message}" if error.path else error.message,
            path=path, line=entry.line, remedy=error.remedy,
        ) from None  # fmt: skip
