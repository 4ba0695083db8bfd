"""A folder for counter files, and counts of the test's own."""

from pathlib import Path

import pytest

from opensmtpd._counters import file
from opensmtpd._counters.counts import OWN


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder; all counts are 0."""
    monkeypatch.setattr(file, "FOLDER", str(tmp_path))
    monkeypatch.setattr(OWN, "values", [0] * len(OWN.index))
    return tmp_path
