"""filter-limit before clients of the modelled smtpd, on a clock that the test sets.

The state is the real one, in memory, and takes its steps at once. Handlers run on asyncio, but a
sleep ends only when the test lets time pass.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from types import CoroutineType, SimpleNamespace
from typing import Any
from unittest.mock import patch

from opensmtpd._protocol.filter.connection import FilterConnection
from opensmtpd._protocol.jobs import Job
from opensmtpd.answer import Deferred
from opensmtpd.backends.state import options
from opensmtpd.backends.state.file import database
from opensmtpd.backends.state.file.store import StepStore
from opensmtpd.backends.state.results import UNKNOWN
from opensmtpd.backends.state.state import LastingState
from opensmtpd.backends.state.steps import SECOND
from opensmtpd.mail.limit.overdrawn import Overdrawn
from opensmtpd.testing import SmtpClient, Smtpd
from opensmtpd_filters import limit
from opensmtpd_filters.limit import Limit, parser

MESSAGE = b"Subject: hello\n\ntext\n"
OK = b"250 2.0.0 Ok"
RCPT_OK = b"250 2.1.5 Destination address valid: Recipient ok"
DATA_OK = b'354 Enter mail, end with "." on a line by itself'
STOPPED = b"550 5.7.1 This account has sent too much mail and is stopped"
NEVER = b"552 5.3.4 Larger than all that may be sent at once"


def too_many(unit: str, seconds: int) -> bytes:
    """Return the reply that defers."""
    text = f"450 4.7.1 Too many {unit}, please try again in {seconds} seconds"
    return text.encode("ascii")


def rejected(unit: str) -> bytes:
    """Return the reply that rejects."""
    return f"550 5.7.1 Too many {unit}".encode("ascii")


class ClockedState(LastingState):
    """The state in memory, without a process."""

    def __init__(self) -> None:
        self.now = 1_700_000_000 * SECOND
        """Microseconds since 1970."""
        self.away = False
        self.steps: list[list[Any]] = []
        """All that were asked for."""
        self._store = StepStore(database.in_memory(16 << 20), lambda: self.now)

    def _take(self, step: list[Any], read: Callable[[Any], Any]) -> Deferred[Any]:
        self.steps.append(step)
        result: Deferred[Any] = Deferred()
        result.settle(UNKNOWN if self.away else read(self._store.take(*step)))
        return result

    def close(self) -> None:
        self._store.close()


def write(folder: Path, rules: str) -> Path:
    """Write a file of rules."""
    path = folder / "limits"
    path.write_text(rules)
    return path


class LimitStage:
    """smtpd, filter-limit, and clients of whom each step is in the test's hands."""

    def __init__(self, path: Path, line: str = "", version: str = "7.6.0") -> None:
        self.path = path
        self.state = ClockedState()
        self.sleepers: list[tuple[int, asyncio.Future[None]]] = []
        """Microseconds until when messages are held, and what has them go on."""
        self.waits: list[float] = []
        """The seconds of each message that was held."""
        self.failures: list[tuple[str, dict[str, object]]] = []
        self.tasks: set[asyncio.Task[None]] = set()
        self._patches = ExitStack()
        clock = partial(Overdrawn, lambda: self.state.now / SECOND)
        for owner, name, new in (
            (options, "state", lambda *_: self.state),
            (limit, "Overdrawn", clock),
            (limit, "asyncio", SimpleNamespace(sleep=self._sleep)),
        ):
            self._patches.enter_context(patch.object(owner, name, new))
        self.filter = Limit(parser().parse_args([*line.split(), str(path)]))
        self.smtpd = Smtpd(version)
        self.connection = FilterConnection(self.filter, log=self._fail, deadline=1e9)
        self._runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        self.settle()

    def close(self) -> None:
        """End it."""
        self._runner.close()
        self.filter.stop()
        self._patches.close()

    def _fail(self, event: str, session: str | None = None, **fields: object) -> None:
        self.failures.append((event, fields))

    # --- time -------------------------------------------------------------------------------------

    async def _sleep(self, seconds: float) -> None:
        self.waits.append(round(seconds, 3))
        entry = self.state.now + round(seconds * SECOND), asyncio.get_running_loop().create_future()
        self.sleepers.append(entry)
        try:
            await entry[1]
        finally:
            self.sleepers.remove(entry)

    def pass_time(self, seconds: float) -> None:
        """Let time pass; messages whose time has come go on, the first one first."""
        end = self.state.now + round(seconds * SECOND)
        while self.sleepers and min(self.sleepers, key=_time)[0] <= end:
            until, future = min(self.sleepers, key=_time)
            self.state.now = max(self.state.now, until)
            future.set_result(None)
            self.settle()
        self.state.now = end

    # --- the wire ---------------------------------------------------------------------------------

    def settle(self) -> None:
        """Have all go on until each job has ended or is asleep."""
        while True:
            data = self.smtpd.data_to_send()
            if data:
                self.connection.receive(data, 0.0)
            jobs = self.connection.dispatcher.take_jobs()
            for job in jobs:
                self._start(job)
            while len(self.tasks) > len(self.sleepers) or any(f.done() for _, f in self.sleepers):
                self._runner.run(asyncio.sleep(0))
            out = b"".join(iter(self.connection.data_to_send, b""))
            self.smtpd.receive(out)
            if not (data or jobs or out):
                break
        assert self.failures == []

    def _start(self, job: Job) -> None:
        if not isinstance(job.task, CoroutineType):
            assert callable(job.task)
            self.connection.dispatcher.resolve(job, job.task())
            return
        task = self._runner.get_loop().create_task(self._run(job))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        job.when_cancelled(task.cancel)

    async def _run(self, job: Job) -> None:
        try:
            result = await job.task  # type: ignore[misc]  # a coroutine: see _start
        except BaseException as error:
            self.connection.dispatcher.fail(job, error)
        else:
            self.connection.dispatcher.resolve(job, result)

    def hang_up(self) -> None:
        """Have the filter read its rules again, as SIGHUP does. Raises ConfigError."""
        self.filter.reload().function()()

    # --- clients ----------------------------------------------------------------------------------

    def come(self, user: bytes | None = None, **about: Any) -> SmtpClient:
        """Have a client connect and say EHLO; a user logs in."""
        client = self.smtpd.connect(**about)
        self.settle()
        self.say(client.ehlo)
        if user is not None:
            self.say(client.starttls)
            self.say(client.ehlo)
            self.say(client.auth, user)
        return client

    def say(self, step: Callable[..., None], *arguments: Any) -> bytes:
        """Have a client do something, and return the last reply that it has."""
        client: SmtpClient = step.__self__  # type: ignore[attr-defined]  # a bound method
        step(*arguments)
        self.settle()
        return client.replies[-1]

    def mail(
        self,
        client: SmtpClient,
        *recipients: bytes,
        sender: bytes = b"bob@remote.example",
        message: bytes = MESSAGE,
    ) -> bytes:
        """Have a client send a message; return its last reply, ``b""`` while that is held.

        A client that is refused a recipient goes on with the others. It says RSET where a message
        cannot be sent.
        """
        reply = self.say(client.mail, sender)
        for recipient in (recipients or (b"alice@example.com",)) if reply == OK else ():
            reply = self.say(client.rcpt, recipient)
        if not client.transaction or not client.transaction.recipients:
            self.say(client.rset)
            return reply
        assert self.say(client.data) == DATA_OK
        return self.end(client, message)

    def end(self, client: SmtpClient, message: bytes = MESSAGE) -> bytes:
        """Have a client send its message behind DATA, and return the reply, if there is one."""
        count = len(client.replies)
        self.say(client.send, message)
        return client.replies[-1] if len(client.replies) > count else b""

    def fate(self, client: SmtpClient, *recipients: bytes, **about: Any) -> str:
        """Have a client send a message; return ``"accepted"``, ``"held"``, or the reply."""
        reply = self.mail(client, *recipients, **about)
        if not reply:
            return "held"
        return "accepted" if accepted(reply) else reply.decode("ascii")


def accepted(reply: bytes) -> bool:
    """Return whether a reply says that a message is accepted."""
    return reply.startswith(b"250 2.0.0 ") and reply.endswith(b" Message accepted for delivery")


def _time(entry: tuple[int, object]) -> int:
    return entry[0]


@contextmanager
def stage(folder: Path, rules: str, line: str = "", version: str = "7.6.0") -> Iterator[LimitStage]:
    """Have the filter with some rules, and end it behind the block."""
    made = LimitStage(write(folder, rules), line, version)
    try:
        yield made
    finally:
        made.close()
