"""The steps, in an open database. The rows that have expired are dropped a few at a time."""

import sqlite3
import time
from collections.abc import Callable
from typing import Any

from opensmtpd.backends.state import steps
from opensmtpd.backends.state.file import statements
from opensmtpd.backends.state.steps import ALLOW, COUNT, FORGET, GET, GREYLIST, KINDS, PUT, WHITE
from opensmtpd.log import log

SWEEP_EVERY = 32
"""Steps between two sweeps."""
SWEPT = 64
"""Rows that a sweep drops, at most: more than come meanwhile."""
FULL = 0.9
"""The part of its size from which a file is full: then those are dropped that expire first."""
FULL_SWEEPS = 8
"""So many times these are dropped to make room for a step that finds none."""
TELL_AGAIN = 3600 * steps.SECOND
"""Microseconds until the log says again that a file is full."""


def now_us() -> int:
    """Return the time in microseconds since 1970, which goes on while the machine is off."""
    return time.time_ns() // 1000


class StepStore:
    """Takes steps. Methods raise sqlite3.Error; then nothing has been changed."""

    def __init__(
        self, db: sqlite3.Connection, clock: Callable[[], int] = now_us, name: str = "memory"
    ) -> None:
        """``name`` is for the log."""
        self._db, self._clock, self._name = db, clock, name
        self._steps = 0
        self._told: int | None = None
        """The time when the log has said that it is full."""
        self._takes: dict[int, Callable[..., Any]] = {
            COUNT: self._count,
            ALLOW: self._allow,
            GREYLIST: self._greylist,
            GET: self._get,
            PUT: self._put,
            FORGET: self._forget,
            WHITE: self._white,
        }

    def take(self, kind: int, key: bytes, *arguments: Any) -> Any:
        """Take a step, as ``steps`` has them; return its reply."""
        if kind in KINDS:
            key = KINDS[kind] + key
        try:
            reply = self._takes[kind](key, *arguments)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_FULL or not self._makes_room():
                raise
            reply = self._takes[kind](key, *arguments)
        self._steps += 1
        if self._steps % SWEEP_EVERY == 0:
            self._sweep()
        return reply

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    def _row(self, statement: str, **values: Any) -> Any:
        return self._db.execute(statement, values).fetchone()

    def _changed(self, statement: str, **values: Any) -> tuple[int, Any]:
        """Change a row; return the time of it, and what the statement returns.

        The time is read under the lock: while a process waits for it, another one may change the
        row at a later time, which would be the future to the first, and so no state.
        """
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            now = self._clock()
            return now, self._row(statement, now=now, **values)

    def _count(self, key: bytes, by: int, window: int) -> int:
        if by == 0:
            row = self._row(statements.READ_COUNT, key=key, now=self._clock())
        else:
            most = steps.NUMBER_MAX
            _, row = self._changed(statements.COUNT, key=key, by=by, window=window, most=most)
        return 0 if row is None else int(row[0])

    def _allow(self, key: bytes, step: int, limit: int, wait: int) -> list[int]:
        now, (base,) = self._changed(statements.ALLOW, key=key, step=step, limit=limit, wait=wait)
        after, top = base + step, now + limit + wait
        return [0, after - top] if after > top else [1, max(0, after - limit - now)]

    def _greylist(self, key: bytes, delay: int, window: int, keep: int) -> list[int]:
        now, (attempt, first) = self._changed(
            statements.GREYLIST, key=key, delay=delay, window=window, keep=keep
        )
        return [attempt, now - first]

    def _get(self, key: bytes) -> list[Any] | None:
        row = self._row(statements.GET, key=key)
        if row is None:
            return None
        value, begun, expires = row
        # Behind the row: if another process put it anew between the two, it would be of the future.
        now = self._clock()
        return [value, expires - now] if begun <= now < expires else None

    def _put(self, key: bytes, value: bytes, seconds: int) -> bool:
        self._changed(statements.PUT, key=key, value=value, seconds=seconds)
        return True

    def _white(self, key: bytes, by: int, enough: int, again: int, keep: int) -> int:
        values: dict[str, Any] = {"key": key, "enough": enough, "keep": keep}
        if by == 0:
            _, row = self._changed(statements.READ_WHITE, **values)
        else:
            most = steps.NUMBER_MAX
            _, row = self._changed(statements.WHITE, by=by, again=again, most=most, **values)
        return 0 if row is None else int(row[0])

    def _forget(self, key: bytes) -> bool:
        keys = [kind + key for kind in sorted(set(KINDS.values()))]
        self._db.execute(statements.FORGET, keys)
        return True

    # --- what is dropped ------------------------------------------------------------------------

    def _is_full(self) -> bool:
        pages, free, most = (
            self._db.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("page_count", "freelist_count", "max_page_count")
        )
        return bool(pages - free > FULL * most)

    def _makes_room(self) -> bool:
        """Drop rows; return False where the disk is full, and not the file."""
        if not self._is_full():
            return False
        self._drop_first(FULL_SWEEPS * SWEPT)
        return True

    def _sweep(self) -> None:
        self._db.execute(statements.DROP_EXPIRED, (self._clock(), SWEPT))
        if self._is_full():
            self._drop_first(SWEPT)

    def _drop_first(self, rows: int) -> None:
        """Drop the rows that expire first, and say so in the log once an hour."""
        now = self._clock()
        if self._told is None or not 0 <= now - self._told < TELL_AGAIN:
            self._told = now
            log("state-full", store=self._name, forgets="what expires first")
        self._db.execute(statements.DROP_FIRST, (rows,))
