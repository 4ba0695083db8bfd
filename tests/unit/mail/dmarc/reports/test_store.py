"""The database of judged messages: counts, bounds, days, and what stands in for a database."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from opensmtpd.errors import ConfigError
from opensmtpd.mail.dmarc.reports import store as store_module
from opensmtpd.mail.dmarc.reports.record import OverrideReason
from opensmtpd.mail.dmarc.reports.store import DayPolicy, ReportStore
from unit.support.dmarc_messages import DAY, NOON, PASSED, POLICY, RUA, SPARED, message


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "reports.db")


@pytest.fixture
def store(path: str) -> Iterator[ReportStore]:
    with closing(ReportStore(path, new=True)) as made:
        yield made


def test_equal_messages_of_a_day_are_one_row(store: ReportStore) -> None:
    assert store.add([message(), message(SPARED), message(), message(time=NOON + 100)]) == 0
    (policy,) = store.due(DAY + 1)
    assert policy == DayPolicy(1, DAY, POLICY, RUA)
    assert list(store.rows(policy)) == [(3, PASSED), (1, SPARED)]


def test_each_day_and_each_policy_has_its_own_rows(store: ReportStore) -> None:
    midnight = (DAY + 1) * 86400
    changed = POLICY._replace(p="none")
    store.add(
        [message(time=midnight - 1), message(time=midnight), message(time=midnight, policy=changed)]
    )
    found = store.due(DAY + 2)
    assert [(each.day, each.published.p) for each in found] == [
        (DAY, "reject"),
        (DAY + 1, "none"),
        (DAY + 1, "reject"),
    ]
    assert [list(store.rows(each)) for each in found] == [[(1, PASSED)]] * 3


def test_every_field_makes_another_row(store: ReportStore) -> None:
    store.add(
        [
            message(),
            message(source="192.0.2.2"),
            message(disposition="none"),
            message(dkim="fail"),
            message(spf="pass"),
            message(header_from="a.example.com"),
            message(envelope_from=""),
            message(envelope_to=""),
            message(reasons=(OverrideReason("other", "x"),)),
            message(signatures=()),
            message(spf_results=()),
        ]
    )
    assert len(list(store.rows(store.due(DAY + 1)[0]))) == 11


def test_the_last_addresses_of_a_day_count(store: ReportStore) -> None:
    store.add([message(), message(rua="mailto:new@example.com")])
    assert [each.rua for each in store.due(DAY + 1)] == ["mailto:new@example.com"]


def test_days_that_are_not_over_are_not_due(store: ReportStore) -> None:
    store.add([message()])
    assert store.due(DAY) == []


def test_a_report_is_delivered_to_each_address_once(store: ReportStore, path: str) -> None:
    store.add([message()])
    (policy,) = store.due(DAY + 1)
    assert store.claim(policy, "a@example.com")
    with closing(ReportStore(path)) as other:
        assert not other.claim(policy, "a@example.com")
        assert other.claim(policy, "b@example.com")
        store.release(policy, "a@example.com")
        assert other.claim(policy, "a@example.com")
        other.finish(policy)
    assert store.due(DAY + 1) == []
    assert store.due(DAY + 1, done=True) == [policy]


def test_old_days_are_forgotten(store: ReportStore) -> None:
    store.add([message()])
    (policy,) = store.due(DAY + 1)
    assert store.claim(policy, "a@example.com")
    store.add([message(time=NOON + 13 * 86400)])
    assert [each.day for each in store.due(DAY + 100)] == [DAY, DAY + 13]
    store.add([message(time=NOON + 14 * 86400)])
    assert [each.day for each in store.due(DAY + 100)] == [DAY + 13, DAY + 14]
    assert list(store.rows(policy)) == []
    assert store.claim(policy, "a@example.com")


def test_rows_of_a_policy_are_bounded(store: ReportStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "ROWS_POLICY", 2)
    flood = [message(envelope_from=f"{number}.example") for number in range(5)]
    assert store.add(flood) == 3
    assert store.add([*flood[:2], flood[4]]) == 1  # rows that are there count on
    other = message(policy=POLICY._replace(domain="example.net"))
    assert store.add([other]) == 0
    found = [[count for count, _ in store.rows(each)] for each in store.due(DAY + 1)]
    assert found == [[2, 2], [1]]


def test_rows_and_policies_of_a_day_are_bounded(
    path: str, store: ReportStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "ROWS_DAY", 3)
    flood = [message(policy=POLICY._replace(domain=f"{number}.example")) for number in range(5)]
    assert store.add(flood) == 2
    assert store.add(flood) == 2
    assert len(store.due(DAY + 1)) == 3
    with closing(ReportStore(path)) as again:  # which counts what is there
        assert again.add(flood) == 2
    assert store.add([message(time=NOON + 86400)]) == 0  # another day


def test_the_file_is_bounded_and_full_is_no_end(path: str) -> None:
    with closing(ReportStore(path, new=True, size=20 * 4096)) as store:
        store.add([message()])
        flood = [message(envelope_from=f"{number}{'x' * 200}.example") for number in range(500)]
        with pytest.raises(sqlite3.OperationalError, match="full"):
            store.add(flood)
        assert store.add([message()]) == 0
        (policy,) = store.due(DAY + 1)
        assert list(store.rows(policy)) == [(2, PASSED)]
        store.add([message(time=NOON + 20 * 86400)])
    assert Path(path).stat().st_size <= 20 * 4096


def test_a_lock_of_somebody_else_is_an_error_and_nothing_is_half_done(
    path: str, store: ReportStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.add([message()])
    monkeypatch.setattr(store_module, "WAIT", 0.01)
    with closing(ReportStore(path)) as late, closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            late.add([message()])
        other.rollback()
        assert late.add([message()]) == 0
    assert list(store.rows(store.due(DAY + 1)[0])) == [(2, PASSED)]


def test_another_database_is_left_alone(path: str) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE users (name)")
    with pytest.raises(ConfigError, match="is no database of reports"):
        ReportStore(path, new=True)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT name FROM sqlite_master").fetchall() == [("users",)]


@pytest.mark.parametrize("junk", [b"no database at all" * 300, b"SQLite format 3\0" + b"\xff" * 99])
def test_another_file_is_left_alone(path: str, junk: bytes) -> None:
    Path(path).write_bytes(junk)
    with pytest.raises(sqlite3.DatabaseError):
        ReportStore(path, new=True)
    assert Path(path).read_bytes() == junk


def test_nothing_is_made_for_who_only_reads(path: str) -> None:
    with pytest.raises(sqlite3.OperationalError, match="unable to open"):
        ReportStore(path)
    assert not Path(path).exists()
    Path(path).touch()
    with pytest.raises(ConfigError, match="is no database of reports; name the file"):
        ReportStore(path)


def test_a_name_with_the_marks_of_a_uri_is_a_name(tmp_path: Path) -> None:
    path = tmp_path / "a?b#c%20.db"
    with closing(ReportStore(str(path), new=True)) as store:
        store.add([message()])
    assert [each.name for each in tmp_path.iterdir()] == ["a?b#c%20.db"]
