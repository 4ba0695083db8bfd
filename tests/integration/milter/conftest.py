"""Milters that the tests of filter-milter start."""

from collections.abc import Iterator

import pytest

from integration.conftest import Servers
from integration.support.milter_scenes import FIRST, SECOND
from lab.peers.milters.clamav import ClamavServer
from lab.peers.milters.greylist import GreylistServer
from lab.peers.milters.opendkim import OpenDkimServer
from lab.peers.milters.opendmarc import OpenDmarcServer
from lab.peers.milters.scripted import ScriptedMilter
from lab.peers.milters.spamass import SpamassServer


@pytest.fixture(scope="session")
def scripted() -> Iterator[tuple[ScriptedMilter, ScriptedMilter]]:
    """Two milters that do what tests say."""
    with ScriptedMilter(FIRST) as first, ScriptedMilter(SECOND) as second:
        yield first, second


@pytest.fixture
def milter(scripted: tuple[ScriptedMilter, ScriptedMilter]) -> ScriptedMilter:
    """The first of them, which has heard nothing yet and lets all pass."""
    for each in scripted:
        each.forget()
    return scripted[0]


@pytest.fixture
def second(
    milter: ScriptedMilter, scripted: tuple[ScriptedMilter, ScriptedMilter]
) -> ScriptedMilter:
    """The other one, which has heard nothing yet, either."""
    return scripted[1]


@pytest.fixture
def opendkim(servers: Servers) -> Iterator[OpenDkimServer]:
    """OpenDKIM."""
    yield from servers.well(OpenDkimServer)


@pytest.fixture
def opendmarc(servers: Servers) -> Iterator[OpenDmarcServer]:
    """OpenDMARC."""
    yield from servers.well(OpenDmarcServer)


@pytest.fixture
def greylist(servers: Servers) -> Iterator[GreylistServer]:
    """milter-greylist."""
    yield from servers.well(GreylistServer)


@pytest.fixture
def clamav(servers: Servers) -> Iterator[ClamavServer]:
    """clamav-milter."""
    yield from servers.well(ClamavServer)


@pytest.fixture
def spamass(servers: Servers) -> Iterator[SpamassServer]:
    """spamass-milter."""
    yield from servers.well(SpamassServer)
