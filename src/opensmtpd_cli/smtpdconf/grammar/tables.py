"""The directive ``table``, and the rows that stand between braces."""

from opensmtpd.errors import ConfigError
from opensmtpd.table import text
from opensmtpd.table.file import Row
from opensmtpd_cli.smtpdconf.configuration import Definition
from opensmtpd_cli.smtpdconf.lexer import ARROW, KEYWORD, NEWLINE, NUMBER, WORD, Token


def definition(words: list[Token]) -> Definition:
    """Return a table directive. Raises ConfigError for what smtpd would not take as one."""
    kinds = [word.kind for word in words]
    if kinds[1:2] == [KEYWORD]:
        raise reserved(words[1], "a table cannot be called so")
    if kinds[1:2] == ["{"]:
        raise fault("a table without a name", words[0], "write table NAME { ... }")
    if kinds[:2] != [KEYWORD, WORD] or len({word.path for word in words}) > 1:
        raise _not_a_table(words[0])
    target, rows = None, []
    if kinds[2:] == [WORD]:
        target = words[2].text
        _, colon, path = target.partition(":")
        if colon and not target.startswith("/") and not path.startswith("/"):
            raise fault(f"table {words[1].text}: '{path}' is not a full path", words[2])
    elif kinds[2:3] == ["{"] and kinds[-1] == "}":
        rows = rows_between(words[3:-1], words[2])
    else:
        raise _not_a_table(words[0])
    whole = words[2].start < words[1].end
    start = words[0].start if whole else words[2].start
    return Definition(
        words[1].text, words[0].path, words[0].line, start, words[-1].end, whole, target, rows
    )


def rows_between(words: list[Token], brace: Token) -> list[Row]:
    """Return the rows between braces: keys, or ``key = value``; all of one or all of the other.

    Between two there may be line ends, or a comma and line ends behind it, or nothing.
    """
    rows: list[Row] = []
    at = _past_newlines(words, 0)
    while at < len(words):
        kinds = [word.kind for word in words[at : at + 3]]
        mapping = len(kinds) > 1 and kinds[1] in ("=", ARROW)
        if kinds[0] in (KEYWORD, NUMBER):
            raise reserved(words[at], "smtpd takes no such key or value here")
        if mapping and kinds[2:] in ([KEYWORD], [NUMBER]):  # it may be a password
            what = "a number" if kinds[2] == NUMBER else "a word of smtpd.conf's own"
            message = f"the value of {words[at].text} is {what}: smtpd takes no such value here"
            raise fault(message, words[at + 2], "put it in quotes")
        if kinds[0] != WORD or (mapping and kinds[2:] != [WORD]):
            raise _not_a_table(words[at])
        if rows and mapping is (rows[0].value is None):
            raise fault("keys with values and keys without in one table", words[at])
        value = words[at + 2].text if mapping else None
        rows.append(Row(words[at].line, text.lower(words[at].text), value))
        at += 3 if mapping else 1
        if at < len(words) and words[at].kind == ",":
            at = _past_newlines(words, at + 1)
            if at == len(words):
                raise fault("a comma with nothing behind it", words[-1])
        else:
            at = _past_newlines(words, at)
    if not rows:
        raise fault("a table without rows", brace)
    return rows


def _past_newlines(words: list[Token], at: int) -> int:
    while at < len(words) and words[at].kind == NEWLINE:
        at += 1
    return at


def reserved(token: Token, message: str, remedy: str = "") -> ConfigError:
    """Return the error for a word that stands where a name must."""
    kind = "a number" if token.kind == NUMBER else "a word of smtpd.conf's own"
    remedy = remedy or f'put it in quotes, wherever it stands: "{token.text}"'
    return fault(f"{token.text} is {kind}: {message}", token, remedy)


def _not_a_table(token: Token) -> ConfigError:
    remedy = "write table NAME TYPE:PATH, or table NAME { KEY, KEY } or { KEY = VALUE, ... }"
    return fault("not a table", token, remedy)


def fault(message: str, token: Token, remedy: str = "") -> ConfigError:
    """Return an error at the place of a word."""
    return ConfigError(message, path=token.path, line=token.line, remedy=remedy)
