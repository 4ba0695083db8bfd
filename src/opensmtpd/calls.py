"""Handler calls: plain, offloaded or asynchronous, each with exactly one end."""

from collections.abc import Callable
from types import CoroutineType
from typing import Any, TypeAlias, TypeVar

from opensmtpd.errors import HandlerTimeout
from opensmtpd.work import Job, Offload, Pending

Log: TypeAlias = Callable[..., None]
T = TypeVar("T")
Refuse: TypeAlias = Callable[[BaseException], None]

SECRET = frozenset(["on_auth", "on_protocol_client"])
"""Handlers that are given passwords: the text of what they raise is not logged."""


class Dispatcher:
    """Calls handlers and sees to it that each call ends in ``answer`` or ``refuse``."""

    def __init__(self, deadline: float, log: Log) -> None:
        self.deadline = deadline
        self.now = 0.0
        self.running: str | None = None
        """The plain handler that runs at this moment: what a watchdog may interrupt."""
        self.count = 0
        """Calls so far: tells a watchdog whether it is still the same one."""
        self.pending = Pending()
        self.log = log

    def call(self, name: str, handler: Callable[..., T], *args: object) -> T:
        """Call a handler where a watchdog can see it. Raises whatever it raises."""
        self.count += 1
        self.running = name
        try:
            try:
                return handler(*args)
            finally:
                self.running = None
        except HandlerTimeout:  # it may have struck right in that "finally"
            self.running = None
            raise

    def dispatch(
        self,
        owner: bytes | None,
        name: str,
        call: Callable[[], object],
        answer: Callable[[Any], None],
        refuse: Refuse,
    ) -> None:
        """Make a call: what it returns goes to ``answer``, what it or that raises to ``refuse``.

        ``owner`` is the session whose end cancels what the call leaves to be done, if any.
        """
        try:
            result = self.call(name, call)
            if isinstance(result, Offload):
                self._start(result.function, owner, answer, refuse)
            elif isinstance(result, CoroutineType):
                self._start(result, owner, answer, refuse)
            else:
                answer(result)
        except BaseException as error:  # a handler's sys.exit() must not end the mail server
            refuse(error)

    def _start(
        self, task: Any, owner: bytes | None, answer: Callable[[Any], None], refuse: Refuse
    ) -> None:
        self.pending.add(Job(task, owner, self.now + self.deadline, answer, refuse))

    def resolve(self, job: Job, result: object) -> None:
        """Take the result of a work, if somebody still waits for it."""
        if self.pending.settle(job):
            try:
                job.answer(result)
            except Exception as error:
                job.refuse(error)

    def fail(self, job: Job, error: BaseException) -> None:
        """Take the exception of a work, if somebody still waits for it."""
        if self.pending.settle(job):
            job.refuse(error)

    def expire(self, now: float) -> None:
        """Refuse what is late."""
        self.now = max(self.now, now)
        for job in self.pending.timed_out(self.now):
            job.refuse(HandlerTimeout(f"no answer within {self.deadline:g} s"))

    def log_failure(self, session: bytes, handler: str, error: BaseException) -> None:
        """Log what a handler did wrong: the kind of error, the place, and the text if it may."""
        reason = None if handler in SECRET else error
        self.log(
            "handler-failed",
            session.decode("ascii", "backslashreplace"),
            handler=handler,
            error=type(error).__name__,
            at=place(error),
            reason=reason,
        )


def place(error: BaseException) -> str | None:
    """Return where an exception was raised: ``"file.py:12"``."""
    trace = error.__traceback__
    if trace is None:
        return None
    while trace.tb_next is not None:
        trace = trace.tb_next
    file = trace.tb_frame.f_code.co_filename.rpartition("/")[2]
    return f"{file}:{trace.tb_lineno}"
