"""Check the statements of a configuration before a key is looked up.

First without the database (``check_alone``), where each fault is the configuration's own, then with
it: the number of parameters, whether the key is used, the number of columns.
"""

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing

from opensmtpd.backends.sql.config import COLUMNS, KEYED, Statement
from opensmtpd.backends.sqlite.clock import Clock
from opensmtpd.backends.sqlite.config import Config
from opensmtpd.backends.sqlite.connection import FAULTS, scratch
from opensmtpd.errors import ConfigError

Arguments = tuple[object, ...] | dict[str, object]
Execute = Callable[[str, Arguments], sqlite3.Cursor]

PARAMETERS_MAX = 32
"""``?`` in a query."""
SECONDS = 0.5
"""To prepare a statement."""


def bad(config: Config, statement: Statement, reason: str, remedy: str = "") -> ConfigError:
    """Return the error for a statement that cannot be used, or not with this database."""
    message = f"{statement.key}: {reason}"
    return ConfigError(message, path=config.path, line=statement.line, remedy=remedy)


def check_alone(config: Config) -> None:
    """Raise ConfigError for a statement that no database makes good: wrong SQL, or a change."""
    clock = Clock()
    clock.start(SECONDS)
    with closing(scratch(clock)) as connection:
        for statement in config.statements.values():
            count = 0
            try:
                clock.start(SECONDS, connection)
                count, _ = _look(config, statement, connection.execute)
            except ConfigError as error:
                _unless_missing(statement, error)
            try:
                clock.start(SECONDS, connection)
                check_columns(config, statement, connection.execute, count)
            except ConfigError as error:
                _unless_missing(statement, error)


def _unless_missing(statement: Statement, error: ConfigError) -> None:
    """Raise an error again, but for the lack of a table or a column: the database has them."""
    if not error.message.startswith(f"{statement.key}: no such "):
        raise error


def learn(config: Config, statement: Statement, execute: Execute) -> int:
    """Learn and return how many parameters a statement has.

    Raises ConfigError, also for a query that never uses its key where the key decides, and FAULTS
    for those of the database.
    """
    if statement.parameters is None:
        count, used = _look(config, statement, execute)
        service = statement.key.removeprefix("query_")
        if not used and service in KEYED.values() and service not in config.constant:
            reason = "it never uses the key, so all keys have one answer"
            remedy = f"put ? where the key belongs, or say 'constant_{service} yes'"
            raise bad(config, statement, reason, remedy)
        statement.parameters = count
    return statement.parameters


def _look(config: Config, statement: Statement, execute: Execute) -> tuple[int, bool]:
    """Return the number of parameters, which sqlite3 does not tell otherwise, and their use.

    SQLite's program has an instruction for each parameter whose value it takes. A ``?`` in quotes
    or in a comment is none, nor is one in a condition that is never looked at.
    """
    if not statement.key.startswith("query_") and _PARAMETER.search(_bare(statement.sql, " ")):
        raise bad(config, statement, "there is a '?', and nothing to put there")
    for count in range(PARAMETERS_MAX + 1):
        try:
            sql = f"EXPLAIN {statement.sql}"
            program = execute(sql, bound(("",) * count, statement.named)).fetchall()
        except sqlite3.ProgrammingError as error:
            statement.named |= "named parameter" in str(error)
            if "inding" not in str(error):
                raise bad(config, statement, str(error)) from None
        except FAULTS as error:
            raise _sorted(config, statement, error) from None
        else:
            return count, any(step[1] == "Variable" for step in program)
    raise bad(config, statement, f"it has more than {PARAMETERS_MAX} parameters")


def check_columns(config: Config, statement: Statement, execute: Execute, count: int) -> None:
    """Raise ConfigError for the wrong number of columns; else as ``learn``."""
    sql = f"SELECT * FROM ({_bare(statement.sql)}) LIMIT 0"  # without running it
    try:
        with closing(execute(sql, bound((None,) * count, statement.named))) as cursor:
            columns = len(cursor.description or ())
    except FAULTS as error:
        raise _sorted(config, statement, error) from None
    wanted = COLUMNS[statement.key]
    if columns != wanted:
        raise bad(config, statement, f"it gives {columns} columns and should give {wanted}")


_PIECES = re.compile(r"""'[^']*'|"[^"]*"|`[^`]*`|\[[^\]]*\]|--[^\n]*|/\*.*?(?:\*/|\Z)""", re.DOTALL)
_PARAMETER = re.compile(r"\?|(?<![\w$])[:@$]\w")


def _bare(sql: str, quoted: str | None = None) -> str:
    """Return a statement without comments, and without the semicolon that ends it.

    ``quoted`` takes the place of strings and quoted names; they stay without it.
    """

    def kept(piece: re.Match[str]) -> str:
        is_comment = piece[0][0] in "-/"
        return " " if is_comment else piece[0] if quoted is None else quoted

    return _PIECES.sub(kept, sql).rstrip("; \t\v\f\r")


def _sorted(config: Config, statement: Statement, error: Exception) -> Exception:
    """Tell a bad statement from a database in trouble."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    if code == sqlite3.SQLITE_AUTH:
        return bad(config, statement, "it may only SELECT")
    own = (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_TOOBIG)
    if isinstance(error, sqlite3.Error | sqlite3.Warning) and code in own:
        missing = str(error).startswith(("no such column", "no such table"))
        remedy = f"see what the database has: sqlite3 {config.dbpath} .schema" if missing else ""
        return bad(config, statement, str(error), remedy)
    return error


class _Every(dict[str, object]):
    """One value under all names."""

    def __init__(self, value: object) -> None:
        super().__init__()
        self.value = value

    def __missing__(self, _: str) -> object:
        return self.value


def bound(values: tuple[object, ...], named: bool) -> Arguments:
    """Return what to pass to sqlite3 for parameters with names, or without."""
    return _Every(values[0]) if named and values else values
