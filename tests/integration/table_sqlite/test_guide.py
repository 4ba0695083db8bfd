"""The guide's five tables as files, in SQLite and served by table-flat: the same outcomes."""

from collections.abc import Callable, Iterator

import pytest

from integration.support.table_scenes import SCENES
from lab.shows import moves
from lab.shows.guide import Guide
from lab.support import Lab, Setup


def setups() -> Iterator[Setup]:
    moved: dict[str, Callable[[Guide], object]] = {
        "files": moves.check,
        "sqlite": moves.to_sqlite,
        "flat": moves.to_flat,
    }
    for smtpd in moves.SOURCES:
        for name, move in moved.items():

            def prepare(
                guide: Guide, smtpd: str = smtpd, move: Callable[[Guide], object] = move
            ) -> None:
                moves.use_sources(guide, smtpd)
                move(guide)

            yield Setup(smtpd, name, prepare)


SETUPS = list(setups())


@pytest.mark.parametrize("running", SETUPS, indirect=True, ids=str)
@pytest.mark.parametrize("title", SCENES)
def test_outcome(lab: Lab, title: str) -> None:
    scene, outcome = SCENES[title]
    assert scene(lab) == outcome
