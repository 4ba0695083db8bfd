"""Where the recordings of real servers are: beside the project, or where the environment says."""

import os
from pathlib import Path

import pytest

from opensmtpd.testing import Transcript

_PROJECT = Path(__file__).parents[2]


def recordings() -> Path:
    """Return the directory of recordings; it need not exist."""
    chosen = os.environ.get("OPENSMTPD_PLUGINS_TRANSCRIPTS")
    return Path(chosen) if chosen else _PROJECT.parent / "shared" / "transcripts"


@pytest.fixture(params=["6.8", "7.6", "7.9"])
def transcript(request: pytest.FixtureRequest) -> Transcript:
    """The recording of one release of smtpd; without it the test is skipped."""
    path = recordings() / f"filter-smtpd-{request.param}.txt"
    if not path.is_file():
        pytest.skip(f"no recording {path}; OPENSMTPD_PLUGINS_TRANSCRIPTS names another directory")
    return Transcript.read(path)
