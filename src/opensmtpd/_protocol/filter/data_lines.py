"""Moves the lines of messages between smtpd and handlers, and deals with their failures.

A message that cannot be handled is either refused or goes on untouched. To refuse it, its lines
are dropped, its final dot is sent, and ``commit`` is answered with the refusal: smtpd lets a filter
refuse a message nowhere else.
"""

from collections import deque
from typing import Literal, TypeAlias

from opensmtpd._protocol.dispatch import Dispatcher
from opensmtpd._protocol.filter.message import ENDED, SENT, Message
from opensmtpd._protocol.filter.session_state import SessionState
from opensmtpd._protocol.filter.spool import Budget
from opensmtpd._protocol.filter.wire import refusal
from opensmtpd.errors import DecisionError, HandlerTimeout, Refused, SpoolError
from opensmtpd.filter import Filter, Reject

Policy: TypeAlias = Literal["tempfail", "pass"]

TEMPFAIL = Reject(451, "4.3.0 Temporary failure, please try again later")
CHUNK = 128 * 1024
"""Bytes that one message may send before the others have their turn."""


class Transfers:
    """All messages in flight."""

    def __init__(
        self, filter: Filter, dispatcher: Dispatcher, budget: Budget, on_failure: Policy
    ) -> None:
        self._filter = filter
        self._dispatcher = dispatcher
        self._budget = budget
        self._on_failure = on_failure
        self._sending: deque[SessionState] = deque()
        self._taken: list[bytes] = []
        """Lines that left their messages, and were not returned to be sent yet."""

    def message(self, state: SessionState, token: bytes) -> Message:
        """Return the message in flight for a token; begin one if there is none."""
        message = state.messages.get(token)
        if message is None or message.state == SENT:
            message = self.begin(state, token)
            if state.refusal is not None:
                return message  # a chain's next place, with the remains of what was refused
            try:
                handler = self._dispatcher.call(
                    "on_message", self._filter.on_message, state.session
                )
                message.attach(handler)
            except BaseException as error:  # see Dispatcher.dispatch
                self._fail(state, message, "on_message", error)
        return message

    def begin(self, state: SessionState, token: bytes) -> Message:
        """Return a new message in flight, of which no handler sees anything yet."""
        message = state.messages[token] = Message(state.id, token, self._budget)
        return message

    def receive(self, state: SessionState, message: Message, raw: list[bytes]) -> None:
        """Take a run of a message's lines as smtpd sent them; a final dot ends the message.

        Takes the final dot out of ``raw``.
        """
        last = raw[-1] == b"."
        if last:
            raw.pop()
        if raw and state.refusal is None:
            try:
                self._dispatcher.call("message", message.receive, raw)
            except BaseException as error:  # see Dispatcher.dispatch
                self._fail(state, message, "message", error)
        if last and message.state not in (ENDED, SENT):
            self._end(state, message)
        self._queue(state, message)

    def _end(self, state: SessionState, message: Message) -> None:
        def answer(front: object) -> None:
            if message.state not in (ENDED, SENT):
                message.close_input(front)
            self._queue(state, message)

        def refuse(error: BaseException) -> None:
            if message.state not in (ENDED, SENT):
                self._fail(state, message, "end", error)
                message.close_input(())
            self._queue(state, message)  # in any case: it may be what failed, for want of memory

        if state.refusal is not None:
            message.detach()  # another place of the chain refused the message
        if message.handler is None:
            answer(())
        else:
            self._dispatcher.dispatch(state.id, "end", message.end, answer, refuse)

    def lose(self, state: SessionState, message: Message, error: Exception, *, last: bool) -> None:
        """Refuse a message of which lines are lost; ``last`` tells whether its final dot came.

        Raises MemoryError, and then it may be called again.
        """
        if state.refusal is None:
            state.refusal = TEMPFAIL  # first, for it takes no memory
        self._fail(state, message, "spool", error)
        if last and message.state not in (ENDED, SENT):
            message.close_input(())
        self._queue(state, message)

    def lose_line(self, state: SessionState, token: bytes, error: Exception, *, last: bool) -> None:
        """Refuse the message in flight for a token, of which a line is lost; begin it if needed."""
        message = state.messages.get(token)
        if message is None or message.state == SENT:
            message = self.begin(state, token)
        self.lose(state, message, error, last=last)

    def _fail(
        self, state: SessionState, message: Message, handler: str, error: BaseException
    ) -> None:
        if isinstance(error, Refused):
            try:
                state.refusal = refusal(error)
            except DecisionError as wrong:
                error = wrong.with_traceback(error.__traceback__)  # the author's line
        method = self._method(message, handler, error)
        if not isinstance(error, Refused):
            # A message whose spool is not whole cannot go on untouched, under any policy; and a
            # watchdog, or the end of the memory, may have struck amid a write to the spool.
            torn = isinstance(error, SpoolError | MemoryError) or handler == "spool"
            torn = torn or (isinstance(error, HandlerTimeout) and handler == "message")
            if self._on_failure == "tempfail" or torn:
                state.refusal = TEMPFAIL
        if state.refusal is None:
            message.detach()
        else:
            message.discard_lines()
        if not isinstance(error, Refused):
            self._dispatcher.log_failure(state.id, handler, error, method=method)

    def _method(self, message: Message, handler: str, error: BaseException) -> object:
        """Return the author's method that failed, None where it is not known."""
        if handler == "on_message":
            return self._filter.on_message
        if handler == "end" and message.handler is not None:
            return message.handler.end
        return error.method if isinstance(error, DecisionError) else None

    def end_transaction(self, state: SessionState) -> None:
        """Discard the messages of a transaction that is over, but for one that is being sent.

        That one must come to the end of a line. smtpd ignores lines for a session that is gone,
        and resets no other session in the middle of a message.
        """
        for message in state.messages.values():
            # What is sent keeps nothing, but for lines that came behind its end.
            if not message.queued and (message.state != SENT or len(message)):
                message.discard()
        state.messages.clear()
        state.refusal = None

    # --- lines out ----------------------------------------------------------------------------

    def send_after(self, state: SessionState, line: bytes) -> bool:
        """Put an answer behind the session's messages on their way out, if any; return whether."""
        if state.out:
            state.out[-1].trailer += line
            return True
        return False

    def _queue(self, state: SessionState, message: Message) -> None:
        if not message.queued and message.wants_to_send():
            if not state.out:
                self._sending.append(state)
            state.out.append(message)
            message.queued = True

    def data_to_send(self) -> bytes:
        """Return about CHUNK bytes, of as many sessions as it takes; ``b""`` when none wait.

        Lines that left their messages are kept until they are returned: an exception of one
        session's must not lose those of another.
        """
        taken = self._taken
        size = sum(map(len, taken))
        while self._sending and size < CHUNK:
            state = self._sending[0]
            try:
                size += self._next(state, CHUNK - size)
            finally:
                if state.out:
                    self._sending.rotate(-1)
                else:
                    self._sending.popleft()
        try:
            out = b"".join(taken)
        except MemoryError:
            while taken and not taken[0]:
                del taken[0]
            return taken.pop(0) if taken else b""
        taken.clear()
        return out

    def _next(self, state: SessionState, size: int) -> int:
        """Take about ``size`` bytes of a session's first message; return how many."""
        if not state.out:
            return 0
        message = state.out[0]
        taken = self._taken
        taken.append(b"")  # the place first: what has left the message must be kept
        try:
            taken[-1] = message.take(size)
        except Exception as error:  # MemoryError above all
            self._fail(state, message, "spool", error)
        sent = len(taken[-1])
        if not message.wants_to_send():
            state.out.popleft()
            message.queued = False
            if message not in state.messages.values() and message.state != SENT:  # forgotten amid
                message.discard()
                taken.append(message.trailer)
        return sent
