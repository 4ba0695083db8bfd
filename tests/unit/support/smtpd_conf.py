"""smtpd.conf, written and read."""

import os
from pathlib import Path

from opensmtpd.table.file import Row
from opensmtpd_cli.smtpdconf import parser
from opensmtpd_cli.smtpdconf.configuration import Configuration
from opensmtpd_cli.smtpdconf.directives import Place, TableRef
from opensmtpd_cli.smtpdconf.grammar.words import Words
from opensmtpd_cli.smtpdconf.lexer import END, Lexer, Token


def read(folder: Path, text: str) -> Configuration:
    """Write ``smtpd.conf`` into a folder, and read it."""
    path = folder / "smtpd.conf"
    path.write_text(text, encoding="utf-8", newline="\n")
    return parser.read(str(path))


def place(folder: Path, line: int) -> Place:
    """Return a line of the file that ``read`` writes."""
    return Place(str(folder / "smtpd.conf"), line)


def named(name: str, line: int = 1) -> TableRef:
    """Return the use of a table by its name."""
    return TableRef(name, None, line)


def inline(*keys: str, line: int = 1) -> TableRef:
    """Return a list that stands where it is used, all in one line."""
    return TableRef("", tuple(Row(line, key, None) for key in keys), line)


def tokens(text: str) -> list[Token]:
    """Return the words of a text, as those of the file ``/f``, without the last line end."""
    lexer, found = Lexer("/f", lambda _: os.fsencode(text)), []
    while (token := lexer.token()).kind != END:
        found.append(token)
    return found[:-1]


def words(text: str) -> Words:
    """Return a reader of the words of a text."""
    return Words(tokens(text))
