"""A ``filter`` line of smtpd.conf that an operator gives.

RowSource: the rules ``filter``, ``proc`` and ``proc_params`` in ``parse.y``.
"""

import os
import re
from typing import NamedTuple

from opensmtpd.errors import ConfigError
from opensmtpd_cli.smtpdconf.lexer import END, KEYWORD, NEWLINE, WORD, Lexer, Token

_REMEDY = 'write it as: filter NAME proc-exec "COMMAND", or give the command alone'
PARAMETERS = ("user", "group", "chroot")


class FilterEntry(NamedTuple):
    """The words of a line; ``""`` for those that it leaves out."""

    name: str
    command: str
    user: str = ""
    group: str = ""
    chroot: str = ""


def parse(text: str) -> FilterEntry:
    """Read a line of smtpd.conf, or a command alone. Raises ConfigError."""
    text = text.strip()
    if not re.match(r"(filter|proc)[ \t\\]", text):
        if not text or text.startswith("#") or "\n" in text:
            raise ConfigError("no filter line", remedy=_REMEDY)
        return FilterEntry(text.split()[0].rpartition("/")[2], text)
    words = _words(text)
    kinds = [word.kind for word in words]
    proc = words[0].text == "proc"
    verb = "" if proc or len(words) < 3 or kinds[2] != KEYWORD else words[2].text
    if verb in ("phase", "chain"):
        raise ConfigError(BUILT_IN[verb])
    if verb == "proc" and kinds[3:] == [WORD]:
        remedy = f"give its line: proc {words[3].text} ..."
        raise ConfigError("the command stands in another line of smtpd.conf", remedy=remedy)
    at = 1 if proc else 2
    if kinds[1] != WORD or kinds[at + 1 : at + 2] != [WORD] or (not proc and verb != "proc-exec"):
        raise ConfigError("no filter line", remedy=_REMEDY)
    if not words[at + 1].text.strip():
        raise ConfigError("no filter line: the command is empty", remedy=_REMEDY)
    return FilterEntry(words[1].text, words[at + 1].text, **_parameters(words[at + 2 :]))


BUILT_IN = {
    "phase": "a filter with a phase is a part of smtpd: there is no program to run",
    "chain": "a chain is filters in a row: there is no program to run; give the line of one",
}


def typed(text: str) -> str:
    """Return a word of smtpd.conf, which is UTF-8, as if it were an argument of this program."""
    return os.fsdecode(text.encode("utf-8", "surrogateescape"))


def _words(text: str) -> list[Token]:
    """Return the words of one line."""
    words: list[Token] = []
    try:
        lexer = Lexer("", lambda _: os.fsencode(text))
        while (token := lexer.token()).kind != END:
            words.append(token._replace(text=typed(token.text)))
    except ConfigError as error:
        remedy = "write its value there: the rest of smtpd.conf is not read"
        macro = error.message.startswith("macro ")
        raise ConfigError(f"no filter line: {error.message}", remedy=remedy * macro) from None
    if words[-1].kind == NEWLINE:
        words.pop()
    if any(word.kind == NEWLINE for word in words) and words[2:3] and words[2].text != "chain":
        raise ConfigError("more than one line", remedy="give one filter")
    return words


def _parameters(words: list[Token]) -> dict[str, str]:
    """Read ``user U``, ``group G`` and ``chroot D``, in any order."""
    found: dict[str, str] = {}
    while words:
        name = words[0].text
        if (
            words[0].kind != KEYWORD
            or name not in PARAMETERS
            or [word.kind for word in words[1:2]] != [WORD]
        ):
            raise ConfigError(
                f"no filter line: not understood: {name}",
                remedy='behind the command come user "U", group "G" and chroot "D"',
            )
        if name in found:
            raise ConfigError(f"no filter line: {name} stands there twice")
        if not words[1].text:
            raise ConfigError(f"no filter line: {name} is empty: smtpd would not start")
        found[name] = words[1].text
        words = words[2:]
    return found
