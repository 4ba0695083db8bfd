"""The guide's mail server on smtpd 7.6 and 7.9, one after the other.

A module that wants other ones parametrizes ``running`` with its own setups, indirectly: there is
one fixture, so that no two of them run at once.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.peers.nameserver import NameServer
from lab.peers.sink import Sink
from lab.root.server import Server
from lab.shows.guide import records
from lab.support import Lab, Setup, need_stage


@pytest.fixture(scope="session", params=[Setup("7.6"), Setup("7.9")], ids=str)
def running(request: pytest.FixtureRequest) -> Iterator[Lab | None]:
    setup: Setup | None = request.param
    if setup is None:  # lab.support.ALONE
        yield None
        return
    guide = need_stage(setup.smtpd).guide(str(setup))
    if setup.prepare:
        setup.prepare(guide)
    with NameServer(records(guide)) as dns, Sink() as sink, Server(guide.view) as server:
        yield Lab(setup.smtpd, guide, server, sink, dns)
    assert server.survivors == []


@pytest.fixture
def lab(running: Lab) -> Iterator[Lab]:
    """The mail server; at the end of each test it must be the same, alive, with its plugins."""
    plugins = running.server.plugins()
    assert running.server.filters()
    yield running
    running.server.check()
    assert set(plugins) <= set(running.server.plugins())
    assert running.inbox.rest() == []


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a private smtpd."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.smtpd)
