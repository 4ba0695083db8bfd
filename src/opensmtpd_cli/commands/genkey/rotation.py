"""The next key of a domain in a key table: its predecessors, its selector, its line."""

import os
import re
from collections.abc import Iterable
from typing import NamedTuple

from opensmtpd.errors import ConfigError
from opensmtpd.mail.dkim import record
from opensmtpd.mail.dkim.keys import key_table, named_keys, names
from opensmtpd.mail.dkim.keys.key_table import LINE_END, KeyTableEntry
from opensmtpd_cli.commands.genkey import key_file

_WORDS = re.compile(r"(\s*)(\S+)(\s+)(\S+)(\s+)(\S+)(?:(\s+)\S+)?\s*")
_NUMBERED = re.compile(r"(.*?)([0-9]*)", re.DOTALL)


class Succession(NamedTuple):
    """The lines that a key table has for a domain, and the algorithm of the domain's next key."""

    entries: list[KeyTableEntry]
    """All lines of the domain; at least one."""
    old: list[KeyTableEntry]
    """The lines whose keys the new one follows; empty where no key is for its algorithm."""
    algorithm: str
    """The algorithm of the new key."""

    @property
    def newest(self) -> KeyTableEntry:
        """The line that the new one is made after."""
        return (self.old or self.entries)[-1]


def succession(text: str, path: str, domain: str, algorithm: str | None) -> Succession:
    """Look a domain up in a table; ``algorithm`` None stays with that of its keys.

    Raises ConfigError where there is no such line, or where its keys are for several algorithms.
    """
    every = list(key_table.entries(text, path))
    entries = [entry for entry in every if entry.domain.lower() == domain.lower()]
    if not entries:
        remedy = "make its first key without --rotate, and write the line yourself"
        raise ConfigError(f"no line for {domain}", path=path, remedy=remedy)
    algorithms = [named_keys.load_entry(entry, path).algorithm for entry in entries]
    if algorithm is None:
        algorithm, *others = dict.fromkeys(algorithms)
        if others:
            fault = f"{domain} has keys for {' and '.join((algorithm, *others))}"
            remedy = "say with --algorithm which one is to have a successor"
            raise ConfigError(fault, path=path, line=entries[-1].line, remedy=remedy)
    old = [entry for entry, its in zip(entries, algorithms, strict=True) if its == algorithm]
    return Succession(entries, old, algorithm)


class Successor(NamedTuple):
    """A new key's selector, and where its file is."""

    selector: str
    word: str
    """The file as the table names it."""
    path: str


def successor(
    found: Succession, table: str, text: str, selector: str | None, key: str | None
) -> Successor:
    """Choose a selector and a file that are not taken; either may be given. Raises ConfigError.

    The file is beside that of the newest key.
    """
    newest = found.newest
    taken = {entry.name for entry in found.entries}
    word = _words(text, newest.line)[5]
    folder = word[: word.rfind("/") + 1]
    if selector is not None and (newest.domain.lower(), selector.lower()) in taken:
        remedy = "choose another, or leave --selector out"
        raise ConfigError(f"selector {selector} is taken", path=table, remedy=remedy)
    for given in [selector] if selector is not None else following(newest.selector):
        name = names.check("selector", given)
        record.name(newest.domain, name)
        word = key or folder + key_file.named("", newest.domain, name)
        path = key_table.beside(table, word)
        free = (newest.domain.lower(), name.lower()) not in taken
        if selector is not None or (free and (key or not os.path.lexists(path))):
            break
    if word.split() != [word] or not word.isprintable():
        remedy = "choose another with --key"
        raise ConfigError("a key table cannot name it", path=word, remedy=remedy)
    return Successor(name, word, path)


def following(selector: str) -> Iterable[str]:
    """Yield selectors that come after one: its last number is counted up, in no fewer digits."""
    match = _NUMBERED.fullmatch(selector)
    assert match
    name, digits = match.groups()
    number = int(digits or 1)
    while True:
        number += 1
        yield f"{name}{number:0{len(digits)}d}"


def line(found: Succession, text: str, selector: str, word: str) -> str:
    """Return the line of the new key, set like that of the newest one."""
    indent, domain, gap, _, second, _, third = _words(text, found.newest.line)
    algorithm = third + found.algorithm if third else ""
    return indent + domain + gap + selector + second + word + algorithm


def added(text: str, number: int, line: str) -> str:
    """Return the text with a line more, below line ``number``; its end is that of its neighbour."""
    ends = list(LINE_END.finditer(text))
    own = ends[number - 1] if number <= len(ends) else None
    end = own or (ends[-1] if ends else None)
    at = own.start() if own else len(text)
    return text[:at] + (end[0] if end else "\n") + line + text[at:]


def _words(text: str, number: int) -> tuple[str, ...]:
    """Return the words of a line in a table, with the white space in front of each.

    There is none in front of an algorithm that is not named.
    """
    match = _WORDS.fullmatch(LINE_END.split(text)[number - 1])
    assert match
    return match.groups("")
