"""The judge: knows which answers smtpd waits for, and takes each byte a filter writes.

It follows smtpd's lookup process (``lka_filter.c``), where a filter's words are read and where one
wrong word ends the server. It holds, for every session, the requests in the order they were sent:
each is to be answered once, in that order; a message by any number of lines and a final dot.

The judge is stricter than smtpd where smtpd is merely lucky:

- a second answer is fatal at once (smtpd dies of it at once or at a later answer);
- the token of every decision is checked (smtpd looks at it for ``proceed`` and for data lines);
- a final dot before smtpd has sent its own is fatal (smtpd would lose step with the client).
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from opensmtpd.testing.model import answers
from opensmtpd.testing.model.answers import FilterLine
from opensmtpd.testing.model.fatal import Fatal
from opensmtpd.testing.model.registry import Registry, Release


class AskedRequest(NamedTuple):
    """A request without an answer."""

    session: bytes
    phase: str
    token: bytes


@dataclass
class _Lines:
    """A message on its way through a filter: for each token, how far both sides are."""

    sent_dot: dict[bytes, bool] = field(default_factory=dict)
    got_dot: set[bytes] = field(default_factory=set)

    def finished(self) -> bool:
        return self.got_dot >= self.sent_dot.keys()


@dataclass
class _Session:
    queue: deque[AskedRequest | _Lines] = field(default_factory=deque)
    answered: set[bytes] = field(default_factory=set)
    phase: str = "connect"


class Judge:
    """Takes a filter's bytes; calls ``heard`` for each legal answer, raises Fatal for others."""

    def __init__(self, release: Release, heard: Callable[[FilterLine], None]) -> None:
        self.registry = Registry(release)
        self.ignored = 0
        """Answers for sessions that are not, or no longer, there: smtpd takes no notice."""
        self._release = release
        self._heard = heard
        self._rest = b""
        self._sessions: dict[bytes, _Session] = {}

    # --- smtpd's requests -----------------------------------------------------------------------

    def begin(self, session: bytes) -> None:
        """A session connected (``lka_filter_begin``)."""
        self._sessions.setdefault(session, _Session())

    def end(self, session: bytes) -> None:
        """The session is gone (``lka_filter_end``): nobody waits for its answers any more."""
        self._sessions.pop(session, None)

    def asked(self, request: AskedRequest) -> None:
        """A request went out (``filter_protocol_query``)."""
        self._sessions.setdefault(request.session, _Session()).queue.append(request)

    def entered(self, session: bytes, phase: str) -> None:
        """The session is in a phase, asked about or not (``filter_protocol_internal``)."""
        state = self._sessions.get(session)
        if state is not None:
            state.phase = phase

    def sent_line(self, session: bytes, token: bytes, payload: bytes) -> None:
        """A line of a message went out (``filter_data_query``)."""
        queue = self._sessions.setdefault(session, _Session()).queue
        if not queue or not isinstance(queue[-1], _Lines):
            queue.append(_Lines())
        lines = queue[-1]
        assert isinstance(lines, _Lines)
        lines.sent_dot[token] = payload == b"."

    # --- the filter's answers -------------------------------------------------------------------

    def receive(self, data: bytes) -> None:
        """Take bytes as the filter wrote them, in any chunking. Raises Fatal."""
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()
        if len(self._rest) >= answers.LINE_MAX:
            raise Fatal("a line longer than the buffer: smtpd reads nothing more", self._rest)
        for line in lines:
            self._line(line)

    def _line(self, line: bytes) -> None:  # processor_io
        if len(line) >= answers.LINE_MAX:
            raise Fatal("a line longer than the buffer: smtpd reads nothing more", line)
        line = line.partition(b"\0")[0]  # to smtpd it is a C string
        if line.startswith(b"register|"):
            self.registry.register(line)
        elif not self.registry.ready:
            raise Fatal("Non-register message before register|ready", line)
        else:
            self._answer(line)

    def _answer(self, line: bytes) -> None:  # lka_filter_process_response
        kind, session, token, response = answers.parse(line)
        state = self._sessions.get(session)
        if state is None:
            self.ignored += 1
            return
        head = state.queue[0] if state.queue else None
        if kind == b"filter-dataline":
            self._data_line(state, head, FilterLine(session, token, "data-line", response), line)
        elif isinstance(head, _Lines):
            raise Fatal("filter-result in dataline phase", line)
        else:
            self._result(state, head, FilterLine(session, token, "", response), line)

    def _result(
        self, state: _Session, head: AskedRequest | None, answer: FilterLine, line: bytes
    ) -> None:
        phase = head.phase if head else state.phase
        answers.check_decision(answer.text, phase, self._release, line)
        if head is None and answer.token in state.answered:
            raise Fatal("a second answer to one request: tree_xpop", line)
        if head is None or answer.token != head.token:
            raise Fatal("misbehaving filter", line)  # filter_protocol_internal
        state.queue.popleft()
        state.answered.add(answer.token)
        self._heard(answer._replace(phase=phase))

    def _data_line(
        self, state: _Session, head: AskedRequest | _Lines | None, answer: FilterLine, line: bytes
    ) -> None:
        if not isinstance(head, _Lines):
            raise Fatal("filter-dataline out of dataline phase", line)
        if answer.token not in head.sent_dot:
            raise Fatal("misbehaving filter", line)  # filter_data_internal
        if answer.token in head.got_dot:
            raise Fatal("filter-dataline out of dataline phase", line)
        if answer.text == b".":
            if not head.sent_dot[answer.token]:
                raise Fatal("a final dot before the client's", line)
            head.got_dot.add(answer.token)
        self._heard(answer)
        if head.finished() and state.queue and state.queue[0] is head:
            state.queue.popleft()

    # --- missing answers ------------------------------------------------------------------------

    def waiting(self) -> list[AskedRequest]:
        """Return the requests that smtpd waits for: each of them hangs a session.

        A message counts from its final dot on; before, a filter may hold its lines.
        """
        found = []
        for session, state in self._sessions.items():
            for item in state.queue:
                if isinstance(item, AskedRequest):
                    found.append(item)
                    continue
                for token, dot in item.sent_dot.items():
                    if dot and token not in item.got_dot:
                        found.append(AskedRequest(session, "data-line", token))
        return found
