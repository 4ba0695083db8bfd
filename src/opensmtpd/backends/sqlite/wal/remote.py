"""A database in WAL mode as the front sees it: a worker is asked, and rows come back."""

import itertools
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from opensmtpd.backends.sql.config import Statement
from opensmtpd.backends.sqlite.config import Config
from opensmtpd.backends.sqlite.connection import Interrupted
from opensmtpd.backends.sqlite.database import (
    LOAD_MAX,
    LOAD_SECONDS,
    QUERY_SECONDS,
    START_SECONDS,
)
from opensmtpd.backends.sqlite.row_sizes import Row, memory
from opensmtpd.backends.sqlite.wal.requests import (
    ALL,
    ALONE,
    END,
    FAULTS,
    FIRST,
    LATER,
    MORE,
    PART,
    ROW,
    ROWS,
    USE,
    VERSION,
    VERSIONED,
    NotInWal,
    UnknownConfig,
    plain,
)
from opensmtpd.errors import ConfigError, Unavailable, WorkerError
from opensmtpd.worker import Pool

WORKER = "opensmtpd.backends.sqlite.wal.worker:WalWorker"
_numbers = itertools.count()


class WalPool:
    """The worker, for all configurations that there are one after another."""

    def __init__(self, folders: Sequence[str] | None = None) -> None:
        """``folders`` are those in which databases may be; None leaves all to the worker."""
        self._folders = folders

    @cached_property
    def pool(self) -> Pool:
        """Return the pool, which is made when it is first asked for. Raises ConfigError."""
        return Pool(WORKER, self._folders, deadline=QUERY_SECONDS)

    def start(self) -> None:
        """Start the worker now: once smtpd is served, no program is started. Raises ConfigError."""
        self.pool.flush()

    def close(self) -> None:
        """End the worker, if there is one."""
        if "pool" in vars(self):
            self.pool.close()


class RemoteDatabase:
    """The methods of a Database. They raise NotInWal where the front is to look itself."""

    def __init__(self, config: Config, worker: WalPool) -> None:
        self.config = config
        self._worker = worker
        self._number = next(_numbers)
        self._sharing = ALONE
        self._brings = False
        self._brought: object | None = None
        """The version that came with the last row; None where none did."""

    def row(self, statement: Statement, key: str) -> Row | None:
        """Return the first row. Raises Unavailable."""
        if self._brings:
            reply, self._brought = self._ask(VERSIONED, statement.key, key)
        else:
            reply = self._ask(ROW, statement.key, key)
        return None if reply is None else tuple(reply)

    def rows(self, statement: Statement, key: str) -> list[Row]:
        """Return all rows for a key. Raises Unavailable."""
        return [tuple(row) for row in self._ask(ROWS, statement.key, key)]

    def all_rows(self, statement: Statement, seconds: float = LOAD_SECONDS) -> list[Row]:
        """Return the first cell of all rows, a row for each. Raises Unavailable."""
        rows: list[Row] = []
        size = 0
        parts = self._ask(ALL, statement.key, seconds, seconds=seconds)
        while parts:
            found = [tuple(row) for row in parts[0]]
            # The worker has counted them, too, but may be somebody else's by now.
            size += max(PART, sum(memory(row[0]) for row in found))
            if size > LOAD_MAX + PART:
                fault = f"{statement.key} gives more than {LOAD_MAX >> 20} MiB"
                raise Unavailable(f"{self.config.dbpath}: {fault}")
            rows += found
            parts = self._request([MORE, self._number, self._sharing])
        return rows

    def version(self) -> object:
        """Return what is another one when the database has changed. Raises Unavailable."""
        brought, self._brought = self._brought, None
        return self._ask(VERSION) if brought is None else brought

    def faults(self) -> list[ConfigError]:
        """Return what is wrong with the statements. Raises Unavailable."""
        return [
            ConfigError(message, path=self.config.path, line=line, remedy=remedy)
            for message, line, remedy in self._ask(FAULTS, seconds=START_SECONDS)
        ]

    @property
    def shares(self) -> bool:
        """Return whether ``begin`` or ``bring`` was called, and not ``end``."""
        return self._brings or self._sharing != ALONE

    def bring(self) -> None:
        """Have the version come with each row up to ``end``, for the next ``version``."""
        self._brings, self._brought = True, None

    def begin(self) -> None:
        """Have all lookups up to ``end`` see one state of the database."""
        self._brings, self._brought = False, None
        if self._sharing == ALONE:
            self._sharing = FIRST

    def end(self) -> None:
        """See each change again."""
        sharing, self._sharing = self._sharing, ALONE  # first: the next request ends it, too
        self._brings, self._brought = False, None
        if sharing == LATER:
            self._worker.pool.ask([END, self._number, ALONE])

    def forget(self) -> None:
        """Do as ``end``, which was interrupted; the next request tells the worker."""
        self._sharing, self._brings, self._brought = ALONE, False, None

    # --- requests -------------------------------------------------------------------------------

    def _ask(self, name: int, *arguments: object, seconds: float = QUERY_SECONDS) -> Any:
        """Return the reply of a worker that knows the configuration, or is told."""
        request = [name, self._number, self._sharing, *arguments]
        try:
            reply = self._request(request, seconds)
        except UnknownConfig:
            self._request([USE, self._number, ALONE, plain(self.config)])
            reply = self._request(request, seconds)
        if self._sharing == FIRST:
            self._sharing = LATER
        return reply

    def _request(self, request: list[object], seconds: float = QUERY_SECONDS) -> Any:
        try:
            return self._worker.pool.request(request, seconds)
        except WorkerError as error:
            for kind in (NotInWal, UnknownConfig, Interrupted):
                if error.kind == kind.__name__:
                    raise kind(str(error)) from None
            if error.kind:  # the worker's own text, which has the path
                raise
            raise Unavailable(f"{self.config.dbpath}: {error}") from None
