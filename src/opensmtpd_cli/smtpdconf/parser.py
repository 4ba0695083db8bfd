"""Read smtpd.conf as smtpd does (parse.y): its tables, where they are defined and how used.

Only ``table``, ``include`` and macros are understood; every other directive is words, among which
``<name>`` uses a table.
"""

from codecs import BOM_UTF8
from itertools import pairwise
from typing import NamedTuple

from opensmtpd.errors import ConfigError
from opensmtpd.files import reading
from opensmtpd.table import text
from opensmtpd.table.file import Row
from opensmtpd_cli.smtpdconf.lexer import (
    ARROW,
    END,
    KEYWORD,
    NEWLINE,
    NUMBER,
    WORD,
    Lexer,
    Token,
)
from opensmtpd_cli.smtpdconf.table_uses import USES, Use

DELIMITER = "sub-addr-delim"


class Definition(NamedTuple):
    """A ``table`` directive. ``target`` is its TYPE:PATH, or None where its rows are inline.

    The bytes from ``start`` to ``end`` of the file ``path`` are what says where the rows are; with
    the name before it where ``whole`` says so, since both come out of one macro.
    """

    name: str
    path: str
    line: int
    start: int
    end: int
    whole: bool
    target: str | None
    rows: list[Row]

    @property
    def file(self) -> str | None:
        """The table file that smtpd itself reads (``file:``, ``static:`` or a bare path)."""
        target = self.target or ""
        if target.startswith("/"):
            return target
        backend, _, path = target.partition(":")
        return path if backend in ("file", "static") and path else None


class Configuration(NamedTuple):
    """The content of smtpd.conf and of the files that it includes.

    ``files`` are the contents of all files, by the names they were opened by; ``settings`` is empty
    or holds the ``sub-addr-delim``; ``nameless`` are the braces of tables that are written out
    where they are used.
    """

    tables: dict[str, Definition]
    uses: dict[str, list[Use]]
    files: dict[str, bytes]
    settings: dict[str, str]
    nameless: list[Token]


def read(path: str) -> Configuration:
    """Read smtpd.conf and what it includes. Raises ConfigError for what smtpd would not take."""
    files: dict[str, bytes] = {}

    def content(name: str) -> bytes:
        with reading(name) as file:
            files[name] = file.read()
        if files[name].startswith(BOM_UTF8):
            fault = "a byte order mark before the first word, which smtpd cannot read"
            raise ConfigError(fault, path=name, line=1, remedy="save it as UTF-8 without BOM")
        return files[name]

    lexer = Lexer(path, content)
    configuration = Configuration({}, {}, files, {}, [])
    while (statement := _statement(lexer)) is not None:
        _understand(statement, lexer, configuration)
    return configuration


def _statement(lexer: Lexer) -> list[Token] | None:
    """Return the words up to a line end outside of braces; None when there are no more."""
    words: list[Token] = []
    open_braces: list[Token] = []
    while (token := lexer.token()).kind != END:
        if token.kind == NEWLINE and not open_braces:
            return words
        words.append(token)
        kinds = [word.kind for word in words[:3]]  # no more: there may be very many
        if kinds == [KEYWORD, WORD] and words[0].text == "include":
            lexer.include(token)  # read at once: what follows on the line comes after the file
            return []
        if token.kind == "{":
            open_braces.append(token)
        elif token.kind == "}":
            if not open_braces:
                raise _error("a } without a {", token)
            open_braces.pop()
    if open_braces:
        raise _error("a { without its }", open_braces[-1])
    return words or None


def _understand(words: list[Token], lexer: Lexer, configuration: Configuration) -> None:
    if len(words) > 1 and words[1].kind == "=":
        name, value = _macro(words)
        lexer.macros[name] = value
    elif words and words[0].kind == KEYWORD and words[0].text == "table":
        table = _table(words)
        if table.name in configuration.tables:
            raise _error(f"table {table.name} is there already", words[0])
        configuration.tables[table.name] = table
    elif [word.text for word in words[:-1]] == ["smtp", DELIMITER]:
        configuration.settings[DELIMITER] = words[-1].text
    elif words:
        _note_uses(words, configuration.uses)
        _note_nameless(words, configuration.nameless)


def _macro(words: list[Token]) -> tuple[str, str]:
    """Return name and value of ``name = value``."""
    if words[0].kind == KEYWORD:
        raise _reserved(words[0], "no macro can be called so", "choose another name")
    if [word.kind for word in words] != [WORD, "=", WORD]:
        raise _error(f"not a macro: {words[0].text} =", words[0], 'write NAME = "VALUE"')
    if any(char in " \t\v\f\r" for char in words[0].text[1:]):
        raise _error("a macro's name with a space in it", words[0])
    return words[0].text, words[2].text


def _table(words: list[Token]) -> Definition:
    """Return a table directive. Raises ConfigError for what smtpd would not take as one."""
    kinds = [word.kind for word in words]
    if kinds[1:2] == [KEYWORD]:
        raise _reserved(words[1], "a table cannot be called so")
    if kinds[1:2] == ["{"]:
        raise _error("a table without a name", words[0], "write table NAME { ... }")
    if kinds[:2] != [KEYWORD, WORD] or len({word.path for word in words}) > 1:
        raise _not_a_table(words[0])
    target, rows = None, []
    if kinds[2:] == [WORD]:
        target = words[2].text
        _, colon, path = target.partition(":")
        if colon and not target.startswith("/") and not path.startswith("/"):
            raise _error(f"table {words[1].text}: '{path}' is not a full path", words[2])
    elif kinds[2:3] == ["{"] and kinds[-1] == "}":
        rows = _rows(words[3:-1], words[2])
    else:
        raise _not_a_table(words[0])
    whole = words[2].start < words[1].end
    start = words[0].start if whole else words[2].start
    return Definition(
        words[1].text, words[0].path, words[0].line, start, words[-1].end, whole, target, rows
    )


def _rows(words: list[Token], brace: Token) -> list[Row]:
    """Return the rows between braces: keys, or ``key = value``; all of one or all of the other.

    Between two there may be line ends, or a comma and line ends behind it, or nothing.
    """
    rows: list[Row] = []
    at = _past_newlines(words, 0)
    while at < len(words):
        kinds = [word.kind for word in words[at : at + 3]]
        mapping = len(kinds) > 1 and kinds[1] in ("=", ARROW)
        if kinds[0] in (KEYWORD, NUMBER):
            raise _reserved(words[at], "smtpd takes no such key or value here")
        if mapping and kinds[2:] in ([KEYWORD], [NUMBER]):  # it may be a password
            what = "a number" if kinds[2] == NUMBER else "a word of smtpd.conf's own"
            fault = f"the value of {words[at].text} is {what}: smtpd takes no such value here"
            raise _error(fault, words[at + 2], "put it in quotes")
        if kinds[0] != WORD or (mapping and kinds[2:] != [WORD]):
            raise _not_a_table(words[at])
        if rows and mapping is (rows[0].value is None):
            raise _error("keys with values and keys without in one table", words[at])
        value = words[at + 2].text if mapping else None
        rows.append(Row(words[at].line, text.lower(words[at].text), value))
        at += 3 if mapping else 1
        if at < len(words) and words[at].kind == ",":
            at = _past_newlines(words, at + 1)
            if at == len(words):
                raise _error("a comma with nothing behind it", words[-1])
        else:
            at = _past_newlines(words, at)
    if not rows:
        raise _error("a table without rows", brace)
    return rows


def _past_newlines(words: list[Token], at: int) -> int:
    while at < len(words) and words[at].kind == NEWLINE:
        at += 1
    return at


def _note_uses(words: list[Token], uses: dict[str, list[Use]]) -> None:
    """Note each ``<name>``: what it means is said by the directive and by the word before."""
    for at in range(1, len(words) - 2):
        kinds = [word.kind for word in words[at : at + 3]]
        if kinds == ["<", KEYWORD, ">"]:
            raise _reserved(words[at + 1], "a table cannot be called so")
        if kinds == ["<", WORD, ">"]:
            use = USES.get(f"{words[0].text} {words[at - 1].text}")
            if use:
                uses.setdefault(words[at + 1].text, []).append(use)


def _note_nameless(words: list[Token], nameless: list[Token]) -> None:
    """Note each table that stands where it is used, and has no name."""
    for before, word in pairwise(words):
        if word.kind == "{" and before.text != "chain":
            nameless.append(word)


def _reserved(token: Token, fault: str, remedy: str = "") -> ConfigError:
    kind = "a number" if token.kind == NUMBER else "a word of smtpd.conf's own"
    remedy = remedy or f'put it in quotes, wherever it stands: "{token.text}"'
    return _error(f"{token.text} is {kind}: {fault}", token, remedy)


def _not_a_table(token: Token) -> ConfigError:
    remedy = "write table NAME TYPE:PATH, or table NAME { KEY, KEY } or { KEY = VALUE, ... }"
    return _error("not a table", token, remedy)


def _error(message: str, token: Token, remedy: str = "") -> ConfigError:
    return ConfigError(message, path=token.path, line=token.line, remedy=remedy)
