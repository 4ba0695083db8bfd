"""The worker that reads databases in WAL mode: the process that smtpd talks to never opens one."""

import select
from collections.abc import Iterator
from time import monotonic
from typing import Any

from opensmtpd.backends.sqlite.database import QUERY_SECONDS, START_SECONDS
from opensmtpd.backends.sqlite.row_sizes import Row
from opensmtpd.backends.sqlite.wal.database import WalDatabase
from opensmtpd.backends.sqlite.wal.requests import (
    ALL,
    END,
    FAULTS,
    FIRST,
    LATER,
    MORE,
    PART,
    ROWS,
    USE,
    VERSION,
    VERSIONED,
    UnknownConfig,
    config_of,
)
from opensmtpd.errors import Unavailable
from opensmtpd.needs import Needs
from opensmtpd.worker import Link, Worker

EARLY = 0.05
"""Seconds that a query ends before its request, so that the front is told why."""
IDLE = 0.2
"""Seconds without a request, after which the database is closed: as long as it is open, SQLite lets
nobody end the WAL mode."""


class WalWorker(Worker):
    """Answers one request after another from the database of the last configuration."""

    title = "wal"

    def __init__(self) -> None:
        self._number = -1
        self._database: WalDatabase | None = None
        self._parts: Iterator[list[Row]] = iter(())

    def load(self, setup: Any) -> None:
        """Take the folders of the database: SQLite writes to ``-shm`` even to read."""
        if setup is not None:
            self.needs = Needs(writes=tuple(setup), locks=True)

    def serve(self, link: Link) -> None:
        """Answer requests, and close the database when none come. Raises EOFError."""
        poll = select.poll()
        poll.register(link, select.POLLIN)
        while True:
            if not self._in_snapshot() and not poll.poll(IDLE * 1000):
                self.close()
            for number, request in link.receive():
                try:
                    link.reply(number, self.handle(request))
                except Exception as error:
                    link.fail(number, error)
            link.flush()

    def _in_snapshot(self) -> bool:
        return self._database is not None and self._database.shared

    def close(self) -> None:
        """Close the database until it is needed again."""
        if self._database is not None:
            self._database.close()

    def handle(self, request: list[Any]) -> Any:
        """Return the reply. Raises Unavailable, ConfigError."""
        name, number, sharing, *arguments = request
        if name == USE:
            self.close()
            self._number, self._database = number, WalDatabase(config_of(*arguments))
            return None
        if self._database is None or number != self._number:
            raise UnknownConfig("a worker died before it had sent all rows")
        seconds = QUERY_SECONDS
        if name == ALL:
            seconds = arguments[1]
        elif name == FAULTS:
            seconds = START_SECONDS
        database = self._database
        database.time.until = monotonic() + seconds - EARLY
        try:
            _share(database, sharing)
            return self._answer(database, name, *arguments)
        except BaseException:
            if sharing == FIRST:  # the front has begun no snapshot: it sends no END
                database.unshare()
            raise

    def _answer(self, database: WalDatabase, name: int, *arguments: Any) -> Any:
        if name == MORE:
            return self._part()
        if name == VERSION:
            return database.version()
        if name == FAULTS:
            return [[each.message, each.line, each.remedy] for each in database.faults()]
        if name == END:
            return None
        statement = database.config.statements[arguments[0]]
        if name == ALL:
            self._parts = _parts(database.all_rows(statement, arguments[1]))
            return self._part()
        found: Any = (database.rows if name == ROWS else database.row)(statement, arguments[1])
        return [found, _version(database)] if name == VERSIONED else found

    def _part(self) -> list[list[Row]]:
        """Return the next part of all rows, in a list, which is empty behind the last one."""
        return [part for part in [next(self._parts, None)] if part is not None]


def _version(database: WalDatabase) -> object | None:
    """Return the version, None where it cannot be told: the front asks if it needs it."""
    try:
        return database.version()
    except Unavailable:
        return None


def _share(database: WalDatabase, sharing: int) -> None:
    """Begin or end a snapshot. Raises Unavailable where it was another worker's."""
    if sharing == LATER:
        if not database.shared:
            raise Unavailable("a worker died between the lookups of one question")
        return
    if database.shared:
        database.unshare()
    if sharing == FIRST:
        database.share()


def _parts(rows: list[Row]) -> Iterator[list[Row]]:
    """Yield the first cells of rows, in lists that fit into a frame."""
    part: list[Row] = []
    size = 0
    for row in rows:
        part.append(row[:1])
        size += len(row[0]) + 8 if isinstance(row[0], str | bytes) else 8
        if size > PART:
            yield part
            part, size = [], 0
    yield part
