"""Cases that were published for inbound authentication: beside the project, or where told."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from _pytest.mark.structures import ParameterSet

_CHOSEN = os.environ.get("OPENSMTPD_PLUGINS_SUITES")
FOLDER = Path(_CHOSEN) if _CHOSEN else Path(__file__).parents[4] / "shared" / "suites"


def inbound(file: str, part: str) -> list[ParameterSet]:
    """Return the cases of a part of a file, each with its name; none where there is no file."""
    path = FOLDER / "inbound" / file
    if not path.is_file():
        return []
    cases: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))[part]
    return [pytest.param(case, id=case["id"]) for case in cases]
