"""The guide's mail server on smtpd 7.6 and 7.9, one after the other."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.guide import records
from lab.nameserver import NameServer
from lab.server import Server
from lab.sink import Sink
from lab.support import Lab, need_stage


@pytest.fixture(scope="session", params=["7.6", "7.9"])
def running(request: pytest.FixtureRequest) -> Iterator[Lab]:
    stage = need_stage(request.param)
    guide = stage.guide()
    with NameServer(records(guide)) as dns, Sink() as sink, Server(guide.view) as server:
        yield Lab(request.param, guide, server, sink, dns)
    assert server.survivors == []


@pytest.fixture
def lab(running: Lab) -> Iterator[Lab]:
    """The mail server; at the end of each test it must be the same, alive, with the same filter."""
    before = running.server.filters()
    assert len(before) == 1
    yield running
    running.server.check()
    assert running.server.filters() == before
    assert running.inbox.rest() == []


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a private smtpd."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.smtpd)
