"""A database whose file is not there, or not what it should be."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from opensmtpd.backends.sqlite import config
from opensmtpd.backends.sqlite.database import Database
from opensmtpd.errors import Unavailable
from unit.support.sqlite_files import NEEDS_PROC, create, descriptors, fill, opened, settings


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database with a row."""
    return create(tmp_path / "test.db", alice="bob")


def checked(path: Path, line: str) -> Database:
    """Return a database whose configuration has one statement, in line 3."""
    database = Database(config.read(str(settings(path, line))))
    database.check()
    return database


# --- files that are not there, or not what they should be -----------------------------------------


def test_a_file_that_does_not_exist_is_not_created(tmp_path: Path) -> None:
    path = tmp_path / "later.db"
    database, query = opened(path)
    acts: list[Callable[[], object]] = [
        lambda: database.row(query, "alice"),
        database.check,
        database.version,
    ]
    for act in acts:
        with pytest.raises(Unavailable) as caught:
            act()
        assert str(caught.value) == f"{path}: No such file or directory; make it, or correct dbpath"
    assert not path.exists()
    create(path, alice="bob")
    database.check()
    assert database.row(query, "alice") == ("bob",)


def test_a_file_that_is_removed(path: Path) -> None:
    database, query = opened(path)
    assert database.row(query, "alice") == ("bob",)
    path.unlink()
    with pytest.raises(Unavailable, match="No such file or directory"):
        database.row(query, "alice")
    assert not path.exists()
    create(path, alice="another")
    assert database.row(query, "alice") == ("another",)


def test_a_file_that_is_replaced(path: Path, tmp_path: Path) -> None:
    database, query = opened(path)
    for number in range(3):
        assert database.rows(query, "alice") == [("bob" if number == 0 else f"bob {number - 1}",)]
        new = create(tmp_path / "new.db", alice=f"bob {number}")
        new.rename(path)
    assert database.row(query, "alice") == ("bob 2",)


@NEEDS_PROC
def test_replaced_files_are_closed(path: Path, tmp_path: Path) -> None:
    database, query = opened(path)
    for _ in range(5):
        database.row(query, "alice")
        create(tmp_path / "new.db", alice="x").rename(path)
    database.row(query, "alice")
    assert descriptors(path) == 2  # ours and SQLite's
    path.unlink()
    with pytest.raises(Unavailable):
        database.row(query, "alice")
    assert descriptors(path) == 0


def test_overwritten_by_a_copy_with_its_time(path: Path, tmp_path: Path) -> None:
    """By ``cp -p`` or rsync: of equal size, header and time of the last change."""
    other = create(tmp_path / "other.db", alice="eve")
    for each in (path, other):
        os.utime(each, (1_000_000_000, 1_000_000_000))
    assert path.read_bytes()[:100] == other.read_bytes()[:100]
    database, query = opened(path)
    assert database.row(query, "alice") == ("bob",)
    before = path.stat()
    while path.stat().st_ctime_ns == before.st_ctime_ns:  # till the kernel's clock has ticked
        shutil.copy2(other, path)
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    assert database.row(query, "alice") == ("eve",)


def test_overwritten_in_place(path: Path, tmp_path: Path) -> None:
    """``cp new.db test.db``, where both were made alike: SQLite's own counters are the same."""
    new = create(tmp_path / "new.db", alice="eve")
    database, query = opened(path)
    assert database.row(query, "alice") == ("bob",)
    assert path.stat().st_size == new.stat().st_size
    shutil.copyfile(new, path)
    assert database.row(query, "alice") == ("eve",)
    assert database.row(query, "alice") == ("eve",)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: os.truncate(path, 0),
        lambda path: os.truncate(path, 100),
        lambda path: os.truncate(path, 5000),
        lambda path: path.write_bytes(b"no database at all" * 1000),
        lambda path: path.write_bytes(path.read_bytes()[:4096] + b"\xff" * 300_000),
        lambda path: path.write_bytes(b"\0" * 10_000),
        lambda path: (path.unlink(), path.mkdir()),
        lambda path: (path.unlink(), path.symlink_to(path)),
    ],
    ids=["empty", "a bit", "half", "text", "pages", "zeros", "directory", "loop"],
)
def test_a_file_that_is_spoilt_is_an_error_until_it_is_mended(
    path: Path, tmp_path: Path, spoil: Callable[[Path], object]
) -> None:
    fill(path)
    shutil.copyfile(path, tmp_path / "good.db")
    database, query = opened(path)
    assert database.row(query, "key499") == ("x" * 500,)
    spoil(path)
    for _ in range(2):
        with pytest.raises(Unavailable) as caught:
            database.row(query, "key499")
        assert str(caught.value).startswith(f"{path}: ")
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    (tmp_path / "good.db").replace(path)
    assert database.row(query, "key499") == ("x" * 500,)


@pytest.mark.parametrize(
    "name", ["a b", "a?mode=rwc", "a#b", "%61", "caf\xe9", "\udce9", ":memory:"]
)
def test_a_path_of_any_bytes(tmp_path: Path, name: str) -> None:
    path = create(tmp_path / f"{name}.db", alice="bob")
    database, query = opened(path)
    assert database.row(query, "alice") == ("bob",)


def test_a_relative_path_is_that_of_the_start(
    tmp_path: Path, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    database, query = opened(Path("test.db"))
    assert database.row(query, "alice") == ("bob",)
