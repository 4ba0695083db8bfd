"""Fixtures for all unit tests."""

from collections.abc import Iterator

import pytest

from opensmtpd import log as log_module
from opensmtpd.table.passwords import checks


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The lines of the log, which reach no one else."""
    lines: list[str] = []
    monkeypatch.setattr(log_module, "emit", lines.append)
    return lines


@pytest.fixture(scope="session", autouse=True)
def time_for_passwords() -> Iterator[None]:
    """Give passwords time on a machine that does other work as well."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checks, "SECONDS", 60.0)
        yield
