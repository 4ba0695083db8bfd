"""A database in either mode: here in rollback mode, by a worker in WAL mode.

The mode may change while smtpd runs. Who reads the database finds that out: SQLite never opens one
in WAL mode in this process, where a file mapped into memory could end smtpd.
"""

from collections.abc import Callable, Iterator
from time import monotonic
from typing import ParamSpec, TypeVar

from opensmtpd.backends.sqlite.config import Config, Statement
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
        self._in_wal = False
        """The mode that it had when it was last read."""

    def row(self, statement: Statement, key: str) -> Row | None:
        """Return the first row. Raises Unavailable, ConfigError."""
        return self._either(super().row, self._remote.row, statement, key)

    def rows(self, statement: Statement, key: str) -> list[Row]:
        """Return all rows for a key, up to the one that is too much. Raises as ``row``."""
        return self._either(super().rows, self._remote.rows, statement, key)

    def all_rows(self, statement: Statement, seconds: float = LOAD_SECONDS) -> list[Row]:
        """Return all rows of a statement without a key. Raises Unavailable."""
        return self._either(super().all_rows, self._remote.all_rows, statement, seconds)

    def version(self) -> object:
        """Return what is another one when the database has changed. Raises Unavailable."""
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
            except Unavailable:
                self.interrupted = self._remote.interrupted
                raise
        raise Unavailable(f"{self._path}: its journal mode is changed again and again")

    def _share(self) -> None:
        if not self._in_wal:
            super()._share()
        if not self._shared:  # by a worker, or here from the time on when it can be opened
            self._shared, self._shared_end = True, monotonic() + QUERY_SECONDS
            self._remote.begin()

    def _unshare(self) -> None:
        super()._unshare()
        self._remote.end()
