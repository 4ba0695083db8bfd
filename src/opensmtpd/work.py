"""Answers that are still being worked on, and until when: each is given exactly once."""

from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeAlias, TypeVar

from opensmtpd.errors import DecisionError

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Offload(Generic[T_co]):
    """Work for a thread; what it returns is the answer.

    For CPU work that releases the GIL (signatures, hashes of large data). ``work`` takes nothing
    and must touch nothing that the handlers touch.
    """

    __slots__ = ("work",)

    def __init__(self, work: Callable[[], T_co]) -> None:
        if not callable(work):
            raise DecisionError(f"a {type(work).__name__} is no work for a thread")
        self.work = work


Answer: TypeAlias = T | Offload[T] | Coroutine[Any, Any, T]
"""What a handler may return: the answer, work for a thread, or a coroutine (``async def``)."""


class Work:
    """An answer in the making: a coroutine to await, or a function for a thread.

    The runner takes it, runs it, and hands its result or exception to ``FilterProtocol.resolve`` or
    ``FilterProtocol.fail``. ``cancelled`` is set when nobody waits for it any more.
    """

    __slots__ = ("_on_cancel", "answer", "cancelled", "deadline", "job", "owner", "refuse")

    def __init__(
        self,
        job: Coroutine[Any, Any, Any] | Callable[[], Any],
        owner: bytes | None,
        deadline: float,
        answer: Callable[[Any], None],
        refuse: Callable[[BaseException], None],
    ) -> None:
        self.job = job
        self.owner = owner
        self.deadline = deadline
        self.answer = answer
        self.refuse = refuse
        self.cancelled = False
        self._on_cancel: Callable[[], object] | None = None

    def when_cancelled(self, call: Callable[[], object]) -> None:
        """Have ``call`` run when the work is cancelled: how the runner stops a task."""
        self._on_cancel = call

    def cancel(self) -> None:
        """Nobody waits for this any more."""
        self.cancelled = True
        if self._on_cancel is not None:
            self._on_cancel()
        elif not callable(self.job):
            self.job.close()  # never started


class Pending:
    """The work under way, in the order of its deadlines."""

    def __init__(self) -> None:
        self._works: dict[Work, None] = {}
        self._fresh: list[Work] = []

    def __len__(self) -> int:
        """Works under way."""
        return len(self._works)

    def add(self, work: Work) -> None:
        """Remember ``work`` until it is done, cancelled or late."""
        self._works[work] = None
        self._fresh.append(work)

    def take(self) -> list[Work]:
        """Return the works that nobody has started yet."""
        fresh, self._fresh = self._fresh, []
        return [work for work in fresh if not work.cancelled]

    def settle(self, work: Work) -> bool:
        """Is somebody still waiting for ``work``? From now on nobody is."""
        return self._works.pop(work, _GONE) is not _GONE

    def drop(self, session: bytes) -> None:
        """Cancel what is under way for a session."""
        for work in [work for work in self._works if work.owner == session]:
            del self._works[work]
            work.cancel()

    def late(self, now: float) -> list[Work]:
        """Return the works whose deadline has passed; they are settled and cancelled."""
        works = []
        for work in self._works:  # in the order of their deadlines: all have the same time
            if work.deadline > now:
                break
            works.append(work)
        for work in works:
            del self._works[work]
            work.cancel()
        return works

    def next_deadline(self) -> float | None:
        """Return when the first work will be late."""
        return next((work.deadline for work in self._works), None)


_GONE = object()
