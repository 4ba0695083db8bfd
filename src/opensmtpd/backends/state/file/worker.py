"""The worker that has the file: what breaks of it ends this process at most, or begins anew."""

import os
import sqlite3
import time
from collections.abc import Callable
from typing import Any

from opensmtpd.backends.state.file import database
from opensmtpd.backends.state.file.store import StepStore, now_us
from opensmtpd.errors import ConfigError, Unavailable
from opensmtpd.log import log
from opensmtpd.needs import Needs
from opensmtpd.worker import Worker


class FileWorker(Worker):
    """Takes steps: a request is the time until when, and a step. Its setup: path, size, new."""

    title = "state"

    def __init__(self, clock: Callable[[], int] = now_us) -> None:
        self._path, self._size = "", 0
        self._clock = clock
        self._store: StepStore | None = None
        self._file: tuple[int, int] | None = None
        """The identity of the file that is open, or of one that had its name before."""

    def load(self, setup: Any) -> str:
        """Return the path. Raises ConfigError for one that cannot be used.

        What may pass is a log line only.
        """
        path, self._size, new = setup
        self._path = os.path.abspath(path)
        database.check_version()
        self.needs = Needs(writes=(os.path.dirname(self._path),), locks=True)
        database.check_folder(self._path)
        # Root that only checks has no look: the file is not its own, and SQLite would add some.
        if new or (os.geteuid() and os.path.lexists(self._path)):
            try:
                database.opened(self._path, self._size).close()
            except (sqlite3.Error, OSError, Unavailable) as error:
                log("state-unusable", file=self._path, reason=error)
        return self._path

    def handle(self, request: Any) -> Any:
        """Return the reply to a step. Raises Unavailable."""
        until, *step = request
        if time.monotonic() > until:
            raise Unavailable("no time left")
        try:
            return self._taken(step)
        except (sqlite3.Error, OSError, MemoryError, ConfigError) as error:
            self.close()
            reason = error.strerror if isinstance(error, OSError) else error
            raise Unavailable(str(reason)) from None

    def _taken(self, step: list[Any]) -> Any:
        try:
            return self._opened().take(*step)
        except sqlite3.Error as error:
            if not database.is_damage(error):
                raise
            self.close()
            database.move_aside(self._path, self._file, error)
            return self._opened().take(*step)

    def _opened(self) -> StepStore:
        """Return the store of the file that has the name now: state in another one is lost."""
        if self._store is not None and database.identity(self._path) != self._file:
            self.close()
        if self._store is None:
            # Before it is opened: another process may give the name to a new file meanwhile. One
            # that is made here is opened once more by the next step.
            self._file = database.identity(self._path)
            db = database.opened(self._path, self._size)
            self._store = StepStore(db, self._clock, self._path)
        return self._store

    def close(self) -> None:
        """Close the file: the next step opens it anew."""
        store, self._store = self._store, None
        if store is not None:
            store.close()
