import pytest

from opensmtpd import early
from opensmtpd.backends.sqlite.wal import remote
from opensmtpd_tables import early as entry
from opensmtpd_tables import sqlite


def test_the_worker_of_the_program_is_started_first(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    monkeypatch.setattr(early, "start", calls.append)
    monkeypatch.setattr(sqlite, "main", lambda: calls.append("main"))
    entry.sqlite()
    assert calls == [remote.WORKER, "main"]
