"""The filter protocol, sans I/O: bytes from smtpd in, handler calls, bytes for smtpd out.

Every request gets exactly one legal answer, whatever the handlers do: what raises, is late or
answers nonsense becomes the failure policy's answer and a line in the log. Source:
``processor_io``, ``lka_filter_process_response`` and ``filter_protocol_query`` in ``lka_filter.c``.
"""

import re
from collections.abc import Callable
from functools import partial
from itertools import groupby

from opensmtpd import wire
from opensmtpd.calls import Calls, Log, place
from opensmtpd.decisions import PROCEED
from opensmtpd.errors import ProtocolError, VersionError
from opensmtpd.events import Report
from opensmtpd.filter import Filter, handler_name, handlers
from opensmtpd.handshake import Handshake
from opensmtpd.lines import LineBuffer
from opensmtpd.log import log
from opensmtpd.message import Message, Refused
from opensmtpd.session import Session, told, told_by
from opensmtpd.spool import Budget
from opensmtpd.transfers import TEMPFAIL, Client, Policy, Transfers
from opensmtpd.work import Work

_ID = re.compile(rb"[0-9a-f]{1,16}")
DEADLINE = 60.0
"""Seconds for an answer; smtpd's own patience with a client is 300 (``smtp-session-timeout``)."""


class FilterProtocol:
    """One filter talking to one smtpd.

    ``deadline`` is in seconds, ``on_failure`` what a failing handler answers: ``"tempfail"`` (451)
    or ``"pass"`` (proceed; a message goes on untouched). ``now`` is any monotonic clock's.
    Raises LocalError for a filter that uses what sessions have not.
    """

    def __init__(
        self,
        filter: Filter,
        *,
        deadline: float = DEADLINE,
        on_failure: Policy = "tempfail",
        log: Log = log,
        budget: Budget | None = None,
    ) -> None:
        self.calls = Calls(deadline, log)
        self._handshake = Handshake(filter, self.calls)
        self._filter = filter
        self._handlers = handlers(filter)
        self._told = told_by(filter.uses)
        self._on_failure = on_failure
        self._log = log
        self._lines = LineBuffer()
        self._clients: dict[bytes, Client] = {}
        self._transfers = Transfers(filter, self.calls, budget or Budget(), on_failure)
        self._answers: list[bytes] = []
        # The fast path: where session and token stand in a data-line, and whose message that is.
        self._head = self._payload = 0
        self._streams: dict[bytes, tuple[Client, Message]] = {}

    # --- what the runner and the tests see ----------------------------------------------------

    @property
    def ready(self) -> bool:
        """Is the handshake over?"""
        return self._handshake.ready

    @property
    def session_count(self) -> int:
        """Sessions that are known."""
        return len(self._clients)

    @property
    def message_count(self) -> int:
        """Messages in flight."""
        return sum(not message.done for message in self._messages())

    @property
    def held_bytes(self) -> int:
        """Bytes of messages that wait in memory or in files."""
        return sum(len(message) for message in self._messages())

    def _messages(self) -> list[Message]:
        return [
            message for client in self._clients.values() for message in client.messages.values()
        ]

    def take_work(self) -> list[Work]:
        """Return the coroutines and offloads to start; give their ends to resolve or fail."""
        return self.calls.pending.take()

    def resolve(self, work: Work, result: object) -> None:
        """Take the result of a work; it is ignored where nobody waits for it any more."""
        self.calls.resolve(work, result)

    def fail(self, work: Work, error: BaseException) -> None:
        """Take the exception of a work."""
        self.calls.fail(work, error)

    def next_deadline(self) -> float | None:
        """Return when ``expire`` is to be called next, None for never."""
        return self.calls.pending.next_deadline()

    def expire(self, now: float) -> None:
        """Answer what is late."""
        self.calls.expire(now)

    def data_to_send(self) -> bytes:
        """Return the next bytes for smtpd, some 100 KB at the most; ``b""`` when none wait."""
        if self._answers:
            answers, self._answers = self._answers, []
            return b"".join(answers)
        return self._transfers.data_to_send()

    def receive(self, data: bytes, now: float) -> None:
        """Take bytes from smtpd. Raises VersionError, in the handshake only."""
        self.calls.now = max(self.calls.now, now)
        lines = self._lines.feed(data)
        if self._lines.dropped:
            self._log("line-ignored", reason="longer than any of smtpd's")
            self._lines.dropped = 0
        while lines:
            lines = self._runs(lines) if self._streams else self._until_message(lines)

    def _until_message(self, lines: list[bytes]) -> list[bytes]:
        """Take lines up to the first one of a message; return it and those behind it."""
        for at, line in enumerate(lines):
            if not self._line(line):
                return lines[at:]
        return []

    def _runs(self, lines: list[bytes]) -> list[bytes]:
        """Take lines, those of one message together: the hot path.

        Of a data-line only the part from the direction to the token is compared with what a line
        that was parsed in full had there; no client's text can stand so early in any line. Returns
        the lines that are left when a line turns up that has its parts elsewhere.
        """
        head, payload = self._head, self._payload
        at = 0
        for key, group in groupby([line[head:payload] for line in lines]):
            end = at + len(list(group))
            while at < end:
                stream = self._streams.get(key)
                if stream is not None:
                    run = [line[payload:] for line in lines[at:end]]
                    at = end
                    if run[-1] == b".":
                        del self._streams[key]
                    self._transfers.lines(*stream, run)
                    continue
                at += self._line(lines[at])
                if head != self._head or payload != self._payload:
                    return lines[at:]
        return []

    def _line(self, line: bytes) -> bool:
        """Take a line that is none of a message we know; False for one that begins a message.

        Such a one is left to be taken with those that follow it.
        """
        try:
            if line.startswith((b"report|", b"filter|")):
                return self._event(wire.parse(line), line)
            if not line.startswith(b"config|"):
                raise ProtocolError("neither config, report nor filter")
            self._answers.append(self._handshake.config(line))
        except VersionError as error:
            if not self._handshake.ready:
                raise
            self._log("line-ignored", reason=error)
        except ProtocolError as error:
            self._log("line-ignored", reason=error)
        except Exception as error:  # a bug of ours: only its line is lost
            self._log("internal-error", error=type(error).__name__, at=place(error))
        return True

    def _event(self, line: wire.Line, raw: bytes) -> bool:
        self._handshake.speak(line.version)
        if line.kind == b"report":
            self._report(line)
            return True
        token, _, fields = line.fields.partition(b"|")
        if not (_ID.fullmatch(line.session) and _ID.fullmatch(token)):
            raise ProtocolError("a request without session or token")  # an answer would be fatal
        if line.event == "data-line":
            return self._data_line(line, token, fields, raw)
        self._request(line, token, fields)
        return True

    def _client(self, session: bytes) -> Client:
        client = self._clients.get(session)
        if client is None:
            new = Session(session.decode("ascii", "backslashreplace"), self._filter.uses)
            client = self._clients[session] = Client(session, new)
        return client

    def _report(self, line: wire.Line) -> None:
        event = line.event
        if event not in wire.REPORTS:
            raise ProtocolError(f"unknown report {event!r:.40}")
        client = self._client(line.session)
        handler = self._handlers.get(event)
        if handler is not None or event in self._told:
            report = self._handshake.decoder.report(line)
            told(client.session, event, report)
            if handler is not None:
                self._hear(client, event, handler, report)
        if event in ("tx-reset", "link-disconnect"):
            self._forget(lambda owner, message: owner is client)
            self._transfers.forget(client)
        if event == "link-disconnect":
            self.calls.pending.drop(client.id)
            del self._clients[client.id]

    def _hear(
        self, client: Client, event: str, handler: Callable[..., object], report: Report
    ) -> None:
        name = handler_name(event)
        # Nobody waits for what a report leaves to be done, so no session's end cancels it.
        self.calls.run(
            None,
            name,
            partial(handler, client.session, report),
            lambda _: None,
            partial(self.calls.failed, client.id, name),
        )

    # --- requests -----------------------------------------------------------------------------

    def _request(self, asked: wire.Line, token: bytes, fields: bytes) -> None:
        phase = asked.event
        client = self._client(asked.session)
        handler = self._handlers.get(phase)
        if phase == "commit" and client.refusal is not None:
            refusal, client.refusal = client.refusal, None
            self._answer(client, phase, token, refusal)
        elif handler is not None:
            self._ask(client, asked, token, fields, handler)
        elif phase in wire.REQUESTS:
            self._answer(client, phase, token, PROCEED)
        else:
            raise ProtocolError("a phase that was not registered")

    def _answer(self, client: Client, phase: str, token: bytes, decision: object) -> None:
        line = wire.result(phase, client.id, token, decision)
        if not self._transfers.behind(client, line):
            self._answers.append(line)

    def _ask(
        self,
        client: Client,
        asked: wire.Line,
        token: bytes,
        fields: bytes,
        handler: Callable[..., object],
    ) -> None:
        phase = asked.event
        name = handler_name(phase)
        answer = partial(self._answer, client, phase, token)

        def refuse(error: BaseException) -> None:
            if isinstance(error, Refused):
                answer(error.decision)
                return
            self.calls.failed(client.id, name, error)
            answer(TEMPFAIL if self._on_failure == "tempfail" else PROCEED)

        try:
            request = self._handshake.decoder.request(phase, asked.stamp, fields)
        except ProtocolError as error:
            refuse(error)
        else:
            self.calls.run(
                client.id, name, partial(handler, client.session, request), answer, refuse
            )

    def _data_line(self, line: wire.Line, token: bytes, payload: bytes, raw: bytes) -> bool:
        client = self._client(line.session)
        message = self._transfers.message(client, token)
        if message.ended:
            raise ProtocolError("a data-line behind the final dot")
        if payload == b".":
            self._forget(lambda owner, mine: mine is message)
            self._transfers.lines(client, message, [payload])
            return True
        # From now on this message's lines are known by what stands before their payload.
        self._head = raw.index(b"|", raw.index(b"|", 7) + 1)
        self._payload = len(raw) - len(payload)
        self._streams[raw[self._head : self._payload]] = (client, message)
        return False

    def _forget(self, which: Callable[[Client, Message], bool]) -> None:
        for key in [key for key, stream in self._streams.items() if which(*stream)]:
            del self._streams[key]
