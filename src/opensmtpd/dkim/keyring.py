"""Who signs for which domain: from flags, from a list of domains, from a key table."""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from opensmtpd.dkim import keys
from opensmtpd.dkim.keys import Key
from opensmtpd.errors import ConfigError

# RFC 6376 section 3.5, with the underscore that names in the DNS may have.
_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?")
_NAME_MAX = 253


class Identity(NamedTuple):
    """A domain with a selector, and the key that is published under the two."""

    domain: str
    """As it was configured: ``d=`` repeats it letter by letter."""
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
    def first(self) -> list[Identity]:
        """The identities of the domain that was named first."""
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
    _check("selector", selector)
    unique: dict[str, str] = {}
    for domain in domains:
        _check("domain", domain)
        unique.setdefault(domain.lower(), domain)
    return Keyring([Identity(domain, selector, key) for domain in unique.values()])


def domain_file(path: str) -> list[str]:
    """Return the domains of a file: one a line, those that begin with ``#`` skipped.

    Raises ConfigError for a file that cannot be read, and for what is no domain.
    """
    domains = [(number, domain) for number, domain in _lines(path)]
    for number, domain in domains:
        _check("domain", domain, path, number)
    return [domain for _, domain in domains]


def key_table(path: str) -> Keyring:
    """Read a key table: ``domain selector keyfile [algorithm]`` a line.

    Blank lines and those that begin with ``#`` are skipped; a relative key path begins where the
    table is. Raises ConfigError, with file and line, for what cannot be used.
    """
    found: dict[tuple[str, str], Identity] = {}
    loaded: dict[tuple[str, str | None], Key] = {}
    for number, line in _lines(path):
        domain, selector, file, algorithm = _entry(line, path, number)
        name = (domain.lower(), selector.lower())
        if name in found:
            raise ConfigError(
                f"{selector}._domainkey.{domain} stands here twice",
                path=path,
                line=number,
                remedy="give each key a selector of its own",
            )
        if (file, algorithm) not in loaded:
            loaded[file, algorithm] = _load(file, algorithm, path, number)
        found[name] = Identity(domain, selector, loaded[file, algorithm])
    if not found:
        raise ConfigError("no key in the key table", path=path, remedy=_ENTRY)
    return Keyring(found.values())


_ENTRY = "write lines of the form: domain selector keyfile [algorithm]"


def _entry(line: str, path: str, number: int) -> tuple[str, str, str, str | None]:
    words = line.split()
    if not 3 <= len(words) <= 4:
        fault = f"{len(words)} words where 3 or 4 belong"
        raise ConfigError(fault, path=path, line=number, remedy=_ENTRY)
    domain, selector, file, *rest = words
    _check("domain", domain, path, number)
    _check("selector", selector, path, number)
    if rest and rest[0] not in keys.ALGORITHMS:
        raise ConfigError(
            "unknown algorithm",
            path=path,
            line=number,
            remedy="use " + " or ".join(keys.ALGORITHMS),
        )
    directory = path.rpartition("/")
    return (
        domain,
        selector,
        file if file.startswith("/") else directory[0] + directory[1] + file,
        rest[0] if rest else None,
    )


def _load(file: str, algorithm: str | None, path: str, number: int) -> Key:
    try:
        return keys.load(file, algorithm)
    except ConfigError as error:
        raise ConfigError(
            f"{error.path}: {error.message}", path=path, line=number, remedy=error.remedy
        ) from None


def _lines(path: str) -> Iterator[tuple[int, str]]:
    """Yield the lines that say something, with their numbers, white space around them gone."""
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text in UTF-8"
        raise ConfigError(
            f"cannot read it: {reason}",
            path=path,
            remedy="the user that smtpd runs the filter as must be able to read it",
        ) from None
    for number, line in enumerate(text.split("\n"), 1):
        words = line.strip()
        if words and not words.startswith("#"):
            yield number, words


def _check(what: str, name: str, path: str | None = None, line: int | None = None) -> None:
    """Raise ConfigError for what is no name in the DNS: it would spoil the signature."""
    good = len(name) <= _NAME_MAX and all(_NAME.fullmatch(label) for label in name.split("."))
    if not good:
        # Words of a file are not repeated: it may be a key, given by mistake.
        raise ConfigError(
            f"not a {what}" if path else f"{name!r} is no {what}",
            path=path,
            line=line,
            remedy="use letters, digits, hyphens and dots (names in other scripts as xn--…)",
        )
