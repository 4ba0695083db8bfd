"""Logic that needs the DNS, without the DNS: it yields questions and is sent the replies."""

from collections.abc import Coroutine, Generator, Iterable, Sequence
from typing import Any, Generic, TypeAlias, TypeVar

from opensmtpd.dns.questions import Dns, Question

T = TypeVar("T")

Round: TypeAlias = "Sequence[Question] | Together[Any]"
Inquiry: TypeAlias = Generator[Round, Any, T]
"""Yields the questions of a round, is sent their replies in the same order, returns what it found.
"""


def settle(inquiry: Inquiry[T], dns: Dns, within: float) -> T | Coroutine[Any, Any, T]:
    """Return what an inquiry comes to: at once as far as the replies are known, else a coroutine.

    ``within`` is the time for all its questions, in seconds.
    """
    run = _Run(inquiry)
    if run.go_on(dns):
        return run.found
    return _finish(run, dns, within)


def together(inquiries: Sequence[Inquiry[T]]) -> Inquiry[list[T]]:
    """Make several inquiries at once, each at its own pace: one that waits holds up no other."""
    if len(inquiries) == 1:  # mostly, and then it costs no task
        return [(yield from inquiries[0])]
    found: list[T] = yield Together(inquiries)
    return found


class Together(Generic[T]):
    """What an inquiry yields to have others made; it is sent what they found."""

    def __init__(self, inquiries: Iterable[Inquiry[T]]) -> None:
        self.runs = [_Run(inquiry) for inquiry in inquiries]

    def known(self, dns: Dns) -> list[T] | None:
        """Return what all of them found, None where one has to wait."""
        if all(run.go_on(dns) for run in self.runs):
            return [run.found for run in self.runs]
        return None

    async def ask(self, dns: Dns, until: float) -> list[T]:
        """Return what all of them found. Raises what one of them raises, when all have ended."""
        import asyncio  # noqa: PLC0415  only where there is a loop

        waiting = [run.finish(dns, until) for run in self.runs if not run.ended]
        for end in await asyncio.gather(*waiting, return_exceptions=True):
            if isinstance(end, BaseException):
                raise end
        return [run.found for run in self.runs]


class _Run(Generic[T]):
    """An inquiry on its way."""

    found: T

    def __init__(self, inquiry: Inquiry[T]) -> None:
        self.ended = False
        self._inquiry = inquiry
        self._round: Round | None = None

    def go_on(self, dns: Dns) -> bool:
        """Go on as far as the replies are known; return whether it has ended."""
        if self._round is None:
            self._send(None)
        while not self.ended and (replies := self._known(dns)) is not None:
            self._send(replies)
        return self.ended

    async def finish(self, dns: Dns, until: float) -> None:
        """Go on to the end."""
        try:
            while not self.go_on(dns):
                assert self._round is not None
                if isinstance(self._round, Together):
                    self._send(await self._round.ask(dns, until))
                else:
                    self._send(await dns.ask(self._round, until))
        finally:
            self._inquiry.close()

    def _known(self, dns: Dns) -> Any:
        assert self._round is not None
        if isinstance(self._round, Together):
            return self._round.known(dns)
        return dns.known(self._round)

    def _send(self, replies: Any) -> None:
        try:
            self._round = self._inquiry.send(replies)
        except StopIteration as end:
            self.ended, self.found = True, end.value


async def _finish(run: _Run[T], dns: Dns, within: float) -> T:
    import asyncio  # noqa: PLC0415  only where there is a loop

    await run.finish(dns, asyncio.get_running_loop().time() + within)
    return run.found
