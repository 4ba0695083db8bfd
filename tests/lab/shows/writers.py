"""table-sqlite while real writers change its database: no answer may be older than a commit.

::

    PYTHONPATH=tests .venv/bin/python -m lab.shows.writers --seconds 60

A process commits, aborts changes that have reached the file, renames another database over it,
copies one over it, dies amid a change, and goes through WAL mode; each commit has a number, which
is the value of all rows. Meanwhile a table is asked. Its answer may be no older than the last
commit that had ended before the question, no newer than the last that had begun before the answer,
and never what was not committed. A question that meets a lock, a copy that is under way, or what a
dead writer left may end in an error.
"""

import argparse
import os
import random
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, MutableSequence
from contextlib import closing, contextmanager, suppress
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple, TypeAlias

from opensmtpd._protocol.table.connection import TableConnection
from opensmtpd.backends import rest
from opensmtpd.backends.sqlite.wal.worker import IDLE
from opensmtpd.table import Service
from opensmtpd_tables.sqlite import Sqlite

KEYS = 8
QUESTIONS = 30
"""Between two changes at the least: answers are kept, and asked for again."""
PAUSES = (0.0, 0.0, 0.0005, 0.003, 0.02)
"""Seconds between two changes; the last change of a row of them is followed by a rest."""
AWAKE = 2.0
"""Seconds of questions between two times when there are none."""
HELLO = b"config|smtpd-version|7.9.0\nconfig|protocol|0.1\nconfig|tablename|t\nconfig|ready\n"

BEGUN, DONE, CHANGES, ASKED, STOP = range(5)
Board = MutableSequence[int]
"""What both processes see: the number of the last commit that has begun, that of the last one that
has ended, how many changes were made, how many questions asked, and whether to stop."""


# --- the writer -----------------------------------------------------------------------------------


def open_database(path: Path) -> sqlite3.Connection:
    """Open a database to write to it."""
    connection = sqlite3.connect(path, isolation_level=None, timeout=30)
    connection.execute("PRAGMA synchronous = OFF")
    return connection


def make(path: Path, number: int) -> Path:
    """Make a database whose rows have this number."""
    path.unlink(missing_ok=True)
    with closing(open_database(path)) as connection:
        connection.execute("BEGIN")
        connection.execute("CREATE TABLE rows (key TEXT PRIMARY KEY, value TEXT)")
        connection.execute("CREATE TABLE fill (x)")
        rows = [(f"k{key}", f"v{number}") for key in range(KEYS)]
        connection.executemany("INSERT INTO rows VALUES (?, ?)", rows)
        connection.execute("COMMIT")
    return path


def change(connection: sqlite3.Connection, value: str, spill: bool = False) -> None:
    """Change all rows; with ``spill`` the change reaches the file before it is committed."""
    if spill:
        connection.execute("PRAGMA cache_size = 5")
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("UPDATE rows SET value = ?", (value,))
    if spill:
        connection.executemany("INSERT INTO fill VALUES (zeroblob(3000))", [()] * 60)
        connection.execute("DELETE FROM fill")


def commit(path: Path, number: int) -> bool:
    """Change the rows. Each of these functions returns whether the number counts from now on."""
    with closing(open_database(path)) as connection:
        change(connection, f"v{number}", spill=number % 2 == 0)
        connection.execute("COMMIT")
    return True


def abort(path: Path, number: int) -> bool:
    """Change the rows and undo that, when it has reached the file."""
    with closing(open_database(path)) as connection:
        change(connection, "uncommitted", spill=True)
        connection.execute("ROLLBACK")
    return False


def exchange(path: Path, number: int) -> bool:
    """Rename another database over this one, with the same time of its contents."""
    times = path.stat()
    new = make(path.with_name("new.db"), number)
    os.utime(new, ns=(times.st_atime_ns, times.st_mtime_ns))
    new.rename(path)
    return True


def copy(path: Path, number: int) -> bool:
    """Copy another database over this one, as ``cp -p`` does; nobody is locked out meanwhile."""
    times = path.stat()
    new = make(path.with_name("new.db"), number)
    path.write_bytes(new.read_bytes())
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    return True


def die(path: Path, number: int) -> bool:
    """Die amid a change that has reached the file; somebody else undoes it a little later."""
    child = os.fork()
    if child == 0:
        change(open_database(path), "uncommitted", spill=True)
        os._exit(9)
    os.waitpid(child, 0)
    time.sleep(0.01)
    with closing(open_database(path)) as connection:
        connection.execute("SELECT count(*) FROM rows").fetchone()
    return False


def wal(path: Path, number: int) -> bool:
    """Change the rows in WAL mode, and leave that mode."""
    with closing(open_database(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL").fetchone()
        change(connection, f"v{number}")
        connection.execute("COMMIT")
        for _ in range(3000):  # nobody may have it open, and this does not wait for that
            with suppress(sqlite3.OperationalError):
                connection.execute("PRAGMA journal_mode = DELETE").fetchone()
                return True
            time.sleep(0.01)
    raise AssertionError("WAL mode is not left")


Act: TypeAlias = Callable[[Path, int], bool]
ACTS: dict[str, Act] = {act.__name__: act for act in (commit, abort, exchange, copy, die, wal)}


def write(path: Path, acts: list[str], seed: int, pause: float, board: Board) -> None:
    """Change the database until told to stop. Runs in a process of its own: locks are per process.

    After some changes the table is given ``pause`` seconds, and QUESTIONS to ask.
    """
    dice = random.Random(seed)
    while not board[STOP]:
        act = ACTS[dice.choice(acts)]
        board[BEGUN] = number = board[DONE] + 1
        if act(path, number):
            board[DONE] = number
        board[CHANGES] += 1
        time.sleep(dice.choice((*PAUSES, pause)))
        asked = board[ASKED]
        while board[ASKED] < asked + dice.randrange(QUESTIONS) and not board[STOP]:
            time.sleep(0.0005)


# --- the table ------------------------------------------------------------------------------------


class Counting(Sqlite):
    """Counts what it is asked."""

    asked = 0

    def lookup(self, service: Service, key: str) -> str | None:
        """Return what table-sqlite does."""
        self.asked += 1
        return super().lookup(service, key)


class Result(NamedTuple):
    """What came of it."""

    asked: int
    kept: int
    """Answers that were given without a look into the database."""
    changes: int
    errors: int
    wrong: Counter[str]


@contextmanager
def resting(seconds: float) -> Iterator[None]:
    """Have a database rest so long."""
    usual, rest.REST = rest.REST, seconds
    try:
        yield
    finally:
        rest.REST = usual


def ask(board: Board, connection: TableConnection, dice: random.Random) -> str:
    """Ask for a row; return "", "error", or what is wrong with the answer."""
    oldest, before = board[DONE], board[BEGUN]
    key = dice.randrange(KEYS)
    connection.receive(b"table|0.1|1795335705.1|t|lookup|alias|7f|k%d\n" % key, 0.0)
    said = connection.data_to_send()
    newest = board[BEGUN]
    board[ASKED] += 1
    answer = said.removeprefix(b"lookup-result|7f|").removesuffix(b"\n").decode()
    if answer.startswith("error|"):
        return "error"
    if answer.startswith("found|v") and oldest <= int(answer[7:]) <= newest:
        return ""
    if answer == "not-found" and (before != oldest or newest != oldest):
        return "error"  # half a copy, perhaps
    return f"{answer}, and {oldest} to {newest} are right"


def run(
    folder: Path, acts: list[str], *, rest: float, seed: int, seconds: float = 0, changes: int = 0
) -> Result:
    """Ask for so long, and until so many changes were made, and answers were kept.

    Now and then nothing is asked: WAL mode can be left only when the worker has closed the
    database, for which it waits until there are no questions.
    """
    path = make(folder / "test.db", 0)
    settings = folder / "test.conf"
    settings.write_text(f"dbpath {path}\nquery_alias SELECT value FROM rows WHERE key = ?\n")
    context = get_context("spawn")
    board = context.Array("q", STOP + 1, lock=False)
    writer = context.Process(target=write, args=(path, acts, seed, 2 * rest, board), daemon=True)
    dice, seen = random.Random(seed), Counter[str]()
    with resting(rest):
        table = Counting(argparse.Namespace(path=str(settings), check=False))
        connection = TableConnection(table, log=lambda *_, **__: None)
        connection.receive(HELLO, 0.0)
        connection.data_to_send()
        writer.start()
        try:
            end = time.monotonic() + seconds
            nap = time.monotonic() + AWAKE
            while (
                time.monotonic() < end
                or board[CHANGES] < changes
                or seen.total() - table.asked < changes
            ):
                seen[ask(board, connection, dice)] += 1
                assert writer.is_alive(), "the writer failed"
                if time.monotonic() > nap:
                    time.sleep(3 * IDLE)
                    nap = time.monotonic() + AWAKE
        finally:
            board[STOP] = 1
            writer.join()
    asked, errors = seen.total(), seen.pop("error", 0)
    seen.pop("", 0)
    return Result(asked, asked - table.asked, board[CHANGES], errors, seen)


RESTS = {"copy": 0.3}
"""Seconds that a database rests here, which is shorter than in earnest, so that more is kept; but
for a writer whom no lock keeps from being met halfway."""
REST = 0.05


def storm(seconds: float, seed: int) -> bool:
    """Run each kind of change alone, all together, and all with the rest of every day.

    Returns whether no answer was wrong.
    """
    runs = [([act], RESTS.get(act, REST)) for act in ACTS]
    runs += [(list(ACTS), RESTS["copy"]), (list(ACTS), rest.REST)]
    wrong = 0
    for acts, each in runs:
        with tempfile.TemporaryDirectory() as folder:
            result = run(Path(folder), acts, rest=each, seed=seed, seconds=seconds / len(runs))
        wrong += result.wrong.total()
        print(
            f"writers: {' '.join(acts)}, rest {each:g} s: asked {result.asked}, from memory"
            f" {result.kept}, changes {result.changes}, errors {result.errors},"
            f" wrong {result.wrong.total()}",
            *(f"({answer})" for answer in list(result.wrong)[:3]),
            flush=True,
        )
    return wrong == 0


def main() -> int:
    """Run them for some time."""
    parser = argparse.ArgumentParser(description="Ask table-sqlite while others write.")
    parser.add_argument("--seconds", type=float, default=60, help="in all")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    chosen = parser.parse_args()
    return 0 if storm(chosen.seconds, chosen.seed) else 1


if __name__ == "__main__":
    sys.exit(main())
