"""The process of reports: what it counts, and that a broken database stops nothing."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from opensmtpd.errors import ConfigError
from opensmtpd.mail.dmarc.reports import store as store_module
from opensmtpd.mail.dmarc.reports import worker as worker_module
from opensmtpd.mail.dmarc.reports.store import ReportStore
from opensmtpd.mail.dmarc.reports.worker import ReportsWorker
from unit.support.dmarc_messages import DAY, PASSED, message


def counts(path: Path) -> list[int]:
    """Return the counts of all rows in a database."""
    with closing(ReportStore(str(path))) as store:
        return [count for each in store.due(DAY + 1) for count, _ in store.rows(each)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "reports.db"


@pytest.fixture
def worker(path: Path) -> ReportsWorker:
    made = ReportsWorker()
    made.load((str(path), True))
    return made


def test_messages_are_counted(worker: ReportsWorker, path: Path) -> None:
    worker.handle([message(), message()])
    worker.handle([message()])
    assert counts(path) == [3]


def test_it_writes_to_the_folder_of_the_database_alone(worker: ReportsWorker, path: Path) -> None:
    assert worker.needs is not None
    assert worker.needs._asdict() == {
        "reads": (),
        "writes": (str(path.parent),),
        "network": False,
        "locks": True,
        "forks": False,
        "passes": False,
        "accepts": False,
        "sockets": (),
    }


def test_a_folder_that_is_missing_is_told_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no folder for the database of reports; make it a fold"):
        ReportsWorker().load((str(tmp_path / "missing" / "reports.db"), True))


def test_a_file_of_somebody_else_is_told_at_the_start(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE users (name)")
    with pytest.raises(ConfigError, match="is no database of reports"):
        ReportsWorker().load((str(path), True))


def test_a_broken_database_costs_a_line_at_the_start_and_one_a_minute(
    path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(worker_module, "clock", lambda: now)
    path.write_bytes(b"broken" * 1000)
    worker = ReportsWorker()
    worker.load((str(path), True))
    for _ in range(3):
        worker.handle([message(), message()])
    now += 60
    worker.handle([message()])
    assert capfd.readouterr().err.splitlines() == [
        f'reports-unusable file={path} reason="file is not a database"',
        f'reports-lost messages=2 file={path} reason="file is not a database"',
        f'reports-lost messages=5 file={path} reason="file is not a database"',
    ]
    path.unlink()  # the administrator moves it away
    worker.handle([message()])
    assert counts(path) == [1]


def test_a_database_that_breaks_later_stops_nothing(
    worker: ReportsWorker, path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    worker.handle([message()])
    path.write_bytes(b"\0" * path.stat().st_size)
    worker.handle([message()])
    assert "reports-lost messages=1" in capfd.readouterr().err
    path.unlink()
    worker.handle([message()])
    assert counts(path) == [1]


def test_a_database_that_is_taken_away_is_made_anew(worker: ReportsWorker, path: Path) -> None:
    worker.handle([message()])
    path.rename(path.with_suffix(".old"))
    worker.handle([message(), message()])
    assert counts(path) == [2]
    path.with_suffix(".old").replace(path)
    worker.handle([message()])
    assert counts(path) == [2]


def test_a_locked_database_costs_the_messages_of_that_moment(
    worker: ReportsWorker,
    path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(store_module, "WAIT", 0.01)
    with closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN EXCLUSIVE")
        worker.handle([message()])
    worker.handle([message()])
    assert counts(path) == [1]
    line = f'reports-lost messages=1 file={path} reason="database is locked"\n'
    assert capfd.readouterr().err == line


def test_a_full_day_costs_a_line_and_no_row(
    worker: ReportsWorker,
    path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(store_module, "ROWS_DAY", 1)
    worker.handle([message(), *(message(source=f"192.0.2.{each}") for each in range(2, 11))])
    worker.handle([message(source="198.51.100.1"), message()])
    assert counts(path) == [2]
    reason = "too many different results for one day"
    assert capfd.readouterr().err == f'reports-lost messages=9 file={path} reason="{reason}"\n'


def test_data_that_is_no_message_costs_nothing_else(
    worker: ReportsWorker, path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    worker.handle([[1, 2], message(), message(PASSED, disposition="drop")])
    assert counts(path) == [1]
    assert "reports-lost messages=1" in capfd.readouterr().err


def test_a_check_makes_no_file(path: Path) -> None:
    ReportsWorker().load((str(path), False))
    assert not path.exists()


def test_a_check_refuses_what_is_no_database(path: Path) -> None:
    path.write_text("From: a@example.org\n" * 1000)
    with pytest.raises(ConfigError) as error:
        ReportsWorker().load((str(path), False))
    assert str(error.value) == (
        f"{path}: file is not a database; name a new file, or that of filter-auth"
    )


def test_a_check_takes_a_database_that_is_there(path: Path) -> None:
    ReportsWorker().load((str(path), True))
    before = path.read_bytes()
    ReportsWorker().load((str(path), False))
    assert path.read_bytes() == before
