"""The keys that filter-dkimsign signs with: by its command line, or by a key table."""

import argparse
import os
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple, NoReturn

from opensmtpd.errors import ConfigError
from opensmtpd.mail.dkim import record
from opensmtpd.mail.dkim.keys import key_table as table
from opensmtpd.mail.dkim.keys import load, named_keys, names
from opensmtpd.mail.dkim.keys.key import RSA, Key
from opensmtpd.mail.dkim.sign import options
from opensmtpd_cli.smtpdconf import command_words, recorded
from opensmtpd_cli.smtpdconf.configuration import Configuration
from opensmtpd_cli.smtpdconf.directives import FilterDefinition
from opensmtpd_cli.smtpdconf.filter_line import FilterEntry

PROGRAM = "filter-dkimsign"


class SigningKey(NamedTuple):
    """A key, and the names under which it is to be published."""

    domain: str
    selector: str
    file: str
    key: Key | ConfigError
    """The error, where the file cannot be used."""
    place: tuple[str, int]
    """File and line that name it in a key table; ``("", 0)`` for those of a command line."""


class SigningFlags(NamedTuple):
    """The keys that a command line of filter-dkimsign names."""

    domains: tuple[str, ...]
    domain_files: tuple[str, ...]
    selector: str
    key: str
    algorithm: str | None
    key_table: str
    skips_strangers: bool
    """Mail of other domains stays unsigned (``-u skip``); else the first domain signs it."""
    arc: bool
    """It writes fields of ARC (``-A``, ``-S``), which need not fit the domain of the author."""


class SigningFilter(NamedTuple):
    """A filter-dkimsign of the configuration, and its keys."""

    filter: FilterDefinition
    flags: SigningFlags
    keys: list[SigningKey]

    @property
    def domains(self) -> dict[str, None]:
        """The domains that it signs for, in order, in lower case."""
        return dict.fromkeys(key.domain.lower() for key in self.keys)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"{PROGRAM} does not understand its flags: {message}")


def flags_of(entry: FilterEntry) -> SigningFlags | None:
    """Return what a line of smtpd.conf has filter-dkimsign sign with; None for other programs.

    It may be recorded. Raises ConfigError for flags that it does not understand, and for words that
    are made by the shell, or a chroot, in which files have other names.
    """
    while behind := recorded.filter_in(entry):
        entry = behind
    words = command_words.words(entry.command)
    if not words and os.path.basename(entry.command.partition(" ")[0]) == PROGRAM:
        raise ConfigError("its command is made by the shell")
    if not words or os.path.basename(words[0]) != PROGRAM:
        return None
    if entry.chroot:
        raise ConfigError(f"{PROGRAM} runs in a chroot, where its files have other names")
    parser = _Parser(add_help=False)
    options.add(parser)
    flags, _ = parser.parse_known_args(words[1:])  # options that every filter has are left over
    options.key_setup(flags)
    return SigningFlags(
        tuple(flags.domain),
        tuple(map(_path, flags.domain_file)),
        flags.selector or "",
        _path(flags.key) if flags.key else "",
        flags.algorithm,
        _path(flags.key_table) if flags.key_table else "",
        flags.unmatched == "skip",
        flags.arc_sign or flags.arc_seal,
    )


def _path(word: str) -> str:
    """Return the path of a file as a filter has it: smtpd starts it in the root directory."""
    return os.path.join("/", word)


def of_flags(flags: SigningFlags) -> list[SigningKey]:
    """Return the keys. Raises ConfigError for a list of domains or a table of no use."""
    if flags.key_table:
        return of_table(flags.key_table)
    domains = [*flags.domains]
    for path in flags.domain_files:
        domains += named_keys.domain_file(path)
    if not (domains and flags.selector and flags.key):
        raise ConfigError("nothing to sign with", remedy="give -d, -s and -k, or -f")
    return of_file(flags.key, domains, flags.selector, flags.algorithm or RSA)


def of_file(
    path: str, domains: list[str], selector: str, algorithm: str | None = None
) -> list[SigningKey]:
    """Return one key for several domains. Raises ConfigError for what is no domain or selector."""
    key = _loaded(path, algorithm)
    selector = names.check("selector", selector)
    found: dict[str, SigningKey] = {}
    for domain in domains:
        name = names.check("domain", domain)
        record.name(name, selector)
        found.setdefault(name.lower(), SigningKey(name, selector, path, key, ("", 0)))
    return list(found.values())


def of_table(path: str) -> list[SigningKey]:
    """Return the keys of a key table. Raises ConfigError for a table of no use."""
    return list(_of_table(path))


def _of_table(path: str) -> Iterator[SigningKey]:
    loaded: dict[tuple[str, str | None], Key | ConfigError] = {}
    for line, domain, selector, file, algorithm in table.entries(table.read(path), path):
        if (file, algorithm) not in loaded:
            loaded[file, algorithm] = _loaded(file, algorithm)
        yield SigningKey(domain, selector, file, loaded[file, algorithm], (path, line))


def _loaded(path: str, algorithm: str | None) -> Key | ConfigError:
    try:
        return load.load(path, algorithm)
    except ConfigError as error:
        return error


def signing(configuration: Configuration) -> list[SigningFilter]:
    """Return what signs; a filter whose flags or tables are of no use is left out."""
    found = []
    for each in configuration.filters.values():
        if each.entry is None:
            continue
        with suppress(ConfigError, OSError):
            flags = flags_of(each.entry)
            if flags is not None:
                found.append(SigningFilter(each, flags, of_flags(flags)))
    return found
