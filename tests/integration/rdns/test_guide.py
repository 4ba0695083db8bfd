"""The guide's outcomes with its two junk lines replaced by our filters."""

import pytest

from lab.shows import demo, moves
from lab.support import Lab, setups

pytestmark = pytest.mark.parametrize(
    "running", setups("filters", moves.to_filters), indirect=True, ids=str
)


@pytest.mark.parametrize("scene", demo.SCENES, ids=lambda scene: scene.title)
def test_outcome(lab: Lab, scene: demo.Scene) -> None:
    assert demo.outcome(scene, lab.guide, lab.sink) == (scene.place, scene.signature)


def test_the_filters_run(lab: Lab) -> None:
    for name in ("filter-rdns", "filter-fcrdns"):
        assert len(lab.server.filters(name)) == 1
