"""The process that counts judged messages in the database of reports.

The front hands messages over and waits for nothing: a database that is locked, broken or full costs
the messages of that moment, and a log line a minute, and is tried again with the next ones.
"""

import os
import sqlite3
import time
from collections.abc import Callable, Sequence
from typing import Any

from opensmtpd.errors import ConfigError
from opensmtpd.log import log
from opensmtpd.mail.dmarc.reports.record import JudgedMessage, checked
from opensmtpd.mail.dmarc.reports.store import ReportStore
from opensmtpd.needs import Needs
from opensmtpd.worker import Link, Worker

QUIET = 60.0
"""Seconds between two log lines about messages that are not counted."""

clock: Callable[[], float] = time.monotonic


class ReportsWorker(Worker):
    """Counts messages. A request is a list of them, as ``record`` has them; the reply is None."""

    title = "reports"

    def __init__(self) -> None:
        self._path = ""
        self._store: ReportStore | None = None
        self._lost = 0
        self._told_at = -QUIET

    def load(self, setup: tuple[str, bool]) -> None:
        """Take the path of the database, and whether it is made where it is missing.

        Raises ConfigError where nothing can be written there, or the file is a database of
        somebody else. One that cannot be used at this moment only costs a log line, for mail is
        more than reports; where none is made, it is only checked, and an error too.
        """
        path, new = setup
        self._path = os.path.abspath(path)
        folder = os.path.dirname(self._path)
        self.needs = Needs(writes=(folder,), locks=True)
        if not os.path.isdir(folder) or not os.access(folder, os.W_OK | os.X_OK):
            remedy = "make it a folder that the filter's user may write to"
            raise ConfigError("no folder for the database of reports", path=folder, remedy=remedy)
        if not new and not os.path.lexists(self._path):
            return
        try:
            ReportStore(self._path, new=new).close()
        except sqlite3.Error as error:
            if not new:
                remedy = "name a new file, or that of filter-auth"
                raise ConfigError(str(error), path=self._path, remedy=remedy) from None
            log("reports-unusable", file=self._path, reason=error)

    def serve(self, link: Link) -> None:
        """Count all messages that have come by now in one transaction. Raises EOFError."""
        while True:
            requests = link.receive()
            self.handle([message for _, request in requests for message in request])
            for number, _ in requests:
                link.reply(number, None)
            link.flush()

    def handle(self, request: Sequence[Any]) -> None:
        """Count messages, or say that they are not counted."""
        messages = self._checked(request)
        try:
            if self._store is not None and not self._store.is_there():
                self._close()
            if self._store is None:
                self._store = ReportStore(self._path, new=True)
            left_out = self._store.add(messages)
        except (sqlite3.Error, ConfigError, MemoryError, UnicodeError, OverflowError) as error:
            self._close()
            self._lose(len(messages), error)
        else:
            if left_out:
                self._lose(left_out, "too many different results for one day")

    def _checked(self, request: Sequence[Any]) -> list[JudgedMessage]:
        messages = []
        for each in request:
            try:
                messages.append(checked(each))
            except ValueError as error:
                self._lose(1, error)
        return messages

    def _close(self) -> None:
        """Begin anew with the next messages: the file may be another one by then."""
        store, self._store = self._store, None
        if store is not None:
            store.close()

    def _lose(self, count: int, reason: object) -> None:
        self._lost += count
        now = clock()
        if self._lost and now - self._told_at >= QUIET:
            log("reports-lost", messages=self._lost, file=self._path, reason=reason)
            self._lost, self._told_at = 0, now
