"""Answers that take time: jobs, and the deadlines until which they are waited for."""

from collections import OrderedDict
from collections.abc import Callable, Coroutine
from typing import Any


class Job:
    """An answer in the making: its ``task`` is a coroutine to await, or a function for a thread.

    The loop takes a job, runs its task, and hands the result to ``Dispatcher.resolve`` or the
    exception to ``Dispatcher.fail``. ``after`` are functions that the result goes through.
    ``cancelled`` is set when the answer is not awaited any more.
    """

    __slots__ = (
        "_on_cancel", "after", "answer", "cancelled", "deadline", "owner", "refuse", "task"
    )  # fmt: skip

    def __init__(
        self,
        task: Coroutine[Any, Any, Any] | Callable[[], Any],
        owner: bytes | None,
        deadline: float,
        answer: Callable[[Any], None],
        refuse: Callable[[BaseException], None],
        after: tuple[Callable[[Any], object], ...] = (),
    ) -> None:
        self.task = task
        self.after = after
        self.owner = owner
        self.deadline = deadline
        self.answer = answer
        self.refuse = refuse
        self.cancelled = False
        self._on_cancel: Callable[[], object] | None = None

    def when_cancelled(self, call: Callable[[], object]) -> None:
        """Have ``call`` called when the job is cancelled: it stops the asyncio task."""
        self._on_cancel = call

    def cancel(self) -> None:
        """Stop the task, if it can be stopped: its end is not waited for any more."""
        self.cancelled = True
        if self._on_cancel is not None:
            self._on_cancel()
        elif not callable(self.task):
            self.task.close()  # never started
        else:  # it may wait for its thread for long, and the function hold a message
            self.task = _nothing


class Pending:
    """The jobs under way: those that are waited for until their deadlines, in that order.

    Nothing here costs more for a session where others have many jobs: a thousand clients that
    vanish at once would stop the mail of all others.
    """

    def __init__(self) -> None:
        # Not a dict: to find the first key, that one looks at all places of keys that are gone.
        self._jobs: OrderedDict[Job, None] = OrderedDict()
        self._owned: dict[bytes, dict[Job, None]] = {}
        """The jobs in ``_jobs`` that a session's end cancels."""
        self._patient: dict[Job, None] = {}
        """Jobs that may take any time: nobody waits for them."""
        self._fresh: list[Job] = []

    def __len__(self) -> int:
        """Return the number of jobs under way."""
        return len(self._jobs) + len(self._patient)

    def add(self, job: Job, *, patient: bool = False, running: bool = False) -> None:
        """Keep ``job`` until it is settled, dropped or, unless it is ``patient``, late.

        ``running`` says that nobody has to take it: another process is at work for it.
        """
        # In this order: where memory ends amid, the job runs, and nobody waits for its end.
        if not running:
            self._fresh.append(job)
        if job.owner is not None and not patient:
            self._owned.setdefault(job.owner, {})[job] = None
        (self._patient if patient else self._jobs)[job] = None

    def __contains__(self, job: Job) -> bool:
        """Return whether ``job`` is still waited for."""
        return job in self._jobs or job in self._patient

    def take(self) -> list[Job]:
        """Return the jobs that have not been taken yet. Raises MemoryError, and takes none then."""
        jobs = [job for job in self._fresh if not job.cancelled]
        self._fresh = []
        return jobs

    def settle(self, job: Job) -> bool:
        """Return whether ``job`` was still waited for; from now on it is not."""
        if job in self._jobs:
            self._remove(job)
            return True
        return self._patient.pop(job, _GONE) is not _GONE

    def _remove(self, job: Job) -> None:
        del self._jobs[job]
        if job.owner is not None:
            owned = self._owned[job.owner]
            del owned[job]
            if not owned:
                del self._owned[job.owner]

    def drop(self, session: bytes) -> None:
        """Cancel the jobs of a session."""
        for job in self._owned.pop(session, ()):
            self._jobs.pop(job, None)
            job.cancel()

    def timed_out(self, now: float) -> list[Job]:
        """Cancel the jobs whose deadline has passed, and return them: they are to be settled."""
        jobs = []
        for job in self._jobs:  # in the order of their deadlines: all have the same time
            if job.deadline > now:
                break
            jobs.append(job)
        for job in jobs:
            job.cancel()
        return jobs

    def next_deadline(self) -> float | None:
        """Return the time when the first job will be late, None without jobs."""
        return next((job.deadline for job in self._jobs), None)


def _nothing() -> None:
    pass


_GONE = object()
