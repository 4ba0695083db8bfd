"""The results that a handler may return: the answer, a coroutine, or work for a thread."""

from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeAlias, TypeVar

from opensmtpd.errors import DecisionError

__all__ = ["Answer", "Offload"]

T = TypeVar("T")


T_co = TypeVar("T_co", covariant=True)


class Offload(Generic[T_co]):
    """A function for a thread to call; the value that it returns is the answer.

    For CPU work that releases the GIL (signatures, hashes of large data). ``function`` takes no
    arguments and must touch nothing that the handlers touch. Raises DecisionError for an object
    that cannot be called.
    """

    __slots__ = ("function",)

    def __init__(self, function: Callable[[], T_co]) -> None:
        if not callable(function):
            raise DecisionError(f"a {type(function).__name__} is no work for a thread")
        self.function = function


Answer: TypeAlias = T | Offload[T] | Coroutine[Any, Any, T]
"""The result of a handler: the answer, an Offload, or a coroutine (``async def``)."""
