"""Lookups: logic that needs the DNS, without I/O. It yields questions and is sent the replies."""

import time
from collections.abc import Generator, Iterable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Generic, TypeAlias, TypeVar

from opensmtpd.answer import Deferred
from opensmtpd.dns.question import Dns, Question

T = TypeVar("T")

Step: TypeAlias = "Sequence[Question] | Gather[Any]"
Lookup: TypeAlias = Generator[Step, Any, T]
"""A generator that yields the questions of a step, is sent their replies in the same order, and
returns its result.
"""


def run_lookup(lookup: Lookup[T], dns: Dns, within: float) -> T | Deferred[T]:
    """Return the result of a lookup at once if all replies are known, else a Deferred for it.

    ``within`` is the time for all its questions, in seconds. Raises what the lookup raises, or the
    Deferred fails with it. When the Deferred is cancelled, the lookup is closed.
    """
    run = _Run(lookup)
    if run.go_on(dns):
        return run.result
    return run.finish(dns, time.monotonic() + within)


def gather(lookups: Sequence[Lookup[T]]) -> Lookup[list[T]]:
    """Return the results of several lookups, in order.

    Each goes on as soon as it has its own replies: a slow one does not delay the others.
    """
    if len(lookups) == 1:  # the usual case, and then it costs nothing
        return [(yield from lookups[0])]
    results: list[T] = yield Gather(lookups)
    return results


class Soon(list[Question]):
    """The questions of a step whose replies are waited for a short time only.

    Those that have not come then are ``Failed``. Their questions are not given up: a later step
    that asks them again gets what has come meanwhile.
    """

    seconds = 3.0


class Gather(Generic[T]):
    """A step that runs several lookups; the lookup that yields it is sent their results."""

    def __init__(self, lookups: Iterable[Lookup[T]]) -> None:
        self.runs = [_Run(lookup) for lookup in lookups]

    def known(self, dns: Dns) -> list[T] | None:
        """Return all results, or None where one lookup has to wait."""
        if all(run.go_on(dns) for run in self.runs):
            return [run.result for run in self.runs]
        return None

    def ask(self, dns: Dns, until: float) -> Deferred[list[T]]:
        """Return a Deferred for all results.

        When all lookups have ended, it fails with what one of them has raised.
        """
        all_ended: Deferred[list[T]] = Deferred()
        waiting = [run.finish(dns, until) for run in self.runs if not run.ended]
        left = len(waiting)
        failure: BaseException | None = None

        def ended(_: object, error: BaseException | None) -> None:
            nonlocal left, failure
            left -= 1
            failure = failure or error
            if left:
                return
            if failure is None:
                all_ended.settle([run.result for run in self.runs])
            else:
                all_ended.fail(failure)

        def stop() -> None:
            for each in waiting:
                each.cancel()

        all_ended.on_cancel(stop)
        for each in waiting:
            each.on_end(ended)
        return all_ended


class _Run(Generic[T]):
    """A lookup and the step that it is at."""

    result: T

    def __init__(self, lookup: Lookup[T]) -> None:
        self.ended = False
        self._lookup = lookup
        self._step: Step | None = None
        self._end: Deferred[T] = Deferred()
        self._error: BaseException | None = None
        self._asked: Deferred[Any] | None = None
        """The replies that it waits for."""
        self._asking = False
        """True while a loop asks: replies that come at once are not to begin another."""

    def go_on(self, dns: Dns) -> bool:
        """Take all steps whose replies are known; return whether the lookup has ended."""
        if self._step is None and not self.ended:
            self._send(None)
        while not self.ended and (replies := self._known(dns)) is not None:
            self._send(replies)
        return self.ended

    def finish(self, dns: Dns, until: float) -> Deferred[T]:
        """Take all steps, asking for the replies that are not known."""
        self._end.on_cancel(self._stop)
        self._ask(dns, until)
        return self._end

    def _ask(self, dns: Dns, until: float) -> None:
        """Ask for the replies of one step after the other, up to one that has to wait."""
        self._asking = True
        try:
            while not self.go_on(dns):
                assert self._step is not None
                if isinstance(self._step, Gather):
                    self._asked = self._step.ask(dns, until)
                else:
                    soon = isinstance(self._step, Soon)
                    least = time.monotonic() + Soon.seconds if soon else until
                    self._asked = dns.ask(self._step, min(least, until))
                self._asked.on_end(partial(self._take, dns, until))
                if self._asked is not None:
                    return
        except BaseException as error:  # a sys.exit() in a plugin must not end the process
            self._close(error)
        finally:
            self._asking = False
        if self._error is None:
            self._end.settle(self.result)
        else:
            self._end.fail(self._error)

    def _take(self, dns: Dns, until: float, replies: Any, error: BaseException | None) -> None:
        """Take the replies of a step, or the failure of its lookups."""
        self._asked = None
        try:
            if error is not None:
                raise error
            self._send(replies)
        except BaseException as failure:  # as above
            self._close(failure)
        if not self._asking:
            self._ask(dns, until)

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

    def _stop(self) -> None:
        """End without a result: nobody waits for it."""
        asked, self._asked = self._asked, None
        if asked is not None:
            asked.cancel()
        self._close(None)

    def _close(self, error: BaseException | None) -> None:
        self.ended, self._error = True, error
        with suppress(Exception):  # what a plugin does last
            self._lookup.close()
