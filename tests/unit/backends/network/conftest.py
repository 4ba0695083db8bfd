"""The server that does what a test says, the clock, and the log of a table that asks it."""

import pytest

from unit.support import network_fakes
from unit.support.network_fakes import Clock, FakeServer


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> FakeServer:
    """A new server, with no rows."""
    server = FakeServer()
    monkeypatch.setattr(network_fakes, "SERVER", server)
    return server


@pytest.fixture
def clock() -> Clock:
    """A clock that the test sets."""
    return Clock()
