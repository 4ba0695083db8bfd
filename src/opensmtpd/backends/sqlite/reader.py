"""A database in either mode: here in rollback mode, by a worker in WAL mode.

The mode may change while smtpd runs. Who reads the database finds that out: SQLite never opens one
in WAL mode in this process, where a file mapped into memory could end smtpd.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from time import monotonic
from typing import ParamSpec, TypeVar

from opensmtpd.backends.sql.config import Statement
from opensmtpd.backends.sqlite.config import Config
from opensmtpd.backends.sqlite.database import LOAD_SECONDS, QUERY_SECONDS, Database
from opensmtpd.backends.sqlite.file import InWal
from opensmtpd.backends.sqlite.row_sizes import Row
from opensmtpd.backends.sqlite.wal.remote import RemoteDatabase, WalPool
from opensmtpd.backends.sqlite.wal.requests import NotInWal
from opensmtpd.errors import ConfigError, Unavailable

P = ParamSpec("P")
T = TypeVar("T")

TRIES = 3
"""Changes of the mode within one query."""


class Reader(Database):
    """A Database, for all modes."""

    def __init__(self, config: Config, worker: WalPool) -> None:
        super().__init__(config)
        self._remote = RemoteDatabase(config, worker)
        self._in_wal = self._brings = False
        """True where it had that mode when it was last read, and the worker answered; and the
        argument of the last ``hold``."""

    def row(self, statement: Statement, key: str) -> Row | None:
        """Return the first row. Raises Unavailable, ConfigError."""
        if not self._in_wal:  # what ``_either`` does, without its cost
            try:
                return Database.row(self, statement, key)
            except InWal:
                self._in_wal = True
        return self._either(super().row, self._remote.row, statement, key)

    def rows(self, statement: Statement, key: str) -> list[Row]:
        """Return all rows for a key, up to the one that is too much. Raises as ``row``."""
        if not self._in_wal:  # as in ``row``
            try:
                return Database.rows(self, statement, key)
            except InWal:
                self._in_wal = True
        return self._either(super().rows, self._remote.rows, statement, key)

    def all_rows(self, statement: Statement, seconds: float = LOAD_SECONDS) -> list[Row]:
        """Return all rows of a statement without a key. Raises Unavailable."""
        return self._either(super().all_rows, self._remote.all_rows, statement, seconds)

    def version(self) -> object:
        """Return what is another one when the database has changed. Raises Unavailable."""
        if not self._in_wal:  # as in ``row``
            try:
                return Database.version(self)
            except InWal:
                self._in_wal = True
        return self._either(super().version, self._remote.version)

    def faults(self) -> Iterator[ConfigError]:
        """Prepare all statements and yield what is wrong with each. Raises Unavailable."""
        here = super().faults
        return iter(self._either(lambda: list(here()), self._remote.faults))

    def _either(
        self, here: Callable[P, T], there: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Call the method for the mode that the database has."""
        for _ in range(TRIES):
            if not self._in_wal:
                try:
                    return here(*args, **kwargs)
                except InWal:
                    self._in_wal = True
            try:
                return there(*args, **kwargs)
            except NotInWal:
                self._in_wal = False
            except Unavailable:  # perhaps of the worker; and the mode may have been changed back
                self._in_wal = False
                raise
        raise Unavailable(f"{self._path}: its journal mode is changed again and again")

    def hold(self, *, version: bool = False) -> AbstractContextManager[None]:
        """Do what Database does; with ``version`` a worker sends it with the row."""
        self._brings = version
        return super().hold()

    def _hold(self) -> None:
        if not self._in_wal:  # there, to hold it takes longer than one question
            try:
                Database._hold(self)
            except InWal:
                self._in_wal = True
        if self._in_wal and self._brings:
            self._for_one = True
            self._remote.bring()

    def _share(self) -> None:
        if not self._in_wal:
            super()._share()
        if not self._shared:  # by a worker, or here from the time on when it can be opened
            self._shared, self._shared_end = True, monotonic() + QUERY_SECONDS
            self._remote.begin()

    def _unshare(self) -> None:
        if self._remote.shares:
            self._remote.end()
        Database._unshare(self)

    def _abandon(self) -> None:
        self._remote.forget()
        Database._abandon(self)
