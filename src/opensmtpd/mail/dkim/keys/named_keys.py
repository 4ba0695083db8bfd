"""The keys that a configuration names: with flags, with a list of domains, with a key table."""

from collections.abc import Iterable
from typing import NamedTuple

from opensmtpd.errors import ConfigError
from opensmtpd.mail.dkim import record
from opensmtpd.mail.dkim.keys import key_table as table
from opensmtpd.mail.dkim.keys import load, names
from opensmtpd.mail.dkim.keys.key import Key
from opensmtpd.mail.dkim.keys.key_table import KeyTableEntry


class NamedKey(NamedTuple):
    """A key, and the names under which it is published."""

    domain: str
    selector: str
    key: Key


def warnings(keys: Iterable[NamedKey]) -> list[str]:
    """Return doubts about names, keys and their files, each once, a sentence each."""
    found = [
        text
        for domain, selector, key in keys
        for text in (*names.doubts(domain, selector), *key.warnings)
    ]
    return list(dict.fromkeys(found))


def one_key(domains: Iterable[str], selector: str, key: Key) -> list[NamedKey]:
    """Return one key for all ``domains``, as the C filter has it.

    Raises ConfigError for a domain or a selector that a signature cannot hold.
    """
    selector = names.check("selector", selector)
    unique: dict[str, str] = {}
    for name in domains:
        domain = names.check("domain", name)
        record.name(domain, selector)
        unique.setdefault(domain.lower(), domain)
    return [NamedKey(domain, selector, key) for domain in unique.values()]


def domain_file(path: str) -> list[str]:
    """Return the domains of a file: one a line, those that begin with ``#`` skipped.

    Raises ConfigError for a file that cannot be read, and for what is no domain.
    """
    return [
        names.check("domain", domain, path, number)
        for number, domain in table.lines(table.read(path))
    ]


def key_table(path: str) -> list[NamedKey]:
    """Read a key table and its keys. Raises ConfigError, with file and line."""
    loaded: dict[tuple[str, str | None], Key] = {}
    found = []
    for entry in table.entries(table.read(path), path):
        same = (entry.file, entry.algorithm)
        if same not in loaded:
            loaded[same] = load_entry(entry, path)
        found.append(NamedKey(entry.domain, entry.selector, loaded[same]))
    return found


def files(path: str | None) -> list[str]:
    """Return the paths of the keys that a key table, if there is one, names. Raises ConfigError."""
    return [entry.file for entry in table.entries(table.read(path), path)] if path else []


def load_entry(entry: KeyTableEntry, path: str) -> Key:
    """Read the key of a line in the table at ``path``. Raises ConfigError, with file and line."""
    try:
        return load.load(entry.file, entry.algorithm)
    except ConfigError as error:
        raise ConfigError(
            f"{error.path}: {error.message}" if error.path else error.message,
            path=path, line=entry.line, remedy=error.remedy,
        ) from None  # fmt: skip
