"""A name server with a resolver that asks it, and a clock to set."""

import time
from collections.abc import Iterator

import pytest

from unit.support.dns_lab import Clock, Lab, served


@pytest.fixture
def lab() -> Iterator[Lab]:
    with served() as made:
        yield made


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made, real = Clock(), time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: real() + made.ahead)
    return made
