"""Logic that needs the DNS, without the DNS: it yields questions and is sent the replies."""

from collections.abc import Coroutine, Generator, Sequence
from itertools import chain
from typing import Any, TypeAlias, TypeVar

from opensmtpd.dns.questions import Dns, Question, Reply

T = TypeVar("T")

Inquiry: TypeAlias = Generator[Sequence[Question], Sequence[Reply], T]
"""Yields the questions of a round, is sent their replies in the same order, returns what it found.
"""


def settle(inquiry: Inquiry[T], dns: Dns, within: float) -> T | Coroutine[Any, Any, T]:
    """Return what an inquiry comes to: at once as far as the replies are known, else a coroutine.

    ``within`` is the time for all its questions, in seconds.
    """
    try:
        questions = next(inquiry)
        while (replies := dns.known(questions)) is not None:
            questions = inquiry.send(replies)
    except StopIteration as end:
        found: T = end.value
        return found
    return _ask(inquiry, questions, dns, within)


async def _ask(inquiry: Inquiry[T], questions: Sequence[Question], dns: Dns, within: float) -> T:
    import asyncio  # noqa: PLC0415  only where there is a loop

    until = asyncio.get_running_loop().time() + within
    try:
        while True:
            replies = dns.known(questions)
            if replies is None:
                replies = await dns.ask(questions, until)
            questions = inquiry.send(replies)
    except StopIteration as end:
        found: T = end.value
        return found
    finally:
        inquiry.close()


def together(inquiries: Sequence[Inquiry[T]]) -> Inquiry[list[T]]:
    """Make several inquiries at once: each round asks what all of them want to know, once."""
    rounds: dict[int, Sequence[Question]] = {}
    ends: dict[int, T] = {}

    def go_on(number: int, replies: Sequence[Reply] | None) -> None:
        inquiry = inquiries[number]
        try:
            rounds[number] = next(inquiry) if replies is None else inquiry.send(replies)
        except StopIteration as end:
            rounds.pop(number, None)
            ends[number] = end.value

    try:
        for number in range(len(inquiries)):
            go_on(number, None)
        while rounds:
            questions = list(dict.fromkeys(chain.from_iterable(rounds.values())))
            said = dict(zip(questions, (yield questions), strict=True))
            for number, mine in list(rounds.items()):
                go_on(number, [said[question] for question in mine])
        return [ends[number] for number in range(len(inquiries))]
    finally:
        for inquiry in inquiries:
            inquiry.close()
