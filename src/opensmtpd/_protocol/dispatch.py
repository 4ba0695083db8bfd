"""Calls handlers, plain, offloaded or asynchronous; each call has exactly one result or failure."""

from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from types import CoroutineType
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from opensmtpd._counters.counts import count
from opensmtpd._protocol.bounds import PENDING_MAX, Complaint, Crowded
from opensmtpd._protocol.failures import Shows, any_text, no_text, own_text, place, traceback
from opensmtpd._protocol.jobs import Job, Pending
from opensmtpd.answer import Deferred, Offload
from opensmtpd.errors import HandlerTimeout

if TYPE_CHECKING:
    from opensmtpd._protocol.timers import Timer, Timers

Log: TypeAlias = Callable[..., None]
T = TypeVar("T")
Refuse: TypeAlias = Callable[[BaseException], None]

SECRET = frozenset(["on_auth", "on_protocol_client"])
"""Handlers that are given passwords: the text of their exceptions is not logged."""
TASK = "task"
"""The name, in the log, of a task that a plugin leaves on asyncio; any handler may have made it."""
AFTER = "then"
"""The name, for the watchdog, of a function that the result of an Offload goes through."""

RUN_MAX = 600.0
"""Seconds after which the thread of a timer's run counts as one that hangs."""

LATER = (Offload, Deferred, CoroutineType)
"""Results that are no answers yet: ``Dispatcher.start`` makes jobs of them."""


def _nothing() -> None:
    pass


class Dispatcher:
    """Calls handlers, and keeps the jobs that they leave until each has ended, or is late.

    The loop asks it for jobs to run (``take_jobs``), tells it how they ended (``resolve``,
    ``fail``) and the time (``expire``). ``deadline`` is in seconds; ``job_ended`` is called
    whenever jobs have been answered or refused, so that a connection can go on behind them.
    ``shows`` tells of which failures the text is logged; with ``debug`` tracebacks are, too.
    """

    def __init__(
        self,
        deadline: float,
        log: Log,
        job_ended: Callable[[], object] = _nothing,
        *,
        shows: Shows = any_text,
        debug: bool = False,
    ) -> None:
        self.deadline = deadline
        self.now = 0.0
        """The time of any monotonic clock, in seconds: deadlines are counted from it."""
        self.running: str | None = None
        """The name of the call that runs at this moment, which a watchdog may interrupt."""
        self.count = 0
        """Calls so far: tells a watchdog whether it is still the same one."""
        self.pending = Pending()
        self.timers: Timers | None = None
        """The timers of the plugin, from the time on when it is served."""
        self.log = log
        self._crowded = Complaint(log, "answers-refused", PENDING_MAX)
        self._job_ended = job_ended
        self._shows = shows
        self._debug = debug

    # --- calls --------------------------------------------------------------------------------

    def call(self, name: str, handler: Callable[..., T], *args: object) -> T:
        """Return the result of a handler, called where a watchdog can see it.

        Raises any exception of the handler's, and HandlerTimeout.
        """
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
        *,
        patient: bool = False,
    ) -> None:
        """Make a call, and give its end to ``answer`` or ``refuse``, now or when its job has ended.

        ``answer`` takes the result of the call, or of the job that it returns; ``refuse`` takes an
        exception of the call, of the job, or of ``answer``. ``owner`` is the session whose end
        cancels the job, None for a job that no session's end cancels. A ``patient`` job is never
        late: nobody waits for its end.
        """
        try:
            result = self.call(name, call)
            if isinstance(result, LATER):
                self.start(result, owner, answer, refuse, patient=patient)
            else:
                answer(result)
        except BaseException as error:  # a handler's sys.exit() must not end the mail server
            refuse(error)

    def start(
        self,
        result: Offload[Any] | Deferred[Any] | Coroutine[Any, Any, Any],
        owner: bytes | None,
        answer: Callable[[Any], None],
        refuse: Refuse,
        *,
        patient: bool = False,
    ) -> None:
        """Make a job of a result of LATER; ``answer`` or ``refuse`` is called with its end.

        Where PENDING_MAX jobs are waited for already, it is refused at once.
        """
        if len(self.pending) >= PENDING_MAX:
            self._refuse_another(result, refuse)
            return
        deadline = self.now + (RUN_MAX if patient else self.deadline)
        if isinstance(result, Deferred):
            job = Job(_nothing, owner, deadline, answer, refuse)
            self.pending.add(job, patient=patient, running=True)
            job.when_cancelled(result.cancel)
            result.on_end(partial(self._end, job))
            return
        task, after = (
            (result.function, result.after) if isinstance(result, Offload) else (result, ())
        )
        self.pending.add(Job(task, owner, deadline, answer, refuse, after), patient=patient)

    def _refuse_another(self, result: object, refuse: Refuse) -> None:
        if isinstance(result, CoroutineType):
            result.close()
        self._crowded.make(self.now)
        refuse(Crowded(f"{PENDING_MAX} answers are waited for already"))

    def _end(self, job: Job, value: object, error: BaseException | None) -> None:
        """Take the end of a Deferred."""
        if error is None:
            self.resolve(job, value)
        else:
            self.fail(job, error)

    # --- jobs, as the loop sees them ----------------------------------------------------------

    def take_jobs(self) -> list[Job]:
        """Return the jobs to start now; give the end of each to ``resolve`` or ``fail``."""
        return self.pending.take()

    def resolve(self, job: Job, result: object) -> None:
        """Take the result of a job; it is ignored where nobody waits for it any more.

        What the job is to go through follows; a Deferred of that is waited for, until the deadline
        of the job. Raises MemoryError, as ``_refuse`` does.
        """
        if job in self.pending:
            try:
                while job.after and not isinstance(result, Deferred):
                    next, *after = job.after
                    job.after = tuple(after)
                    result = self.call(AFTER, next, result)
                if isinstance(result, Deferred):
                    job.when_cancelled(result.cancel)
                    result.on_end(partial(self._end, job))
                    return
                job.answer(result)
            except BaseException as error:  # a handler's sys.exit() must not end the mail server
                self._refuse(job, error)
            self.pending.settle(job)
            self._job_ended()

    def fail(self, job: Job, error: BaseException) -> None:
        """Take the exception of a job; it is ignored where nobody waits for it any more.

        Raises MemoryError, as ``_refuse`` does.
        """
        if job in self.pending:
            self._refuse(job, error)
            self._job_ended()

    def _refuse(self, job: Job, error: BaseException) -> None:
        """Refuse a job, and wait for it no more.

        Raises MemoryError, and then it is still waited for: it is refused again when it is late.
        """
        try:
            job.refuse(error)
        except MemoryError:
            raise
        except BaseException:
            self.pending.settle(job)
            raise
        self.pending.settle(job)

    def waiting(self) -> bool:
        """Return whether the end of any job is waited for."""
        return len(self.pending) > 0

    def next_deadline(self) -> float | None:
        """Return the time when ``expire`` is to be called next, None for never."""
        deadline = self.pending.next_deadline()
        if self.timers is None:
            return deadline
        due = self.timers.next_due()
        return due if deadline is None else min(deadline, due)

    def expire(self, now: float) -> None:
        """Refuse the jobs whose deadline has passed, with HandlerTimeout; run timers that are due.

        A timer's run may leave a job. Raises MemoryError, and then it is to be called again.
        """
        self.now = max(self.now, now)
        late = self.pending.timed_out(self.now)
        for job in late:
            count("opensmtpd_plugin_deadlines_missed")
            self._refuse(job, HandlerTimeout(f"no answer within {self.deadline:g} s"))
        if late:
            self._job_ended()
        if self.timers is not None:
            for timer in self.timers.take_due(self.now):
                self._run(timer)

    def _run(self, timer: "Timer") -> None:
        """Call the method of a timer, unless its last run is still under way."""
        if timer.running:
            timer.missed += 1
            if not timer.late:  # once, not for each turn
                self.log("timer-late", handler=timer.name, seconds=f"{timer.seconds:g}")
            timer.late = True
            return
        timer.late = timer.late and timer.missed > 0
        timer.running, timer.missed = True, 0

        def end(_result: object) -> None:
            timer.running = False

        def fail(error: BaseException) -> None:
            timer.running = False
            self.log_failure(b"", timer.name, error, method=timer.method)

        self.dispatch(None, timer.name, timer.method, end, fail, patient=True)

    # --- the log ------------------------------------------------------------------------------

    def log_failure(
        self, session: bytes, handler: str, error: BaseException, *, method: object = None
    ) -> None:
        """Log a failure: the kind of error, its place, and its text unless that may be secret.

        ``session`` is the id of the session, ``b""`` for a call that belongs to none. ``method`` is
        what was called, if it is known. Raises nothing: the answer that is due must follow.
        """
        if not isinstance(error, HandlerTimeout):  # which was counted when it was made
            count("opensmtpd_plugin_failures")
        if isinstance(error, Crowded):  # there is a line a second about all of them
            return
        with suppress(Exception):  # no memory for the line
            self._log_failure(session, handler, error, method)

    def _log_failure(
        self, session: bytes, handler: str, error: BaseException, method: object
    ) -> None:
        id = session.decode("ascii", "backslashreplace")
        shows = no_text if handler in SECRET else own_text if handler == TASK else self._shows
        self.log(
            "handler-failed",
            id,
            handler=handler,
            error=type(error).__name__,
            at=place(error, method),
            reason=error if shows(error) else None,
        )
        self.log_traceback(error, id, shows)

    def log_traceback(
        self, error: BaseException, session: str = "", shows: Shows = own_text
    ) -> None:
        """Log the calls that led to a failure, a line for each, where ``debug`` asks for it."""
        if self._debug:
            for fields in traceback(error, shows):
                self.log("traceback", session, **fields)
