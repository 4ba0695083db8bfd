"""The file of a database: locked as SQLite locks it, and refused where it must not be read."""

import errno
import fcntl
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NoReturn

import pytest

from opensmtpd.backends.sqlite.file import RESERVED, DatabaseFile, _is_locked
from opensmtpd.errors import Unavailable
from unit.support.sqlite_files import NEEDS_PROC, create, fill, opened, write, write_elsewhere


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database with a row."""
    return create(tmp_path / "test.db", alice="bob")


def beside(path: Path, name: str) -> Path:
    return path.with_name(f"{path.name}-{name}")


# --- locks ----------------------------------------------------------------------------------------

CHANGE = "UPDATE rows SET value = 'eve'"


def test_no_other_program_changes_it_while_it_is_locked(path: Path) -> None:
    file = DatabaseFile(str(path), 0)
    file.lock()
    assert write_elsewhere(path, CHANGE) == "database is locked"
    assert write_elsewhere(path, "SELECT * FROM rows") == ""
    file.unlock()
    assert write_elsewhere(path, CHANGE) == ""
    file.close()
    file.unlock()  # there is none, and nothing to do


def test_nor_its_journal_mode(path: Path) -> None:
    file = DatabaseFile(str(path), 0)
    file.lock()
    assert write_elsewhere(path, "PRAGMA journal_mode = WAL") == "database is locked"
    file.unlock()
    file.close()


@pytest.mark.parametrize(
    ("statements", "free"),
    [
        (["BEGIN"], True),
        (["BEGIN", "SELECT * FROM rows"], True),
        (["BEGIN IMMEDIATE"], True),
        (["BEGIN IMMEDIATE", CHANGE], True),
        (["BEGIN EXCLUSIVE"], False),
    ],
)
def test_others_lock_it_as_sqlite_does(path: Path, statements: list[str], free: bool) -> None:
    file = DatabaseFile(str(path), 0.01)
    with doing(path, *statements):
        if free:
            file.lock()
        else:
            with pytest.raises(Unavailable, match="database is locked"):
                file.lock()
        file.unlock()
    file.lock()
    file.close()


def test_a_writer_who_waits_for_readers_to_leave_goes_first(path: Path) -> None:
    """It has the lock PENDING then."""
    first, second = DatabaseFile(str(path), 0), DatabaseFile(str(path), 0)
    first.lock()
    with doing(path, "BEGIN IMMEDIATE", CHANGE, "COMMIT"):
        with pytest.raises(Unavailable, match="database is locked"):
            second.lock()
        first.unlock()
    second.close()
    first.close()


def test_one_without_a_journal_goes_between_two_readers(path: Path) -> None:
    first, second = DatabaseFile(str(path), 0), DatabaseFile(str(path), 0)
    first.lock()
    with doing(path, "PRAGMA journal_mode = MEMORY", "BEGIN IMMEDIATE", CHANGE, "COMMIT"):
        second.lock()
        first.unlock()
    second.close()
    first.close()


@contextmanager
def doing(path: Path, *statements: str) -> Iterator[None]:
    """Have another process run statements, and stay there."""
    source = (
        "import sqlite3, sys\n"
        "connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=0)\n"
        "for statement in sys.argv[2:]:\n"
        "    try:\n"
        "        connection.execute(statement).fetchone()\n"
        "    except sqlite3.OperationalError as error:\n"
        "        assert str(error) == 'database is locked'\n"
        "print('done', flush=True)\n"
        "sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", source, str(path), *statements]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"done\n"
        yield
        process.communicate()


def test_nobody_ever_takes_us_for_a_writer(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite would not undo a change that a dead writer left half done, and go on with that."""
    lockf, seen = fcntl.lockf, []

    def looked_at(*given: int) -> None:
        lockf(*given)
        if (child := os.fork()) == 0:  # the locks are the parent's
            with path.open("r+b") as file:
                os._exit(_is_locked(file.fileno(), RESERVED))
        seen.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))

    monkeypatch.setattr(fcntl, "lockf", looked_at)
    beside(path, "journal").write_bytes(b"\xd9 and more")
    file = DatabaseFile(str(path), 0)
    with pytest.raises(Unavailable, match="left its journal"):
        file.state(file.lock())
    file.close()
    assert len(seen) >= 3
    assert set(seen) == {0}


def test_where_the_system_does_not_tell_a_writer_may_be_at_work(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> NoReturn:
        raise OSError(errno.ENOLCK, "No locks available")

    beside(path, "journal").write_bytes(b"\xd9 and more")
    file = DatabaseFile(str(path), 0)
    monkeypatch.setattr(fcntl, "fcntl", refuse)
    file.state(file.lock())
    file.close()


def test_a_writer_who_is_at_work_is_seen(path: Path) -> None:
    file = DatabaseFile(str(path), 0)
    with doing(path, "PRAGMA cache_size = 1", "BEGIN IMMEDIATE", CHANGE):
        file.lock()
        assert _is_locked(file._descriptor, RESERVED)
        file.unlock()
    file.lock()
    assert not _is_locked(file._descriptor, RESERVED)
    file.close()


def test_the_state_is_another_one_after_each_change(path: Path, tmp_path: Path) -> None:
    file = DatabaseFile(str(path), 0)
    seen = [file.state(file.lock())]
    assert file.state(file.lock()) == seen[0]
    file.unlock()
    times = path.stat().st_atime_ns, path.stat().st_mtime_ns

    def change_in_one_tick() -> None:
        assert write_elsewhere(path, CHANGE) == ""
        os.utime(path, ns=times)

    changes: list[Callable[[], object]] = [
        change_in_one_tick,
        lambda: shutil.copyfile(create(tmp_path / "copy.db", alice="eve"), path),
        lambda: create(tmp_path / "new.db").rename(path),
        lambda: os.truncate(path, 5000),
    ]
    for change in changes:
        change()
        seen.append(file.state(file.lock()))
        file.unlock()
    assert len(set(seen)) == len(changes) + 1
    file.close()


# --- WAL mode -------------------------------------------------------------------------------------


def refusal(path: Path) -> str:
    """Return why a database is not read."""
    database, query = opened(path)
    with pytest.raises(Unavailable) as caught:
        database.row(query, "alice")
    database.close()
    return str(caught.value)


def wal_text(path: Path) -> str:
    return (
        f"{path}: it is in WAL mode, which is not read here;"
        f" PRAGMA journal_mode=DELETE by its owner, {path.owner()}, ends that"
    )


def test_a_database_in_wal_mode(path: Path) -> None:
    write(path, "PRAGMA journal_mode = WAL")
    assert not beside(path, "wal").exists()
    assert refusal(path) == wal_text(path)
    write(path, "PRAGMA journal_mode=DELETE")
    database, query = opened(path)
    assert database.row(query, "alice") == ("bob",)


@pytest.mark.parametrize("offset", [18, 19])
def test_each_of_both_bytes_counts(path: Path, offset: int) -> None:
    data = bytearray(path.read_bytes())
    data[offset] = 2
    path.write_bytes(data)
    assert refusal(path) == wal_text(path)


def test_a_log_beside_it_counts_as_it_does_for_sqlite(path: Path) -> None:
    """Whatever the header says, those who write would write there."""
    beside(path, "wal").write_bytes(b"\0")
    assert refusal(path) == wal_text(path)


def test_a_log_that_is_empty_does_not(path: Path) -> None:
    beside(path, "wal").touch()
    database, query = opened(path)
    assert database.row(query, "alice") == ("bob",)


@NEEDS_PROC
def test_nothing_is_mapped_before_or_after_a_switch(path: Path) -> None:
    database, query = opened(path)
    assert database.row(query, "alice") == ("bob",)
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute("INSERT INTO rows VALUES ('carol', 'dave')")
        for _ in range(2):
            with pytest.raises(Unavailable, match="WAL mode"):
                database.row(query, "alice")
            with database.snapshot(), pytest.raises(Unavailable, match="WAL mode"):
                database.row(query, "alice")
    write(path, "PRAGMA journal_mode = DELETE")
    assert database.row(query, "carol") == ("dave",)


SERVED = """
import os, sqlite3, sys
from opensmtpd.backends.sqlite import config
from opensmtpd.backends.sqlite.database import Database
from opensmtpd.errors import Unavailable

read = config.read(sys.argv[1])
database, query = Database(read), read.statements["query_alias"]
print(database.row(query, "alice"), flush=True)
sys.stdin.readline()
for _ in range(3):
    try:
        print(database.row(query, "alice"))
    except Unavailable as error:
        print(str(error).split("; ")[0].split(": ")[1])
with open("/proc/self/maps") as maps:
    print("mapped" if "test.db" in maps.read() else "not mapped")
"""


@NEEDS_PROC
def test_a_switch_while_another_process_asks(path: Path) -> None:
    """It would be killed by SIGBUS where -shm was mapped, as it is truncated."""
    database, _ = opened(path)
    conf = database.config.path
    command = [sys.executable, "-c", SERVED, conf]
    with (
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process,
        closing(sqlite3.connect(path, isolation_level=None)) as writer,
    ):
        assert process.stdout is not None
        assert process.stdout.readline() == "('bob',)\n"
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute("INSERT INTO rows VALUES ('carol', 'dave')")
        with open(beside(path, "shm"), "rb") as shm:
            assert len(shm.read()) > 0
        out, _ = process.communicate("\n")
        refused = "it is in WAL mode, which is not read here\n"
        assert (process.returncode, out) == (0, refused * 3 + "not mapped\n")


# --- journals -------------------------------------------------------------------------------------


def leave_a_journal(path: Path) -> None:
    """Have a writer die in the middle of a change."""
    source = (
        "import os, sqlite3, sys\n"
        "connection = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "connection.execute('PRAGMA cache_size = 1')\n"
        "connection.execute('BEGIN')\n"
        "connection.execute(\"UPDATE rows SET value = 'half'\")\n"
        "for number in range(2000):\n"
        "    connection.execute(\"INSERT INTO rows VALUES (?, 'x')\", (number,))\n"
        "os._exit(0)\n"
    )
    subprocess.run([sys.executable, "-c", source, str(path)], check=True)
    assert beside(path, "journal").stat().st_size


def test_a_change_that_is_half_done_is_not_read(path: Path) -> None:
    database, query = opened(path)
    assert database.row(query, "alice") == ("bob",)
    leave_a_journal(path)
    for _ in range(2):
        with pytest.raises(Unavailable) as caught:
            database.row(query, "alice")
        assert str(caught.value) == (
            f"{path}: a writer was interrupted, and left its journal;"
            f" any SELECT by its owner, {path.owner()}, ends that"
        )
    write(path, "SELECT 1 FROM sqlite_master")
    assert not beside(path, "journal").exists()
    assert database.row(query, "alice") == ("bob",)


def test_a_writers_journal_is_none_of_that(path: Path) -> None:
    database, query = opened(path)
    with doing(path, "BEGIN IMMEDIATE", CHANGE):
        assert beside(path, "journal").exists()
        assert database.row(query, "alice") == ("bob",)


@pytest.mark.parametrize("name", ["journal", "wal", "shm"])
@pytest.mark.parametrize(
    "make",
    [
        os.mkfifo,
        os.mkdir,
        lambda name: os.symlink(name, name),
        lambda name: os.symlink("/dev/zero", name),
        lambda name: Path(name).touch(),
    ],
    ids=["FIFO", "directory", "loop", "device", "empty"],
)
def test_what_no_writer_makes_holds_up_nobody(
    path: Path, name: str, make: Callable[[str], object]
) -> None:
    database, query = opened(path)
    assert database.row(query, "alice") == ("bob",)
    make(str(beside(path, name)))
    assert ask_or_say_why(path) == "('bob',)"
    os.utime(path, (0, 0))
    assert database.row(query, "alice") == ("bob",)


def ask_or_say_why(path: Path) -> str:
    database, query = opened(path)
    try:
        return repr(database.row(query, "alice"))
    except Unavailable as error:
        return str(error)


@pytest.mark.parametrize("size", [0, 100, 1000, 5000])
def test_a_file_that_is_truncated_while_it_is_locked(path: Path, size: int) -> None:
    fill(path)
    good = path.read_bytes()
    database, query = opened(path)
    with database.snapshot():
        assert database.row(query, "key1") == ("x" * 500,)
        os.truncate(path, size)
        database.close()
        for _ in range(2):
            with pytest.raises(Unavailable):
                database.row(query, "key499")
    path.write_bytes(good)
    assert database.row(query, "key499") == ("x" * 500,)


# --- what cannot be opened ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (os.mkfifo, "a FIFO, not a regular file; name a regular file"),
        (os.mkdir, "a directory, not a regular file; name a regular file"),
        (lambda name: os.symlink("/dev/zero", name), "a device, not a regular file"),
        (
            lambda name: os.symlink(name, name),
            "cannot read it: Too many levels of symbolic links; correct the path",
        ),
        pytest.param(  # as from a disk that fails
            lambda name: os.symlink("/proc/self/mem", name),
            "cannot read it: Input/output error; see the system's log for the disk that it is on",
            marks=NEEDS_PROC,
        ),
    ],
    ids=["FIFO", "directory", "device", "loop", "failing"],
)
def test_in_the_place_of_the_database(path: Path, make: Callable[[str], object], text: str) -> None:
    database, query = opened(path)
    assert database.row(query, "alice") == ("bob",)
    away = path.rename(path.with_name("away"))
    make(str(path))
    for some in (database, opened(path)[0]):
        with pytest.raises(Unavailable) as caught:
            some.row(query, "alice")
        assert str(caught.value).startswith(f"{path}: {text}")
    if path.is_dir():
        path.rmdir()
    away.replace(path)
    assert database.row(query, "alice") == ("bob",)


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
def test_whom_to_let_in(path: Path) -> None:
    """Both the directory and the user are named."""
    path.parent.chmod(0o700)
    os.seteuid(65534)
    try:
        text = refusal_alone(path)
    finally:
        os.seteuid(0)
    assert text.startswith(f"{path}: cannot read it: Permission denied; let user nobody enter ")


def refusal_alone(path: Path) -> str:
    file = DatabaseFile(str(path), 0)
    with pytest.raises(Unavailable) as caught:
        file.lock()
    return str(caught.value)
