"""Each table of a server, while that is paused, killed and started again: no answer is another's.

``make chaos ARGS='--only lookups'`` asks more.
"""

from pathlib import Path

import pytest

from lab.chaos import servers
from lab.chaos.lookups import FAULTS
from lab.peers.databases.filled import BACKENDS
from lab.peers.databases.server import DatabaseServer
from lab.peers.table_client import in_view
from lab.support import ALONE, need_stage

pytestmark = ALONE
SIZE, SECONDS = 1_000, 12.0


@pytest.fixture(scope="module")
def root() -> Path:
    """A view with our package."""
    return need_stage("7.6").installed("campaigns")


@pytest.mark.parametrize("name", BACKENDS)
def test_no_answer_is_for_another_key(
    root: Path, name: str, request: pytest.FixtureRequest
) -> None:
    backend = servers.with_timeout(BACKENDS[name])
    server: DatabaseServer = request.getfixturevalue(backend.server.name)
    server.share(root)
    backend.lay_out(root)
    command = in_view(root, backend.program)
    tally = servers.run(server, backend, command, size=SIZE, seconds=SECONDS)
    print(f"{name}: {tally}")
    assert tally.wrong == []
    assert set(tally.faults) == set(FAULTS)
    assert tally.kinds["found"] > tally.kinds["not-found"] > 0
