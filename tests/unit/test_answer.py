"""The answers of handlers that are no decision: work for a thread."""

import pytest

from opensmtpd.answer import Offload
from opensmtpd.errors import DecisionError
from opensmtpd.filter import PROCEED


@pytest.mark.parametrize("work", [None, PROCEED, [b"X: y"], b"x"])
def test_offload_takes_functions_only(work: object) -> None:
    with pytest.raises(DecisionError):
        Offload(work)  # type: ignore[arg-type]


async def coroutine() -> int:
    return 1


@pytest.mark.parametrize(
    ("work", "fault"),
    [
        (None, "a NoneType is no work for a thread"),
        (b"secret", "a bytes is no work for a thread"),
        (PROCEED, "a Proceed is no work for a thread"),
    ],
)
def test_the_fault_names_the_type_and_not_the_value(work: object, fault: str) -> None:
    with pytest.raises(DecisionError) as caught:
        Offload(work)  # type: ignore[arg-type]
    assert str(caught.value) == fault


def test_a_coroutine_is_no_function() -> None:
    started = coroutine()
    with pytest.raises(DecisionError, match=r"^a coroutine is no work for a thread$"):
        Offload(started)  # type: ignore[arg-type]
    started.close()


def test_the_function_is_kept_and_not_called() -> None:
    calls: list[int] = []
    offload = Offload(lambda: calls.append(1))
    assert calls == []
    offload.function()
    assert calls == [1]


def test_there_is_nothing_else_to_set() -> None:
    with pytest.raises(AttributeError):
        Offload(len).deadline = 5  # type: ignore[attr-defined, arg-type]
