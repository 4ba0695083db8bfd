"""The guide's mail server on smtpd 7.6 and 7.9, one after the other.

A module that wants other ones parametrizes ``running`` with its own setups, indirectly: there is
one fixture, so that no two of them run at once.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from lab.peers.databases.dovecot_auth import DovecotAuth
from lab.peers.databases.mariadb import MariadbServer
from lab.peers.databases.postgres import PostgresServer
from lab.peers.databases.server import DatabaseServer
from lab.peers.databases.slapd import SlapdServer
from lab.peers.databases.socketmap import SocketmapServer
from lab.peers.databases.valkey import ValkeyServer
from lab.peers.nameserver import NameServer
from lab.peers.rspamd.server import RspamdServer
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


Kind = TypeVar("Kind", bound=DatabaseServer)


class Servers:
    """Servers of databases, each started once for all tests of a process."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._started: dict[type[DatabaseServer], DatabaseServer] = {}

    def well(self, kind: type[Kind]) -> Iterator[Kind]:
        """Have a server that runs, whatever a test did to it before, or this one will."""
        if kind not in self._started:
            self._started[kind] = kind(self._root)
            self._started[kind].start()
        server = self._started[kind]
        assert isinstance(server, kind)
        server.heal()
        yield server
        server.resume()

    def end(self) -> None:
        """End all of them."""
        for server in self._started.values():
            server.kill9()


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """The servers that have been started."""
    found = Servers(need_stage("7.6").root)
    yield found
    found.end()


@pytest.fixture
def postgres(servers: Servers) -> Iterator[PostgresServer]:
    """PostgreSQL; each test file makes a database of its own."""
    yield from servers.well(PostgresServer)


@pytest.fixture
def mariadb(servers: Servers) -> Iterator[MariadbServer]:
    """MariaDB; each test file makes a database of its own."""
    yield from servers.well(MariadbServer)


@pytest.fixture
def valkey(servers: Servers) -> Iterator[ValkeyServer]:
    """Valkey; each test file has a prefix of its own, or a database number."""
    yield from servers.well(ValkeyServer)


@pytest.fixture
def slapd(servers: Servers) -> Iterator[SlapdServer]:
    """OpenLDAP; each test file has a suffix of its own."""
    yield from servers.well(SlapdServer)


@pytest.fixture
def dovecot_auth(servers: Servers) -> Iterator[DovecotAuth]:
    """Dovecot's auth; each test file has users of its own."""
    yield from servers.well(DovecotAuth)


@pytest.fixture
def socketmap(servers: Servers) -> Iterator[SocketmapServer]:
    """A socketmap server; each test file has rows of its own."""
    yield from servers.well(SocketmapServer)


@pytest.fixture
def rspamd(servers: Servers) -> Iterator[RspamdServer]:
    """rspamd; each message says what shall be done with it."""
    yield from servers.well(RspamdServer)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a private smtpd."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.smtpd)
