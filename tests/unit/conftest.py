"""Fixtures for all unit tests."""

import pytest

from opensmtpd import log as log_module


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The lines of the log, which reach no one else."""
    lines: list[str] = []
    monkeypatch.setattr(log_module, "emit", lines.append)
    return lines
