"""A connection to MySQL or MariaDB, in the process that smtpd talks to: it is all Python."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from opensmtpd.backends.mysql.login import MysqlLogin, log_in
from opensmtpd.backends.mysql.statements import (
    ANSWER_MAX,
    LIST_MAX,
    AskedStatement,
    forget,
    prepare,
)
from opensmtpd.backends.mysql.wire import Wire
from opensmtpd.backends.network.connection import Fault, ServerQuestion, ServerReply
from opensmtpd.errors import ServerLost, ServerRefused
from opensmtpd.table import to_bytes

_QUIT = b"\1\0\0\0\1"


class MysqlQuery(NamedTuple):
    """A line of SQL."""

    sql: str
    line: int
    columns: int
    """Columns that each row must have."""
    keyed: bool
    """There is a key, which stands for each ``?``."""
    constant: bool
    """One answer for all keys is meant."""


class MysqlConnection:
    """Asks ``[name, key]``: the name of a query, and its key, if any. See ``Connection``."""

    def __init__(self, plain: tuple[MysqlLogin, Mapping[str, MysqlQuery]]) -> None:
        """``plain`` has the queries by their names."""
        self._login, self._queries = plain
        self._wire: Wire | None = None
        self._client: object = None
        self._asked: dict[str, AskedStatement] = {}

    def connect(self, until: float) -> None:
        """Connect and log in. Statements are prepared when they are asked for first."""
        self._wire, self._client = log_in(self._login, until)
        self._asked = {}

    def ask(self, questions: Sequence[ServerQuestion], until: float) -> list[ServerReply]:
        """Return the rows for each question, one after the other: MySQL has no other way."""
        self._open(until)
        return [self._statement(name).rows(*map(to_bytes, key)) for name, *key in questions]

    def check(self, until: float) -> list[Fault]:
        """Return what the server finds wrong with the queries, without running one."""
        self._open(until)
        faults: list[Fault] = []
        for name, query in self._queries.items():
            try:
                self._statement(name)
            except ServerRefused as error:
                faults.append([str(error), query.line, ""])
        return faults

    def close(self) -> None:
        """Close it, at once."""
        wire, self._wire, self._client = self._wire, None, None
        if wire is not None:
            wire.channel.say(_QUIT)
            wire.channel.close()

    def _open(self, until: float) -> Wire:
        if self._wire is None:
            raise ServerLost("the connection is closed")
        self._wire.channel.until = until
        return self._wire

    def _statement(self, name: str) -> AskedStatement:
        """Return a statement that the server has prepared. Raises ServerRefused, among others."""
        asked = self._asked.get(name)
        if asked is None:
            assert self._wire is not None
            query = self._queries[name]
            try:
                prepared = prepare(self._wire, query.sql.encode())
            except ServerRefused as error:
                raise ServerRefused(f"{name}: {error}") from None
            if reason := _unfit(query, prepared.parameters, prepared.columns):
                forget(self._wire, prepared)
                raise ServerRefused(f"{name}: {reason}")
            most = ANSWER_MAX if query.keyed else LIST_MAX
            asked = self._asked[name] = AskedStatement(self._wire, prepared, most)
        return asked


def _unfit(query: MysqlQuery, parameters: int, columns: int) -> str:
    """Return why a statement that the server takes cannot be used, ``""`` where it can."""
    if columns != query.columns:
        return f"it gives {columns} columns and should give {query.columns}"
    if parameters and not query.keyed:
        return "there is a '?', and nothing to put there"
    if not parameters and query.keyed and not query.constant:
        return "it never uses the key, so all keys have one answer: put ? where the key belongs"
    return ""
