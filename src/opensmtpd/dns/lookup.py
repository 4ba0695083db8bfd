"""Lookups: logic that needs the DNS, without I/O. It yields questions and is sent the replies."""

from collections.abc import Coroutine, Generator, Iterable, Sequence
from typing import Any, Generic, TypeAlias, TypeVar

from opensmtpd.dns.question import Dns, Question

T = TypeVar("T")

Step: TypeAlias = "Sequence[Question] | Gather[Any]"
Lookup: TypeAlias = Generator[Step, Any, T]
"""A generator that yields the questions of a step, is sent their replies in the same order, and
returns its result.
"""


def run_lookup(lookup: Lookup[T], dns: Dns, within: float) -> T | Coroutine[Any, Any, T]:
    """Return the result of a lookup at once if all replies are known, else a coroutine for it.

    ``within`` is the time for all its questions, in seconds. Raises what the lookup raises.
    """
    run = _Run(lookup)
    if run.go_on(dns):
        return run.result
    return _finish(run, dns, within)


def gather(lookups: Sequence[Lookup[T]]) -> Lookup[list[T]]:
    """Return the results of several lookups, in order.

    Each goes on as soon as it has its own replies: a slow one does not delay the others.
    """
    if len(lookups) == 1:  # the usual case, and then it costs no task
        return [(yield from lookups[0])]
    results: list[T] = yield Gather(lookups)
    return results


class Gather(Generic[T]):
    """A step that runs several lookups; the lookup that yields it is sent their results."""

    def __init__(self, lookups: Iterable[Lookup[T]]) -> None:
        self.runs = [_Run(lookup) for lookup in lookups]

    def known(self, dns: Dns) -> list[T] | None:
        """Return all results, or None where one lookup has to wait."""
        if all(run.go_on(dns) for run in self.runs):
            return [run.result for run in self.runs]
        return None

    async def ask(self, dns: Dns, until: float) -> list[T]:
        """Return all results. When all lookups have ended, raises what one of them raised."""
        import asyncio  # noqa: PLC0415  only where there is a loop

        waiting = [run.finish(dns, until) for run in self.runs if not run.ended]
        for end in await asyncio.gather(*waiting, return_exceptions=True):
            if isinstance(end, BaseException):
                raise end
        return [run.result for run in self.runs]


class _Run(Generic[T]):
    """A lookup and the step that it is at."""

    result: T

    def __init__(self, lookup: Lookup[T]) -> None:
        self.ended = False
        self._lookup = lookup
        self._step: Step | None = None

    def go_on(self, dns: Dns) -> bool:
        """Take all steps whose replies are known; return whether the lookup has ended."""
        if self._step is None:
            self._send(None)
        while not self.ended and (replies := self._known(dns)) is not None:
            self._send(replies)
        return self.ended

    async def finish(self, dns: Dns, until: float) -> None:
        """Take all steps, asking for the replies that are not known."""
        try:
            while not self.go_on(dns):
                assert self._step is not None
                if isinstance(self._step, Gather):
                    self._send(await self._step.ask(dns, until))
                else:
                    self._send(await dns.ask(self._step, until))
        finally:
            self._lookup.close()

    def _known(self, dns: Dns) -> Any:
        assert self._step is not None
        if isinstance(self._step, Gather):
            return self._step.known(dns)
        return dns.known(self._step)

    def _send(self, replies: Any) -> None:
        try:
            self._step = self._lookup.send(replies)
        except StopIteration as end:
            self.ended, self.result = True, end.value


async def _finish(run: _Run[T], dns: Dns, within: float) -> T:
    import asyncio  # noqa: PLC0415  only where there is a loop

    await run.finish(dns, asyncio.get_running_loop().time() + within)
    return run.result
