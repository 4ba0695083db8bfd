"""``every`` marks methods, and refuses what is no number of seconds."""

from typing import Any

import pytest

from opensmtpd.errors import LocalError
from opensmtpd.timers import every


@pytest.mark.parametrize("seconds", [60, 0.5, 1e-3, 86400])
def test_a_method_is_marked_and_stays_as_it_is(seconds: float) -> None:
    def save(self: object) -> None:
        """Save it."""

    marked = every(seconds)(save)
    assert marked is save
    assert vars(save) == {"every_seconds": float(seconds)}


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf"), 1e9, "60", None])
def test_no_number_of_seconds(seconds: Any) -> None:
    with pytest.raises(LocalError) as caught:
        every(seconds)
    assert str(caught.value) == f"write @every(SECONDS) with a number above 0, not {seconds!r}"


def test_the_decorator_without_its_seconds() -> None:
    def save(self: object) -> None:
        """Save it."""

    with pytest.raises(LocalError, match=r"^write @every\(SECONDS\) with a number above 0, not <"):
        every(save)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", [classmethod, staticmethod])
def test_a_class_method_is_marked_from_inside(kind: Any) -> None:
    def save(*_: object) -> None:
        """Save it."""

    with pytest.raises(LocalError, match=rf"^write @{kind.__name__} above @every\(60\)$"):
        every(60)(kind(save))
    assert kind(every(60)(save)).__func__.every_seconds == 60.0
