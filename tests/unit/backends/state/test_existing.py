"""The state of a filter for a command: single steps, and one error for whatever is wrong."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from opensmtpd.backends.state import existing, steps
from opensmtpd.backends.state.file import database
from opensmtpd.backends.state.file.store import StepStore
from opensmtpd.errors import ConfigError, ServerLost
from unit.support.scripted_server import says, scripted

SIZE = 1 << 20
PONG = b"+PONG\r\n"
KEY = ["stop", "alice"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


@pytest.fixture
def store(path: Path) -> Iterator[StepStore]:
    """The filter's own, which has it open meanwhile."""
    with closing(StepStore(database.opened(str(path), SIZE))) as store:
        yield store


def put(store: StepStore, value: bytes = b"v") -> None:
    store.take(*steps.put(steps.key_of(KEY), value, 100.0))


# --- in a file ------------------------------------------------------------------------------------


def test_what_the_filter_has_put(path: Path, store: StepStore) -> None:
    put(store)
    with closing(existing.in_file(str(path))) as state:
        found = state.get(KEY)
        assert found is not None
        assert found.value == b"v"
        assert 0 < found.left <= 100
        assert state.get(["stop", "bob"]) is None


def test_what_is_forgotten_is_so_for_the_filter(path: Path, store: StepStore) -> None:
    put(store)
    with closing(existing.in_file(str(path))) as state:
        state.forget(KEY)
        assert state.get(KEY) is None
        assert store.take(steps.GET, steps.key_of(KEY)) is None
        put(store)
        assert state.get(KEY) is not None


def test_an_empty_value_is_one(path: Path, store: StepStore) -> None:
    put(store, b"")
    with closing(existing.in_file(str(path))) as state:
        found = state.get(KEY)
        assert found is not None
        assert found.value == b""


def test_a_file_that_is_not_there_is_not_made(path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError):
        existing.in_file(str(path))
    assert list(path.parent.iterdir()) == []


def test_a_lock_of_the_filter_is_waited_for(
    path: Path, store: StepStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(existing, "DEADLINE", 0.01)
    put(store)
    store._db.execute("BEGIN IMMEDIATE")
    with closing(existing.in_file(str(path))) as state:
        assert state.get(KEY) is not None
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            state.forget(KEY)
        store._db.execute("COMMIT")
        state.forget(KEY)
        assert state.get(KEY) is None


def foreign(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE mail (key)")
        db.commit()


def damaged(path: Path) -> None:
    """The table is nowhere that SQLite finds it."""
    with closing(database.opened(str(path), SIZE)) as db:
        put(StepStore(db))
    data = path.read_bytes()
    path.write_bytes(data[:4096] + b"\xff" * (len(data) - 4096))


@pytest.mark.parametrize(
    "make", [foreign, damaged, Path.touch, lambda path: path.write_bytes(b"text\n" * 999)]
)
def test_a_file_that_is_no_state_stays_as_it_is(path: Path, make: object) -> None:
    assert callable(make)
    make(path)
    before = path.read_bytes()
    with pytest.raises(ConfigError) as caught:  # noqa: SIM117  the first may raise, too
        with closing(existing.in_file(str(path))) as state:
            state.get(KEY)
    assert str(caught.value) == (
        f"{path}: is no state of a filter, or is damaged;"
        " name the file that --state of the filter names"
    )
    assert path.read_bytes() == before
    assert not os.path.exists(f"{path}.damaged")


def test_a_file_that_others_may_have_written(path: Path, store: StepStore) -> None:
    path.chmod(0o620)
    with pytest.raises(ConfigError, match="others may have written it"):
        existing.in_file(str(path))


# --- on a server ----------------------------------------------------------------------------------


def bulk(value: bytes) -> bytes:
    return b"*2\r\n$%d\r\n%b\r\n:5000000\r\n" % (len(value), value)


def test_nothing_was_put(tmp_path: Path) -> None:
    with (
        scripted(tmp_path / "s", says(PONG, b"$-1\r\n", b":0\r\n")),
        closing(existing.on_server(f"unix:{tmp_path}/s", "t:")) as state,
    ):
        assert state.get(KEY) is None
        state.forget(KEY)


def test_a_server_that_is_away_is_named(tmp_path: Path) -> None:
    with closing(existing.on_server(f"unix:{tmp_path}/s", "t:")) as state:
        with pytest.raises(ServerLost) as caught:
            state.get(KEY)
        with pytest.raises(ServerLost):
            state.forget(KEY)
    assert str(caught.value) == f"unix:{tmp_path}/s: No such file or directory"


@pytest.mark.parametrize("reply", [b":7\r\n", b"*2\r\n:1\r\n:1\r\n", b"*1\r\n:1\r\n"])
def test_a_server_that_answers_nonsense(tmp_path: Path, reply: bytes) -> None:
    with (
        scripted(tmp_path / "s", says(PONG, reply)),
        closing(existing.on_server(f"unix:{tmp_path}/s", "t:")) as state,
        pytest.raises(ServerLost) as caught,
    ):
        state.get(KEY)
    assert str(caught.value).startswith(f"unix:{tmp_path}/s: ")


def test_a_value_that_another_secret_has_sealed_is_not_taken_for_none(tmp_path: Path) -> None:
    with (
        scripted(tmp_path / "s", says(PONG, bulk(b"x" * 33))),
        closing(existing.on_server(f"unix:{tmp_path}/s", "t:")) as state,
        pytest.raises(ConfigError) as caught,
    ):
        state.get(KEY)
    assert str(caught.value) == (
        f"unix:{tmp_path}/s: a value has the seal of another secret;"
        " give the URL that --state of the filter has, with its secret_file"
    )


def test_a_url_that_cannot_be_used() -> None:
    with pytest.raises(ConfigError, match="did you mean prefix"):
        existing.on_server("redis://localhost?prefx=a", "t:")
