"""table-sqlite: lists that are taken in turn, updates, requests sent at once."""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from opensmtpd.table import Service
from opensmtpd.testing import ask
from opensmtpd_tables.sqlite import Sqlite
from unit.support.lookups import Talk, answer, check, fetch, lookup, update
from unit.support.sqlite_files import (
    LOOKUP,
    NEEDS_PROC,
    create,
    descriptors,
    locked,
    put,
    settings,
    write,
    write_elsewhere,
)
from unit.support.sqlite_served import QUERIES, domains, populated, table


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return populated(tmp_path)


LOCKED = "database is locked; another program changes it; busy_timeout says how long to wait"

# --- fetch ----------------------------------------------------------------------------------------

SOURCES = ("query_alias SELECT 1 WHERE ?", "fetch_source SELECT value FROM rows")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the time, to be set."""
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def fetched(some: Sqlite, count: int) -> list[str | None]:
    return [some.fetch(Service.SOURCE) for _ in range(count)]


def test_sources_come_in_turn_each_once_in_the_order_of_their_bytes(path: Path) -> None:
    write(path, "DELETE FROM rows")
    cells = ["'b'", "'\xe9'", "'a'", "X'ff'", "'\U0001f600'", "'b'", "NULL", "''", "'B'", "10", "9"]
    write(path, "INSERT INTO rows VALUES " + ", ".join(f"(1, {cell})" for cell in cells))
    some = table(path, *SOURCES)
    values = ["10", "9", "B", "a", "b", "\xe9", "\U0001f600", "\udcff"]
    assert fetched(some, 9) == [*values, "10"]
    assert ask(some, "fetch", "source") == ("found", "9")


def test_nothing_to_fetch(path: Path) -> None:
    write(path, "DELETE FROM rows")
    some = table(path, *SOURCES)
    assert ask(some, "fetch", "source") == ("not-found", "")
    assert ask(some, "fetch", "source") == ("not-found", "")


def test_sources_are_read_again_after_so_many_seconds(path: Path, clock: list[float]) -> None:
    put(path, x="c")
    some = table(path, *SOURCES, "fetch_source_expire 30")
    assert fetched(some, 1) == ["bob"]
    write(path, "INSERT INTO rows VALUES ('y', 'a')")
    clock[0] += 29.9
    assert fetched(some, 2) == ["c", "bob"]
    clock[0] += 0.1
    assert fetched(some, 4) == ["a", "bob", "c", "a"]


def test_sources_are_read_again_after_so_many_calls(path: Path, clock: list[float]) -> None:
    put(path, x="c")
    some = table(path, *SOURCES, "fetch_source_refresh 3")
    assert fetched(some, 2) == ["bob", "c"]
    write(path, "INSERT INTO rows VALUES ('y', 'a')")
    assert fetched(some, 5) == ["bob", "a", "bob", "c", "a"]


@pytest.mark.parametrize("line", ["fetch_source_refresh 0", "fetch_source_expire 0"])
def test_sources_that_are_read_each_time(path: Path, line: str) -> None:
    put(path, x="c")
    assert fetched(table(path, *SOURCES, line), 3) == ["bob", "bob", "bob"]


def test_sources_when_the_database_cannot_be_read(path: Path, clock: list[float]) -> None:
    some = table(path, *SOURCES)
    assert fetched(some, 1) == ["bob"]
    clock[0] += 60
    with locked(path):
        assert ask(some, "fetch", "source") == ("error", f"{path}: {LOCKED}")
    assert ask(some, "fetch", "source") == ("found", "bob")


def test_relays_have_a_turn_of_their_own(path: Path) -> None:
    write(path, "DELETE FROM rows")
    put(path, a="smtp://a", b="smtp://b")
    some = table(path, *SOURCES, "fetch_relayhost SELECT value FROM rows")
    assert ask(some, "fetch", "source") == ("found", "smtp://a")
    assert ask(some, "fetch", "relayhost") == ("found", "smtp://a")
    assert ask(some, "fetch", "relayhost") == ("found", "smtp://b")
    assert ask(some, "fetch", "source") == ("found", "smtp://b")


# --- update ---------------------------------------------------------------------------------------


def test_update_reads_the_configuration_anew(path: Path, tmp_path: Path) -> None:
    some = table(path, *QUERIES)
    other = create(tmp_path / "other.db", alice="eve", x="c")
    ask(some, "fetch", "source")
    path.with_suffix(".conf").write_text(
        f"dbpath {other}\nquery_alias SELECT value || '!' FROM rows WHERE key = ?\n"
        "fetch_source SELECT value FROM rows\nsub_addr_delim -\n"
    )
    assert ask(some, "lookup", "alias", "alice") == ("found", "bob")
    assert ask(some, "update") == ("ok", "")
    assert ask(some, "lookup", "alias", "alice") == ("found", "eve!")
    assert ask(some, "lookup", "domain", "alice").result == "error"
    assert ask(some, "fetch", "source") == ("found", "c")
    assert some.delimiter == "-"


BAD_UPDATES: dict[str, Callable[[Path], object]] = {
    "a file that is gone": lambda path: path.with_suffix(".conf").unlink(),
    "a line that is wrong": lambda path: settings(path, *QUERIES, "busy_timeout soon"),
    "no query": settings,
    "SQL that is wrong": lambda path: settings(path, *QUERIES[:-1], "fetch_source SELECT"),
    "too many columns": lambda path: settings(path, "query_alias SELECT 1, 2"),
    "patterns that cannot be read": lambda path: settings(
        path, *QUERIES, "patterns_domain SELECT abs(-9223372036854775807 - 1)"),
    "no database": lambda path: settings(path.with_name("none.db"), *QUERIES)
    .rename(path.with_suffix(".conf")),
}  # fmt: skip


@pytest.mark.parametrize("act", BAD_UPDATES.values(), ids=BAD_UPDATES)
def test_an_update_that_fails_says_so_and_keeps_the_old(
    path: Path, act: Callable[[Path], object]
) -> None:
    put(path, x="c")
    some = table(path)
    assert ask(some, "fetch", "source") == ("found", "bob")
    act(path)
    result, text = ask(some, "update")
    assert result == "error"
    assert text.startswith(str(path.parent))
    assert ask(some, "lookup", "alias", "alice") == ("found", "bob")
    assert ask(some, "fetch", "source") == ("found", "c")
    settings(path, *QUERIES)
    assert ask(some, "update") == ("ok", "")


def test_an_update_while_the_database_is_locked(path: Path) -> None:
    some = table(path)
    with locked(path):
        assert ask(some, "update") == ("error", f"{path}: {LOCKED}")
    assert ask(some, "lookup", "alias", "alice") == ("found", "bob")
    assert ask(some, "update") == ("ok", "")


@NEEDS_PROC
@pytest.mark.parametrize("good", [True, False], ids=["good", "bad"])
def test_updates_leave_no_descriptor_behind(path: Path, good: bool) -> None:
    some = table(path)
    ask(some, "lookup", "alias", "alice")
    if not good:
        settings(path, *QUERIES, "patterns_domain SELECT bogus FROM rows")
    for _ in range(5):
        assert ask(some, "update").result == ("ok" if good else "error")
        ask(some, "lookup", "alias", "alice")
    assert descriptors(path) == 2  # ours and SQLite's


# --- requests sent at once ------------------------------------------------------------------------


def test_they_are_answered_from_one_state(path: Path) -> None:
    class Meddles(Sqlite):
        def lookup(self, service: Service, key: str) -> str | None:
            found = super().lookup(service, key)
            refused.append(write_elsewhere(path, change))
            return found

    change = "UPDATE rows SET value = value || '!'"
    refused: list[str] = []
    talk = Talk(Meddles(argparse.Namespace(path=str(settings(path, *QUERIES)), check=False)))
    said = talk.say(*[lookup()] * 3)
    assert said == answer(b"found|bob") * 3
    for marks in (b"", b"!", b"!!"):  # between two requests it can be changed
        assert talk.say(lookup()) == answer(b"found|bob" + marks)
        assert write_elsewhere(path, change) == ""
    assert refused == ["database is locked"] * 6


@pytest.mark.parametrize("bad", [lookup(service=b"regex"), fetch(b"relayhost"), update()])
def test_afterwards_the_database_is_free(path: Path, bad: bytes) -> None:
    talk = Talk(table(path, f"query_alias {LOOKUP}", f"query_domain {LOOKUP}"))
    said = talk.say(lookup(), bad, check(b"a.b.c", b"domain"), lookup())
    assert said.startswith(answer(b"found|bob"))
    assert said.endswith(answer(b"not-found", b"check") + answer(b"found|bob"))
    write(path, "DELETE FROM rows")
    assert talk.say(lookup()) == answer(b"not-found")


def test_an_index_in_the_midst_of_it(path: Path) -> None:
    talk = Talk(domains(path))
    for name, text in ((b"mail*.example.org", b"found"), (b"x*.example.org", b"not-found")):
        put(path, **{name.decode(): "x"})
        said = talk.say(check(b"alice", b"domain"), *[check(b"mail7.example.org", b"domain")] * 2)
        assert said == answer(b"found", b"check") + answer(text, b"check") * 2
        write(path, f"DELETE FROM rows WHERE key = '{name.decode()}'")
