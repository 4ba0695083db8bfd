"""A filter's protocol and the one who speaks to it: lines in, lines out, what was logged."""

from typing import Any

from opensmtpd._protocol.filter.connection import FilterConnection
from opensmtpd._protocol.filter.data_lines import Policy
from opensmtpd._protocol.filter.spool import Budget
from opensmtpd._protocol.jobs import Job
from opensmtpd.filter import Filter
from opensmtpd.log import form
from opensmtpd.testing.sources import take_next

S = b"1718c5e591926d28"
"""A session."""
T = b"1f08301bf13c4c1f"
"""A token of requests."""
M = b"1f083015d732b8dd"
"""A token of data-lines: smtpd uses the same one for all messages."""

HELLO = (
    b"config|smtpd-version|7.6.0-portable\nconfig|protocol|0.7\n"
    b"config|smtp-session-timeout|300\nconfig|subsystem|smtp-in\n"
    b"config|admd|mail.example.org\nconfig|ready\n"
)
TEMPFAIL = b"reject|451 4.3.0 Temporary failure, please try again later"


def request(
    phase: bytes,
    fields: bytes = b"",
    *,
    session: bytes = S,
    token: bytes = T,
    version: bytes = b"0.7",
    time: bytes = b"1795335705.127288",
) -> bytes:
    """Return the line of a request."""
    return b"|".join([b"filter", version, time, b"smtp-in", phase, session, token, fields]) + b"\n"


def report(
    event: bytes,
    *fields: bytes,
    session: bytes = S,
    version: bytes = b"0.7",
    time: bytes = b"1795335705.127288",
) -> bytes:
    """Return the line of a report."""
    return b"|".join([b"report", version, time, b"smtp-in", event, session, *fields]) + b"\n"


def data(*lines: bytes, session: bytes = S, token: bytes = M, **frame: bytes) -> bytes:
    """Return data-lines."""
    return b"".join(
        request(b"data-line", line, session=session, token=token, **frame) for line in lines
    )


def result(decision: bytes, *, session: bytes = S, token: bytes = T) -> bytes:
    """Return the line that a request is to be answered with."""
    return b"filter-result|%s|%s|%s\n" % (session, token, decision)


def datalines(*lines: bytes, session: bytes = S, token: bytes = M) -> bytes:
    """Return the lines that a message is to be sent back with."""
    return b"".join(b"filter-dataline|%s|%s|%s\n" % (session, token, line) for line in lines)


class Talk:
    """A protocol with the handshake done."""

    def __init__(
        self,
        filter: Filter,
        *,
        hello: bytes = HELLO,
        on_failure: Policy = "tempfail",
        deadline: float = 60.0,
        budget: Budget | None = None,
    ) -> None:
        self.logged: list[str] = []
        self.budget = budget or Budget()
        self.protocol = FilterConnection(
            filter, deadline=deadline, on_failure=on_failure, log=self._log, budget=self.budget
        )
        self.protocol.receive(hello, 0.0)
        self.registered = self.drain()

    def _log(self, event: str, session: str | None = None, **fields: object) -> None:
        self.logged.append(form(event, session, **fields))

    def say(self, *lines: bytes, now: float = 0.0, size: int = 0) -> bytes:
        """Send lines, all at once or ``size`` bytes at a time; return what is answered."""
        stream = b"".join(lines)
        for at in range(0, len(stream), size or len(stream)):
            self.protocol.receive(stream[at : at + (size or len(stream))], now)
        return self.drain()

    def drain(self) -> bytes:
        """Return all that waits for smtpd."""
        return b"".join(iter(self.protocol.data_to_send, b""))

    def job(self) -> Job:
        """Return the one job that waits to be started."""
        [job] = self.protocol.dispatcher.take_jobs()
        return job

    def finish(self, job: Job) -> bytes:
        """Run a job to its end; return what is answered."""
        try:
            value = job.task() if callable(job.task) else run(job.task)
        except BaseException as error:
            self.protocol.dispatcher.fail(job, error)
        else:
            self.protocol.dispatcher.resolve(job, value)
        return self.drain()

    def rest(self) -> bytes:
        """Run all jobs to their end, with the replies of workers; return what is answered."""
        dispatcher = self.protocol.dispatcher
        answer = b""
        while True:
            jobs = dispatcher.take_jobs()
            answer += b"".join(map(self.finish, jobs))
            if not jobs and not (dispatcher.waiting() and take_next()):
                return answer + self.drain()

    def left(self) -> tuple[int, int, int, int]:
        """Return sessions, messages, bytes held and bytes of memory: what must not leak."""
        protocol = self.protocol
        return (
            protocol.session_count,
            protocol.message_count,
            protocol.held_bytes,
            self.budget.used,
        )


def run(coroutine: Any) -> Any:
    """Return what a coroutine that waits for nothing returns."""
    try:
        while True:
            coroutine.send(None)
    except StopIteration as end:
        return end.value
