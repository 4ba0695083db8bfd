"""The steps in SQLite: those of the model, and a file that stays small."""

import sqlite3
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opensmtpd.backends.state.file import database
from opensmtpd.backends.state.file.store import StepStore, now_us
from opensmtpd.backends.state.steps import ALLOW, COUNT, GET, GREYLIST, PUT, WHITE
from unit.support.state_machine import StoreMachine

DAY = 86400 * 1_000_000
HOUR = DAY // 24


class Unswept(StepStore):
    """Keeps what has expired, as the model does: the clock may be set back before its end."""

    def _sweep(self) -> None:
        pass


class MemoryMachine(StoreMachine):
    def __init__(self) -> None:
        super().__init__()
        self._store = Unswept(database.in_memory(1 << 20), lambda: self.model.now)

    def take(self, step: list[Any]) -> Any:
        return self._store.take(*step)

    def teardown(self) -> None:
        self._store.close()


class FileMachine(StoreMachine):
    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        db = database.opened(f"{self._folder.name}/state.db", 1 << 20)
        self._store = Unswept(db, lambda: self.model.now)

    def take(self, step: list[Any]) -> Any:
        return self._store.take(*step)

    def teardown(self) -> None:
        self._store.close()
        self._folder.cleanup()


FileMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
test_its_replies_are_those_of_the_model = FileMachine.TestCase
MemoryMachine.TestCase.settings = FileMachine.TestCase.settings
test_in_memory_they_are_the_same = MemoryMachine.TestCase


@pytest.mark.parametrize(
    "step",
    [
        [COUNT, b"k", 1, HOUR],
        [ALLOW, b"k", 1, 10, 0],
        [GREYLIST, b"k", 1, HOUR, DAY],
        [PUT, b"k", b"value", HOUR],
        [WHITE, b"k", 0, 1, HOUR, DAY],
        [WHITE, b"k", 1, 1, HOUR, DAY],
    ],
)
def test_the_time_of_a_change_is_read_while_no_other_process_can_change_the_file(
    step: list[Any], tmp_path: Path
) -> None:
    """Otherwise another one may change the row later, before this one: it would be no state."""
    path = str(tmp_path / "state.db")
    asked = []

    def clock() -> int:
        other = sqlite3.connect(path, isolation_level=None, timeout=0)
        with pytest.raises(sqlite3.OperationalError, match="database is locked"):
            other.execute("BEGIN IMMEDIATE")
        other.close()
        asked.append(True)
        return now_us()

    store = StepStore(database.opened(path, 1 << 20), clock)
    store.take(*step)
    assert asked == [True]
    store.close()


def test_bytes_that_another_process_puts_anew_while_they_are_read(tmp_path: Path) -> None:
    """They were there before, and are there behind that: they are found."""
    path = str(tmp_path / "state.db")
    other = StepStore(database.opened(path, 1 << 20))
    put: list[Any] = [PUT, b"k", b"value", HOUR]

    def clock() -> int:
        now = now_us()
        time.sleep(0.001)
        other.take(*put)
        return now

    store = StepStore(database.opened(path, 1 << 20), clock)
    other.take(*put)
    assert store.take(GET, b"k")[0] == b"value"
    store.close()
    other.close()


@settings(max_examples=40, deadline=None)
@given(
    interval=st.integers(1, 1000),
    burst=st.integers(1, 5),
    attempts=st.lists(
        st.tuples(st.integers(0, 3000), st.integers(1, 5), st.sampled_from([0, 0, 500, 9000])),
        max_size=40,
    ),
)
def test_a_rate_never_lets_more_through(
    interval: int, burst: int, attempts: list[tuple[int, int, int]]
) -> None:
    """In any time: no more than what comes back within it, and a burst. All patiences in a mix."""
    with tempfile.TemporaryDirectory() as folder:
        timed = Timed(Path(folder) / "state.db")
        passed: list[tuple[int, int]] = []
        for wait, cost, patience in attempts:
            timed.now += wait
            limit = burst * interval
            step: list[Any] = [ALLOW, b"=a", min(cost, burst) * interval, limit, patience]
            allowed, after = timed.store.take(*step)
            if allowed:
                assert after <= patience
                passed.append((timed.now + after, min(cost, burst)))
            else:
                timed.now += after - 1
                assert timed.store.take(*step) == [0, 1]
        timed.store.close()
    for begin, _ in passed:
        for end, _ in passed:
            units = sum(units for at, units in passed if begin <= at <= end)
            assert begin > end or units <= burst + (end - begin) // interval


def test_who_waits_as_long_as_told_is_let_through(timed: "Timed") -> None:
    step: list[Any] = [ALLOW, b"=a", 2000, 5000, 0]
    assert [timed.store.take(*step)[0] for _ in range(3)] == [1, 1, 0]
    after = timed.store.take(*step)[1]
    timed.now += after - 1
    assert timed.store.take(*step) == [0, 1]
    timed.now += 1
    assert timed.store.take(*step) == [1, 0]


def test_those_without_patience_leave_the_line_of_others_as_it_is(timed: "Timed") -> None:
    patient: list[Any] = [ALLOW, b"=a", 1_000_000, 1_000_000, 60_000_000]
    hasty: list[Any] = [ALLOW, b"=a", 1_000_000, 1_000_000, 0]
    for number in range(30):
        assert timed.store.take(*patient) == [1, number * 1_000_000]
    assert timed.store.take(*hasty) == [0, 30_000_000]
    assert timed.store.take(*patient) == [1, 30_000_000]
    timed.now += 31_000_000
    assert timed.store.take(*hasty) == [1, 0]


def test_a_clock_that_is_set_back_holds_a_rate_up_no_longer_than_its_line(timed: "Timed") -> None:
    patient: list[Any] = [ALLOW, b"=a", 1_000_000, 1_000_000, 60_000_000]
    hasty: list[Any] = [ALLOW, b"=a", 1_000_000, 1_000_000, 0]
    assert timed.store.take(*patient) == [1, 0]
    timed.now -= 365 * DAY
    assert timed.store.take(*hasty) == [0, 61_000_000]
    timed.now += 61_000_000
    assert timed.store.take(*hasty) == [1, 0]


class Timed:
    """A store on a clock that the test sets."""

    def __init__(self, path: Path | None = None, size: int = 1 << 20) -> None:
        """Without a path, it is in memory."""
        self.now = 1_700_000_000_000_000
        self.db = database.opened(str(path), size) if path else database.in_memory(size)
        self.store = StepStore(self.db, lambda: self.now, "timed")

    def rows(self) -> int:
        found: int = self.db.execute("SELECT count(*) FROM steps").fetchone()[0]
        return found


@pytest.fixture
def timed(tmp_path: Path) -> Timed:
    return Timed(tmp_path / "state.db")


def white(timed: Timed, by: int = 0, enough: int = 3, keep: int = 10 * DAY) -> int:
    found: int = timed.store.take(WHITE, b"=a", by, enough, HOUR, keep)
    return found


def test_what_comes_within_the_hour_is_counted_once(timed: Timed) -> None:
    for later, found in ((0, 0), (1, 0), (HOUR - 2, 0), (1, 0), (HOUR - 1, 0), (1, 1), (0, 1)):
        timed.now += later
        assert white(timed, by=1) == found


@settings(max_examples=60, deadline=None)
@given(
    enough=st.integers(1, 5),
    waits=st.lists(st.sampled_from([0, 1, HOUR // 3, HOUR - 1, HOUR, 3 * HOUR]), max_size=40),
)
def test_nobody_is_white_sooner_by_coming_more_often(enough: int, waits: list[int]) -> None:
    timed = Timed()
    begin = timed.now
    for wait in waits:
        if white(timed, by=1, enough=enough):
            assert timed.now - begin >= (enough - 1) * HOUR
        timed.now += wait
    timed.store.close()


def test_what_is_white_at_once(timed: Timed) -> None:
    assert white(timed, by=1) == 0
    assert white(timed, by=3) == 1
    assert white(timed, enough=4) == 0
    timed.now += HOUR
    assert white(timed, by=3, enough=4) == 1


def test_what_is_white_is_kept_from_when_it_was_seen(timed: Timed) -> None:
    white(timed, by=3)
    for _ in range(5):
        timed.now += 10 * DAY - 1
        assert white(timed) == 1
    timed.now += 10 * DAY
    assert white(timed) == 0
    assert white(timed, by=1) == 0


def test_what_is_not_white_is_kept_from_when_it_was_counted(timed: Timed) -> None:
    white(timed, by=2)
    timed.now += 10 * DAY - 1
    assert white(timed) == 0  # to look at it prolongs nothing
    timed.now += 1
    assert white(timed, by=1) == 0
    timed.now += HOUR
    assert white(timed, by=1) == 0
    timed.now += HOUR
    assert white(timed, by=1) == 1


def test_a_clock_that_is_set_back_makes_nothing_white_for_longer(timed: Timed) -> None:
    """A clock that was ahead may have been so step by step, and each time have been believed."""
    white(timed, by=3)
    for _ in range(5):
        timed.now += 9 * DAY
        assert white(timed) == 1
    timed.now -= 1
    assert white(timed) == 0
    assert white(timed, by=3) == 1
    timed.now += HOUR - 1
    assert white(timed, by=1) == 1
    timed.now -= 1
    assert white(timed) == 0
    assert white(timed, by=2) == 0
    assert white(timed, by=3) == 1
    timed.now -= 365 * DAY
    assert white(timed, by=1) == 0


def test_with_a_shorter_time_nothing_white_is_forgotten_at_once(timed: Timed) -> None:
    white(timed, by=3)
    timed.now += 1
    assert white(timed, keep=HOUR) == 1
    timed.now += HOUR
    assert white(timed, keep=HOUR) == 0


def test_a_count_ends_where_the_numbers_do(timed: Timed) -> None:
    most = 10**15
    assert white(timed, by=most, enough=most) == 1
    timed.now += HOUR
    assert white(timed, by=1, enough=most) == 1
    assert timed.db.execute("SELECT a FROM steps").fetchall() == [(most,)]


@pytest.mark.parametrize("later", [0, DAY, 30 * DAY, 364 * DAY])
def test_a_clock_that_is_set_back_prolongs_nothing(timed: Timed, later: int) -> None:
    """Or who was refused by a count would be for a year, and who has passed would be known."""
    window = 60_000_000
    triplet: list[Any] = [GREYLIST, b"=a", 1, 10 * DAY, 35 * DAY]
    timed.store.take(COUNT, b"=a", 5, window)
    timed.store.take(*triplet)
    timed.now += 1
    assert timed.store.take(*triplet)[0] == 2
    timed.now += later - 365 * DAY
    assert timed.store.take(COUNT, b"=a", 0, window) == 0
    assert timed.store.take(COUNT, b"=a", 1, window) == 1
    assert timed.store.take(*triplet) == [0, 0]


def test_with_shorter_times_nothing_is_forgotten_at_once(timed: Timed) -> None:
    """They are an administrator's, who has changed a line of smtpd.conf."""
    for _ in range(2):
        timed.store.take(GREYLIST, b"=a", 1, 10 * DAY, 35 * DAY)
        timed.store.take(COUNT, b"=a", 1, DAY)
        timed.now += 1
    assert timed.store.take(GREYLIST, b"=a", 1, DAY, DAY)[0] == 3
    assert timed.store.take(COUNT, b"=a", 0, 60_000_000) == 2


@pytest.mark.parametrize("column", ["a", "b", "c", "expires", "value"])
@pytest.mark.parametrize("nonsense", ["text", b"blob", 1.5, 1e300, -1, 2**62, None])
def test_a_row_with_nonsense_is_as_good_as_none(timed: Timed, column: str, nonsense: Any) -> None:
    """Damage of one row is no outage of all the state: each reply is one, and the row is mended."""
    timed.db.execute("DROP TABLE steps")
    timed.db.execute(database.TABLE.replace(" NOT NULL", ""))  # what is damaged obeys no rule
    each: dict[str, list[Any]] = {
        "c": [COUNT, b"=a", 1, DAY],
        "r": [ALLOW, b"=a", 1_000_000, 1_000_000, 0],
        "g": [GREYLIST, b"=a", 1, DAY, DAY],
        "w": [WHITE, b"=a", 1, 2, HOUR, DAY],
        "v": [GET, b"=a"],
    }
    fresh = [1, [1, 0], [0, 0], 0, None]
    timed.store.take(PUT, b"=a", b"v", DAY)
    for step in each.values():
        timed.store.take(*step)
    timed.store.take(WHITE, b"=a", 2, 2, HOUR, DAY)
    timed.db.execute(f"UPDATE steps SET {column} = ?", (nonsense,))
    read_only = timed.store.take(COUNT, b"=a", 0, DAY)
    seen_white = timed.store.take(WHITE, b"=a", 0, 2, HOUR, DAY)
    replies = [timed.store.take(*step) for step in each.values()]
    if column in ("a", "b", "expires"):
        assert (read_only, seen_white) == (0, 0)
        assert replies == fresh
    else:
        assert seen_white == 1
        assert replies[:4] == [2, [0, 1_000_000], [1, 0], 1]
        assert (replies[4] is None) == (column == "value" and nonsense != b"blob")
    assert timed.store.take(PUT, b"=a", b"w", DAY) is True
    timed.now += 1
    replies = [timed.store.take(*step) for step in each.values()]
    assert replies[1:3] == [[0, 999_999], [2, 1]]
    assert replies[4] == [b"w", DAY - 1]
    assert timed.store.take(WHITE, b"=a", 2, 2, HOUR, DAY) == 1


def test_what_has_expired_is_dropped_in_small_steps(timed: Timed) -> None:
    for number in range(1000):
        timed.store.take(COUNT, b"=old%d" % number, 1, 1_000_000)
    timed.now += 1_000_000
    most = timed.rows()
    for number in range(640):
        timed.store.take(COUNT, b"=new%d" % number, 1, 10**12)
        assert most - timed.rows() <= 64
        most = timed.rows()
    assert timed.rows() == 640


def test_a_file_that_is_full_says_so_once_an_hour(tmp_path: Path, logged: list[str]) -> None:
    timed = Timed(tmp_path / "state.db", 40 * database.PAGE)
    for number in range(5000):
        timed.store.take(COUNT, b"=%d" % number, 1, 10**12)
        if number == 100:
            assert logged == []
    assert logged == ['state-full store=timed forgets="what expires first"']
    timed.now += HOUR
    for number in range(1000):
        timed.store.take(COUNT, b"=later%d" % number, 1, 10**12)
    assert logged == ['state-full store=timed forgets="what expires first"'] * 2


def test_a_file_that_is_full_drops_what_expires_first(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    timed = Timed(path, 40 * database.PAGE)
    for number in range(100):  # clients that have passed
        key = b"=good%d" % number
        timed.store.take(GREYLIST, key, 1, 10**9, 10**12)
        timed.now += 1
        assert timed.store.take(GREYLIST, key, 1, 10**9, 10**12)[0] == 2
    for number in range(20_000):  # a flood of those who never come again
        timed.store.take(GREYLIST, b"=bad%d" % number, 10**8, 10**9, 10**12)
    assert path.stat().st_size <= 40 * database.PAGE
    verdicts = [
        timed.store.take(GREYLIST, b"=good%d" % number, 1, 10**9, 10**12)[0]
        for number in range(100)
    ]
    assert verdicts == [3] * 100


def test_large_values_do_not_outgrow_it(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    timed = Timed(path, 64 * database.PAGE)
    for number in range(300):
        timed.now += 1
        assert timed.store.take(PUT, b"=%d" % number, b"x" * 60_000, 10**9) is True
    assert path.stat().st_size <= 64 * database.PAGE
    assert timed.store.take(GET, b"=299") == [b"x" * 60_000, 10**9]


def test_a_full_disk_is_an_error(timed: Timed) -> None:
    """The page limit stands for it: the file is not full by its own measure."""
    timed.store.take(COUNT, b"=a", 1, 10**9)
    timed.store._is_full = lambda: False  # type: ignore[method-assign]
    timed.db.execute("PRAGMA max_page_count = 2")
    with pytest.raises(sqlite3.OperationalError, match="full"):
        timed.store.take(PUT, b"=b", b"x" * 60_000, 10**9)
    assert timed.store.take(COUNT, b"=a", 1, 10**9) == 2


def test_the_clock_is_the_time_of_day() -> None:
    import time

    assert abs(now_us() / 1e6 - time.time()) < 60
