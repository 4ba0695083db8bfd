"""The front's end of reports, with the real process behind it."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from opensmtpd.errors import ConfigError
from opensmtpd.mail.dmarc.reports import keeper as keeper_module
from opensmtpd.mail.dmarc.reports.keeper import ReportKeeper
from opensmtpd.mail.dmarc.reports.store import ReportStore
from unit.support.dmarc_messages import DAY, message
from unit.support.workers import processes, pump


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "reports.db"


@pytest.fixture
def keeper(path: Path) -> Iterator[ReportKeeper]:
    made = ReportKeeper(str(path))
    yield made
    made.close()


def counted(path: Path) -> int:
    with closing(ReportStore(str(path))) as store:
        return sum(count for each in store.due(DAY + 1) for count, _ in store.rows(each))


def test_messages_get_into_the_database(keeper: ReportKeeper, path: Path) -> None:
    for _ in range(250):
        keeper.keep(message())
    pump(keeper._pool, lambda: counted(path) == 250)


def test_a_worker_that_dies_is_replaced(keeper: ReportKeeper, path: Path) -> None:
    keeper.keep(message())
    pump(keeper._pool, lambda: counted(path) == 1)
    os.kill(processes(keeper._pool)[-1], signal.SIGKILL)
    keeper.keep(message())
    pump(keeper._pool, lambda: counted(path) >= 2)


def test_what_cannot_be_kept_is_a_line_a_second(
    keeper: ReportKeeper, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    now = 1000.0
    monkeypatch.setattr(keeper_module, "clock", lambda: now)
    for _ in range(1500):  # nobody lets the pool send meanwhile
        keeper.keep(message())
    now += 1
    keeper.keep(message())
    reason = 'reason="1000 requests wait for a worker"'
    assert capfd.readouterr().err.splitlines() == [
        f"reports-lost messages=1 {reason}",
        f"reports-lost messages=500 {reason}",
    ]


def test_a_message_that_is_no_plain_data_does_no_harm(
    keeper: ReportKeeper, capfd: pytest.CaptureFixture[str]
) -> None:
    keeper.keep(message(source=object()))
    assert capfd.readouterr().err == (
        'reports-lost messages=1 reason="not plain data: TypeError"\n'
    )


def test_a_path_that_cannot_be_used_is_told_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no folder for the database"):
        ReportKeeper(str(tmp_path / "missing" / "reports.db"))
    with closing(sqlite3.connect(tmp_path / "other.db")) as db:
        db.execute("CREATE TABLE users (name)")
    with pytest.raises(ConfigError, match="is no database of reports"):
        ReportKeeper(str(tmp_path / "other.db"))


def test_no_sqlite_is_loaded_in_the_front() -> None:
    code = "import sys, opensmtpd.mail.dmarc.reports.keeper; print('sqlite3' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code]) == b"False\n"
