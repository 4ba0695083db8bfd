"""The worker that has the state in its memory: no file, no folder, and nothing after it ends."""

import sqlite3
import time
from typing import Any

from opensmtpd.backends.state.file import database
from opensmtpd.backends.state.file.store import StepStore
from opensmtpd.errors import Unavailable
from opensmtpd.needs import Needs
from opensmtpd.worker import Worker


class MemoryWorker(Worker):
    """Takes steps: a request is the time until when, and a step. Its setup: the size."""

    title = "state"
    needs = Needs()

    def __init__(self) -> None:
        self._size = 0
        self._store: StepStore | None = None

    def load(self, setup: Any) -> str:
        """Return the name of the store, for the log. Raises ConfigError."""
        database.check_version()
        self._size = setup
        return "memory"

    def begin(self) -> None:
        """Make the database, while SQLite may still open what gives it its random numbers."""
        self._store = StepStore(database.in_memory(self._size))

    def handle(self, request: Any) -> Any:
        """Return the reply to a step. Raises Unavailable; then the state is as it was before."""
        assert self._store is not None
        until, *step = request
        if time.monotonic() > until:
            raise Unavailable("no time left")
        try:
            return self._store.take(*step)
        except (sqlite3.Error, MemoryError) as error:
            raise Unavailable(str(error)) from None
