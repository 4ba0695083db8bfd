"""The operator's command, with each kind of servers."""

from pathlib import Path

import pytest

from integration.support.keeper import SERVERS, Keeper, keeper_of


@pytest.fixture(params=list(SERVERS))
def keeper(request: pytest.FixtureRequest, tmp_path: Path) -> Keeper:
    return keeper_of(request.param, tmp_path, request)
