"""A connection of libpq whose methods wait no longer than they are told.

Source: https://www.postgresql.org/docs/current/libpq-async.html and libpq-pipeline-mode.html there.
"""

import select
from collections.abc import Callable, Iterator, Sequence
from time import monotonic
from typing import NamedTuple, TypeAlias

from opensmtpd.backends.postgres.libpq import Error, PGconn, PGresult, pq
from opensmtpd.errors import ServerLate, ServerLost, ServerRefused

Cells: TypeAlias = list[str | None]
SentCommand: TypeAlias = Callable[[PGconn], None]
"""Sends one command."""


class CommandResult(NamedTuple):
    """The result of a step."""

    rows: list[Cells]
    parameters: int = 0
    """Of a statement that was described, as are its ``columns``."""
    columns: int = 0


CommandOutcome: TypeAlias = CommandResult | ServerRefused | None
"""The result of a step, its error, or None behind an error."""

ROWS_MAX = 32 << 20
"""Bytes of the rows of an answer, each of which counts for ROW_COST more."""
ROW_COST = 64
MESSAGE_MAX = 300
"""Characters of the server's words in an error."""

_BOTH = select.POLLIN | select.POLLOUT
_TUPLES, _SINGLE = pq.ExecStatus.TUPLES_OK.value, pq.ExecStatus.SINGLE_TUPLE.value
_FATAL = pq.ExecStatus.FATAL_ERROR.value
_SYNC = pq.ExecStatus.PIPELINE_SYNC.value
_ABORTED = pq.ExecStatus.PIPELINE_ABORTED.value
_Field = pq.DiagnosticField
_GOOD = pq.ConnStatus.OK.value
_COPIES = (pq.ExecStatus.COPY_IN.value, pq.ExecStatus.COPY_OUT.value, pq.ExecStatus.COPY_BOTH.value)
_FATAL_SEVERITIES = (b"FATAL", b"PANIC")
_UNPREPARED = ("0A000", "26000")


class UnpreparedStatement(ServerRefused):
    """A prepared statement is gone, or its table has other columns now; it is to be prepared again.

    The statement itself may also have raised this SQLSTATE.
    """


class PostgresSession:
    """Connected by ``open``. After any error but ServerRefused it is to be closed."""

    def __init__(self) -> None:
        self._conn: PGconn | None = None
        self._poll = select.poll()

    def open(self, conninfo: bytes, until: float) -> None:
        """Connect and log in. Raises ServerLost, ServerLate."""
        conn = self._conn = pq.PGconn.connect_start(conninfo)
        event = select.POLLOUT
        while True:
            if conn.status == pq.ConnStatus.BAD:
                raise ServerLost(_reason(conn))
            socket = conn.socket  # it is another one when libpq tries anew, without TLS say
            self._poll.register(socket, event)
            self._wait(until)
            self._poll.unregister(socket)
            state = conn.connect_poll()
            if state == pq.PollingStatus.OK:
                break
            if state == pq.PollingStatus.FAILED:
                raise ServerLost(_reason(conn))
            event = select.POLLIN if state == pq.PollingStatus.READING else select.POLLOUT
        conn.nonblocking = 1
        self._poll.register(conn.socket, select.POLLIN)

    def close(self) -> None:
        """Close it at once, whatever it is about to do."""
        if self._conn is not None:
            self._conn.finish()
            self._conn = None
            self._poll = select.poll()

    def _wait(self, until: float) -> int:
        """Wait for what is polled for. Raises ServerLate."""
        left = until - monotonic()
        found = self._poll.poll(left * 1000) if left > 0 else None
        if not found:
            raise ServerLate("no answer in time")
        return found[0][1]

    def _flush(self, conn: PGconn, until: float) -> None:
        """Send all that is to be sent, and take what comes meanwhile."""
        if not conn.flush():
            return
        self._poll.modify(conn.socket, _BOTH)
        while conn.flush():
            if self._wait(until) & ~select.POLLOUT:
                conn.consume_input()
        self._poll.modify(conn.socket, select.POLLIN)

    def _next(self, conn: PGconn, until: float) -> PGresult | None:
        """Return the next result, None behind the last one of a command."""
        while conn.is_busy():
            self._wait(until)
            conn.consume_input()
            if conn.is_busy():  # no poll tells of what TLS has decrypted and libpq not taken
                conn.consume_input()
        result = conn.get_result()
        if result is not None and result.status in _COPIES:  # libpq would return it for ever
            raise ServerLost("it begins to copy a table")
        return result

    def rows(self, step: SentCommand, until: float) -> list[Cells]:
        """Return the rows of a command with a key. Raises ServerLost, ServerLate, ServerRefused."""
        rows: list[Cells] = []
        fault = None
        for result in self._results(step, until):
            if result.status == _TUPLES:
                rows += _rows(result)
            else:
                fault = self._refusal(result)
        if fault is not None:
            raise fault
        return rows

    def listed(self, step: SentCommand, until: float) -> list[Cells]:
        """Return the rows of a command without a key, which may be many: ROWS_MAX bytes at most.

        Raises ServerLost, ServerLate, ServerRefused.
        """
        rows: list[Cells] = []
        size, fault = 0, None
        for result in self._results(step, until, singly=True):  # or libpq keeps them all
            if result.status not in (_SINGLE, _TUPLES):
                fault = self._refusal(result)
            elif size <= ROWS_MAX:
                found = _rows(result)
                size += _size(found)
                rows += found
        if fault is not None:
            raise fault
        if size > ROWS_MAX:
            raise ServerRefused(f"more than {ROWS_MAX >> 20} MiB of rows")
        return rows

    def _results(
        self, step: SentCommand, until: float, *, singly: bool = False
    ) -> Iterator[PGresult]:
        """Yield the results of a command: all are to be taken."""
        conn = self._connected()
        try:
            step(conn)
            if singly:
                conn.set_single_row_mode()
            self._flush(conn, until)
            while (result := self._next(conn, until)) is not None:
                yield result
        except Error as error:
            raise ServerLost(_reason(conn) or type(error).__name__) from None

    def all(
        self, groups: Sequence[Sequence[SentCommand]], until: float
    ) -> list[list[CommandOutcome]]:
        """Return the outcomes of all steps, in one round trip.

        An error in a group ends that group; the others go on. Raises ServerLost, ServerLate.
        """
        conn = self._connected()
        try:
            conn.enter_pipeline_mode()
            for group in groups:
                for step in group:
                    step(conn)
                conn.pipeline_sync()
                self._flush(conn, until)
            outcomes = [self._group(conn, len(group), until) for group in groups]
            conn.exit_pipeline_mode()
        except Error as error:
            raise ServerLost(_reason(conn) or type(error).__name__) from None
        return outcomes

    def _group(self, conn: PGconn, count: int, until: float) -> list[CommandOutcome]:
        outcomes: list[CommandOutcome] = []
        results: list[PGresult] = []
        while True:
            result = self._next(conn, until)
            if result is None:  # the end of a step
                outcomes.append(self._outcome(results))
                results = []
            elif result.status == _SYNC:
                return outcomes + [None] * (count - len(outcomes))
            else:
                results.append(result)

    def _outcome(self, results: Sequence[PGresult]) -> CommandOutcome:
        """Return the outcome of a step. Raises ServerLost.

        It has several results where libpq still gives each row alone.
        """
        last = results[-1]
        if last.status == _FATAL:
            return self._refusal(last)
        if last.status == _ABORTED:
            return None
        return CommandResult(
            [row for each in results for row in _rows(each)], last.nparams, last.nfields
        )

    def _refusal(self, result: PGresult) -> ServerRefused:
        """Return the error of a failed command. Raises ServerLost where the session ends with it.

        The severity tells: a function may raise any SQLSTATE, such as that of a foreign table whose
        server is away.
        """
        state = (result.error_field(_Field.SQLSTATE) or b"").decode("ascii", "replace")
        message = result.error_field(_Field.MESSAGE_PRIMARY) or result.error_message
        text = _line(message or b"no rows") + (f" (SQLSTATE {state})" if state else "")
        severity = result.error_field(_Field.SEVERITY_NONLOCALIZED)
        severity = severity or result.error_field(_Field.SEVERITY)  # of a PgBouncer
        if not state or severity in _FATAL_SEVERITIES or self._connected().status != _GOOD:
            raise ServerLost(text)
        return UnpreparedStatement(text) if state in _UNPREPARED else ServerRefused(text)

    def _connected(self) -> PGconn:
        if self._conn is None:
            raise ServerLost("not connected")
        return self._conn


def _rows(result: PGresult) -> list[Cells]:
    get, columns = result.get_value, range(result.nfields)
    return [
        [
            None if (cell := get(row, column)) is None else cell.decode("utf-8", "surrogateescape")
            for column in columns
        ]
        for row in range(result.ntuples)
    ]


def _size(rows: list[Cells]) -> int:
    return sum(ROW_COST + sum(len(cell or "") for cell in row) for row in rows)


def _reason(conn: PGconn) -> str:
    return _line(conn.error_message)


def _line(message: bytes) -> str:
    """Return what the server or libpq says, as one line."""
    return " ".join(message.decode("utf-8", "replace").split())[:MESSAGE_MAX]
