"""A name server with a resolver that asks it, and a clock to set."""

import time
from collections.abc import Iterator

import pytest

from lab.peers.nameserver import NameServer
from unit.support.dns_lab import RECORDS, Clock, Lab, port


@pytest.fixture
def lab() -> Iterator[Lab]:
    address = ("127.0.0.1", port())
    with NameServer(RECORDS, address) as server:
        yield Lab(server, address)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made, real = Clock(), time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: real() + made.ahead)
    return made
