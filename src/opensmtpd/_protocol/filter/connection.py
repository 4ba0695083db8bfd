"""The filter protocol, sans I/O: bytes from smtpd in, handler calls, bytes for smtpd out.

Every request gets exactly one legal answer, in spite of its handler: an exception, a late answer
or an illegal one becomes the failure policy's answer and a line in the log. Source:
``processor_io``, ``lka_filter_process_response`` and ``filter_protocol_query`` in ``lka_filter.c``.
"""

import re
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from opensmtpd._counters.counts import OWN
from opensmtpd._counters.names import DECISIONS, PHASES
from opensmtpd._protocol.dispatch import Dispatcher, Log
from opensmtpd._protocol.failures import place
from opensmtpd._protocol.filter import wire
from opensmtpd._protocol.filter.data_lines import TEMPFAIL, Policy, Transfers
from opensmtpd._protocol.filter.handshake import Handshake
from opensmtpd._protocol.filter.message import ENDED, SENT, Message
from opensmtpd._protocol.filter.registration import handlers
from opensmtpd._protocol.filter.runs import Runs
from opensmtpd._protocol.filter.session_state import SessionState, record_report, reports_for
from opensmtpd._protocol.filter.spool import Budget
from opensmtpd._protocol.filter.turned_away import TurnedAway
from opensmtpd.errors import DecisionError, ProtocolError, Refused, VersionError
from opensmtpd.filter import PROCEED, Filter, Session
from opensmtpd.filter.decisions import handler_name
from opensmtpd.log import log

_ID = re.compile(rb"[0-9a-f]{1,16}")
_COUNTED = {
    (phase, decision.encode("ascii")): OWN.index["opensmtpd_plugin_decisions", phase, decision]
    for phase in PHASES
    for decision in DECISIONS
}
"""The place of the count of a decision."""
DEADLINE = 60.0
"""Seconds for an answer; smtpd's own patience with a client is 300 (``smtp-session-timeout``)."""


class FilterConnection:
    """One filter talking to one smtpd.

    ``deadline`` is in seconds. ``on_failure`` is the answer in place of a handler that fails:
    ``"tempfail"`` (451) or ``"pass"`` (proceed; a message goes on untouched). ``now`` is the time
    of any monotonic clock. With ``debug`` the tracebacks of failures are logged. Raises LocalError
    for a filter that uses an unknown attribute of sessions.
    """

    def __init__(
        self,
        filter: Filter,
        *,
        deadline: float = DEADLINE,
        on_failure: Policy = "tempfail",
        debug: bool = False,
        log: Log = log,
        budget: Budget | None = None,
    ) -> None:
        self.dispatcher = Dispatcher(deadline, log, debug=debug)
        self._handshake = Handshake(filter, self.dispatcher)
        self._filter = filter
        self._handlers = handlers(filter)
        self._recorded = reports_for(filter.uses)
        self._failure = TEMPFAIL if on_failure == "tempfail" else PROCEED
        self._log = log
        self._states: dict[bytes, SessionState] = {}
        self._turned_away = TurnedAway(log)
        self._transfers = Transfers(filter, self.dispatcher, budget or Budget(), on_failure)
        self._runs = Runs(self._transfers, self._line, self._again, log)
        self._out: list[bytes] = []
        self._answered = b""
        """The token of the request that was answered last."""
        self._failed: bytes | None = None
        """The line that could not be taken, until it is answered as a failure."""

    # --- for the loop and the tests -----------------------------------------------------------

    @property
    def ready(self) -> bool:
        """True when the handshake is over."""
        return self._handshake.ready

    @property
    def session_count(self) -> int:
        """Sessions that are known."""
        return len(self._states)

    @property
    def message_count(self) -> int:
        """Messages in flight."""
        return sum(message.state != SENT for message in self._messages())

    @property
    def held_bytes(self) -> int:
        """Bytes of messages that wait in memory or in files."""
        return sum(len(message) for message in self._messages())

    def _messages(self) -> list[Message]:
        return [message for state in self._states.values() for message in state.messages.values()]

    def data_to_send(self) -> bytes:
        """Return the next bytes for smtpd, some 100 KB at the most; ``b""`` when none wait.

        Raises MemoryError where there may be some, and then it is to be called again.
        """
        self._runs.feed()
        if self._out:
            answers = b"".join(self._out)
            self._out = []
            return answers
        return self._transfers.data_to_send()

    def receive(self, data: bytes, now: float) -> None:
        """Take bytes from smtpd. Raises VersionError, in the handshake only.

        Raises MemoryError, and then nothing was taken. Where memory ends later, the bytes wait for
        ``data_to_send``.
        """
        self.dispatcher.now = max(self.dispatcher.now, now)
        self._runs.waiting.append(data)
        try:  # noqa: SIM105  to make suppress() may raise, when the bytes are taken
            self._runs.feed()
        except MemoryError:
            pass

    def _line(self, line: bytes) -> bool:
        """Take a line that belongs to no known message; return whether it was taken.

        The first line of a message is not: it is to be taken with the lines that follow it.
        """
        try:
            if line.startswith((b"report|", b"filter|")):
                return self._event(wire.parse(line), line)
            if not line.startswith(b"config|"):
                raise ProtocolError("neither config, report nor filter")
            self._out.append(self._handshake.config(line))
        except VersionError as error:
            if not self._handshake.ready:
                raise
            self._log("line-ignored", reason=error)
        except ProtocolError as error:
            self._log("line-ignored", reason=error)
        except Exception as error:  # a bug of ours, or no memory
            self._lost(line, error)
        return True

    def _again(self, line: bytes) -> bool:
        """Take a line that ``_line`` was not given, or raised MemoryError for."""
        if line is not self._failed:
            return self._line(line)
        self._lost(line, MemoryError())
        return True

    def _lost(self, line: bytes, error: Exception) -> None:
        """Answer a line that failed; a report has no answer. Raises MemoryError: see ``_again``."""
        self._failed = line
        with suppress(Exception):
            self._log("internal-error", error=type(error).__name__, at=place(error))
            self.dispatcher.log_traceback(error)
        if line.startswith(b"filter|"):
            try:
                self._refuse(wire.parse(line), error)
            except Exception as again:  # a bug of ours, or no line of smtpd's
                if isinstance(again, MemoryError):
                    raise
        self._failed = None

    def _refuse(self, asked: wire.Line, error: Exception) -> None:
        token, _, fields = asked.fields.partition(b"|")
        state = self._state(asked.session)
        self._runs.flush(state)
        if asked.event == "data-line":
            self._transfers.lose_line(state, token, error, last=fields == b".")
        elif asked.event == "commit" and state.refusal is not None:
            self._request(asked, token, fields)
        elif token != self._answered:  # a second answer would stop smtpd
            self._answer(state, asked.event, token, self._failure)

    def _event(self, line: wire.Line, raw: bytes) -> bool:
        self._handshake.speak(line.version)
        states = self._states
        state = states.get(line.session)
        if state is not None:
            self._runs.flush(state)
        away = state is None and self._turned_away.has(line, len(states), self.dispatcher.now)
        if line.kind == b"report":
            if not away:
                self._report(line)
            return True
        token, _, fields = line.fields.partition(b"|")
        if not (_ID.fullmatch(line.session) and _ID.fullmatch(token)):
            raise ProtocolError("a request without session or token")  # an answer would be fatal
        if away:
            self._out.append(self._turned_away.answer(line))
            return True
        if line.event == "data-line":
            return self._data_line(line, token, fields, raw)
        self._request(line, token, fields)
        return True

    def _state(self, session: bytes, outgoing: bool = False) -> SessionState:
        state = self._states.get(session)
        if state is None:
            new = Session(session.decode("ascii", "backslashreplace"), self._filter.uses, outgoing)
            state = self._states[session] = SessionState(session, new)
        return state

    def _report(self, line: wire.Line) -> None:
        event = line.event
        if event not in wire.REPORTS:
            raise ProtocolError(f"unknown report {event!r:.40}")
        state = self._state(line.session, line.direction == b"smtp-out")
        handler = self._handlers.get(event)
        if handler is not None or event in self._recorded:
            report = self._handshake.decoder.report(line)
            record_report(state.session, event, report)
            if handler is not None:
                name = handler_name(event)
                # No answer waits for the job that a report leaves, so no session's end cancels it.
                self.dispatcher.dispatch(
                    None,
                    name,
                    partial(handler, state.session, report),
                    lambda _: None,
                    partial(self.dispatcher.log_failure, state.id, name, method=handler),
                )
        if event in ("tx-reset", "link-disconnect"):
            self._runs.end(state)
            self._transfers.end_transaction(state)
        if event == "link-disconnect":
            self.dispatcher.pending.drop(state.id)
            del self._states[state.id]

    # --- requests -----------------------------------------------------------------------------

    def _request(self, asked: wire.Line, token: bytes, fields: bytes) -> None:
        phase = asked.event
        state = self._state(asked.session)
        handler = self._handlers.get(phase)
        if phase == "commit" and state.refusal is not None:
            self._answer(state, phase, token, state.refusal)
            state.refusal = None  # not before: it must outlast a lack of memory
        elif handler is not None:
            self._ask(state, asked, token, fields, handler)
        elif phase in wire.REQUESTS:
            self._answer(state, phase, token, PROCEED)
        else:
            raise ProtocolError("a phase that was not registered")

    def _answer(self, state: SessionState, phase: str, token: bytes, decision: object) -> None:
        line = wire.result(phase, state.id, token, decision)
        OWN.values[_COUNTED[phase, line.split(b"|", 4)[3].rstrip(b"\n")]] += 1
        if not self._transfers.send_after(state, line):
            self._out.append(line)
        self._answered = token

    def _ask(
        self,
        state: SessionState,
        asked: wire.Line,
        token: bytes,
        fields: bytes,
        handler: Callable[..., object],
    ) -> None:
        phase = asked.event
        name = handler_name(phase)
        answer = partial(self._answer, state, phase, token)

        def refuse(error: BaseException) -> None:
            if isinstance(error, Refused):
                try:
                    answer(wire.refusal(error))
                    return
                except DecisionError as wrong:
                    error = wrong.with_traceback(error.__traceback__)  # the author's line
            self.dispatcher.log_failure(state.id, name, error, method=handler)
            answer(self._failure)

        try:
            request = self._handshake.decoder.request(phase, asked.stamp, fields)
        except ProtocolError as error:
            refuse(error)
        else:
            self.dispatcher.dispatch(
                state.id, name, partial(handler, state.session, request), answer, refuse
            )

    def _data_line(self, line: wire.Line, token: bytes, payload: bytes, raw: bytes) -> bool:
        state = self._state(line.session)
        message = self._transfers.message(state, token)
        if message.state == ENDED:
            raise ProtocolError("a data-line behind the final dot")
        if payload == b".":
            self._runs.end(state, message)
            self._transfers.receive(state, message, [payload])
            return True
        self._runs.begin(raw, len(raw) - len(payload), state, message)
        return False
