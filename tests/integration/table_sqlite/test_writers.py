"""Real writers change a database while it is asked: no answer is older than a commit."""

from pathlib import Path

import pytest

from lab.shows import writers
from opensmtpd.backends.sqlite import current


@pytest.mark.parametrize("act", writers.ACTS)
def test_no_answer_is_older_than_a_commit(
    act: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is one ever what was not committed. ``make chaos`` does the same for longer."""
    monkeypatch.setattr(current, "is_local", lambda path: True)  # whatever the tests run on
    rest = writers.RESTS.get(act, writers.REST)
    result = writers.run(tmp_path, [act, "commit"], rest=rest, seed=12, changes=40)
    assert result.wrong == {}
    assert result.changes >= 40
    assert result.kept >= 40
