"""The database of judged messages: rows with a count, by UTC day and published policy.

It is bounded in days, in rows of a day and of a policy, and in bytes: clients choose much of what
stands in a row. ``policies`` has a row for each policy of a day, ``messages`` its rows, and
``deliveries`` to which addresses its report has gone.
"""

import json
import os
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple
from urllib.parse import quote

from opensmtpd.errors import ConfigError
from opensmtpd.mail.dmarc.reports.record import (
    JudgedMessage,
    MessageResults,
    PublishedPolicy,
    message_results,
    published_policy,
)

DAY = 86400
DAYS_KEPT = 14
"""Days whose rows are kept: as long as a report may wait for its way to be free."""
ROWS_DAY = 200_000
"""Rows of a day."""
ROWS_POLICY = 10_000
"""Rows of a policy of a day: the owner of one domain must not use up the day."""
BYTES = 256 << 20
"""The size of the file."""
PAGE = 4096
WAIT = 1.0
"""Seconds that a lock of somebody else is waited for."""

APPLICATION = 0x444D5243
"""The ``application_id`` of the file (https://www.sqlite.org/pragma.html#pragma_application_id)."""
SCHEMA = """
CREATE TABLE policies (
    id INTEGER PRIMARY KEY,
    day INTEGER NOT NULL,
    published TEXT NOT NULL,
    rua TEXT NOT NULL,
    done INTEGER NOT NULL DEFAULT 0,
    UNIQUE (day, published)
);
CREATE TABLE messages (
    policy INTEGER NOT NULL,
    results TEXT NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (policy, results)
) WITHOUT ROWID;
CREATE TABLE deliveries (
    policy INTEGER NOT NULL,
    address TEXT NOT NULL,
    PRIMARY KEY (policy, address)
) WITHOUT ROWID;
"""


class DayPolicy(NamedTuple):
    """A policy of a day, which is what one report is about."""

    id: int
    day: int
    """The number of the day since 1970-01-01, UTC."""
    published: PublishedPolicy
    rua: str
    """The last value of the tag ``rua`` that was seen with it on this day."""


class ReportStore:
    """An open database. All methods raise ``sqlite3.Error``; then nothing has been changed."""

    def __init__(self, path: str, *, new: bool = False, size: int = BYTES) -> None:
        """Open the file, or make it if it is ``new``. Raises ConfigError for one of somebody else.

        ``size`` bounds the file, in bytes.
        """
        mode = "rwc" if new else "rw"
        uri = f"file:{quote(os.fsencode(os.path.abspath(path)))}?mode={mode}"
        self._db = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=WAIT)
        try:
            self._prepare(path, new, size)
        except BaseException:
            self._db.close()
            raise
        self._path, self._file = path, _identity(path)
        self._day = -1
        self._rows: Counter[int] = Counter()
        """Rows of the policies of ``_day``, by id."""

    def _prepare(self, path: str, new: bool, size: int) -> None:
        for pragma in ("trusted_schema = OFF", "cell_size_check = ON", "temp_store = MEMORY"):
            self._db.execute(f"PRAGMA {pragma}")
        self._db.execute(f"PRAGMA max_page_count = {max(size // PAGE, 16)}")
        if self._id() == APPLICATION:
            return
        with _Transaction(self._db):
            empty = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
            if self._id() == APPLICATION:  # another process was faster
                return
            if not new or not empty:
                remedy = "name the file that filter-auth was given"
                raise ConfigError("is no database of reports", path=path, remedy=remedy)
            for statement in filter(None, map(str.strip, SCHEMA.split(";"))):
                self._db.execute(statement)
            self._db.execute(f"PRAGMA application_id = {APPLICATION}")

    def _id(self) -> int:
        return int(self._db.execute("PRAGMA application_id").fetchone()[0])

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def is_there(self) -> bool:
        """Return whether the file still has its name: what is written to another would be lost."""
        return self._file is not None and _identity(self._path) == self._file

    # --- counting -------------------------------------------------------------------------------

    def add(self, messages: Iterable[JudgedMessage]) -> int:
        """Count messages, and return how many are left out because a bound is reached."""
        left_out = 0
        with _Transaction(self._db):
            try:
                for message in messages:
                    left_out += not self._add(message)
            except BaseException:
                self._day = -1  # the counts of rows are not those of the file any more
                raise
        return left_out

    def _add(self, message: JudgedMessage) -> bool:
        day = message.time // DAY
        if day != self._day:
            self._begin(day)
        full = self._rows.total() >= ROWS_DAY
        policy = self._policy(day, message, full)
        if policy is None:
            return False
        results = _packed(message.results)
        done = self._db.execute(
            "UPDATE messages SET count = count + 1 WHERE policy = ? AND results = ?",
            (policy, results),
        )
        if done.rowcount:
            return True
        if full or self._rows[policy] >= ROWS_POLICY:
            return False
        self._db.execute("INSERT INTO messages VALUES (?, ?, 1)", (policy, results))
        self._rows[policy] += 1
        return True

    def _begin(self, day: int) -> None:
        """Turn to a day: forget those that are too old, and count the rows that this one has."""
        old = "SELECT id FROM policies WHERE day <= ?"
        for table in ("messages", "deliveries"):
            self._db.execute(f"DELETE FROM {table} WHERE policy IN ({old})", (day - DAYS_KEPT,))
        self._db.execute("DELETE FROM policies WHERE day <= ?", (day - DAYS_KEPT,))
        rows = self._db.execute(
            "SELECT policies.id, count(results) FROM policies"
            " LEFT JOIN messages ON policy = policies.id WHERE day = ? GROUP BY policies.id",
            (day,),
        )
        self._day, self._rows = day, Counter(dict(rows.fetchall()))

    def _policy(self, day: int, message: JudgedMessage, full: bool) -> int | None:
        """Return the id of the message's policy; None for a new one where the day is full."""
        published = _packed(message.policy)
        row = self._db.execute(
            "SELECT id, rua FROM policies WHERE day = ? AND published = ?", (day, published)
        ).fetchone()
        if row is None:
            new = (day, published, message.rua)
            insert = "INSERT INTO policies (day, published, rua) VALUES (?, ?, ?)"
            return None if full else self._db.execute(insert, new).lastrowid
        if row[1] != message.rua:
            self._db.execute("UPDATE policies SET rua = ? WHERE id = ?", (message.rua, row[0]))
        return int(row[0])

    # --- reporting ------------------------------------------------------------------------------

    def due(self, before: int, *, done: bool = False) -> list[DayPolicy]:
        """Return the policies of the days before a day, by day and domain.

        Those whose report was delivered are left out, but with ``done``.
        """
        rows = self._db.execute(
            "SELECT id, day, published, rua FROM policies WHERE day < ? AND done <= ?"
            " ORDER BY day, published",
            (before, int(done)),
        )
        return [
            DayPolicy(id, day, published_policy(*json.loads(published)), rua)
            for id, day, published, rua in rows.fetchall()
        ]

    def rows(self, policy: DayPolicy) -> Iterator[tuple[int, MessageResults]]:
        """Yield the rows of a policy with their counts, the highest first."""
        rows = self._db.execute(
            "SELECT count, results FROM messages WHERE policy = ? ORDER BY count DESC, results",
            (policy.id,),
        )
        for count, results in rows:
            yield count, message_results(*json.loads(results))

    def claim(self, policy: DayPolicy, address: str) -> bool:
        """Note that a report goes to an address; return False where it has been noted before."""
        new = "INSERT OR IGNORE INTO deliveries VALUES (?, ?)"
        return self._db.execute(new, (policy.id, address)).rowcount > 0

    def release(self, policy: DayPolicy, address: str) -> None:
        """Note that a report has not gone to an address after all."""
        gone = "DELETE FROM deliveries WHERE policy = ? AND address = ?"
        self._db.execute(gone, (policy.id, address))

    def finish(self, policy: DayPolicy) -> None:
        """Note that nothing is left to do for a report."""
        self._db.execute("UPDATE policies SET done = 1 WHERE id = ?", (policy.id,))


class _Transaction:
    """A transaction that is taken back where anything is raised."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> None:
        self._db.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            try:
                self._db.execute("COMMIT")
                return
            except sqlite3.Error:
                self._undo()
                raise
        self._undo()

    def _undo(self) -> None:
        if self._db.in_transaction:  # SQLite has taken some back itself: a full disk, say
            self._db.execute("ROLLBACK")


def _identity(path: str) -> tuple[int, int] | None:
    """Return what tells a file from all others; None where there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _packed(fields: tuple[object, ...]) -> str:
    return json.dumps(fields, separators=(",", ":"))
