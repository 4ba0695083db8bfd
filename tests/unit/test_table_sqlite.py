"""table-sqlite: what smtpd is answered, whatever becomes of the database."""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from opensmtpd import hashes
from opensmtpd.errors import ConfigError, HandlerTimeout
from opensmtpd.meaning import Patterns
from opensmtpd.queries import Service
from opensmtpd.testing import ask
from opensmtpd_tables import sqlite
from opensmtpd_tables.sqlite import Sqlite
from unit.lookups import ID, Talk, answer, check, fetch, hello, lookup, update
from unit.sqlite.files import (
    LOOKUP,
    NEEDS_PROC,
    create,
    descriptors,
    locked,
    put,
    settings,
    write,
)
from unit.table_child import TableChild

PLAIN = [service for service in Service if service is not Service.AUTH]
QUERIES = [f"query_{service} {LOOKUP}" for service in PLAIN] + [
    "fetch_source SELECT value FROM rows"
]
QUERIES[2] = "query_credentials SELECT key, value FROM rows WHERE key = ?"
QUERIES[4] = "query_userinfo SELECT uid, gid, home FROM users WHERE name = ?"
OTHERS = [service for service in PLAIN if service not in (Service.CREDENTIALS, Service.USERINFO)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database with a row."""
    path = create(tmp_path / "test.db", alice="bob")
    write(path, "CREATE TABLE users (name, uid, gid, home)")
    return path


def table(path: Path, *lines: str, check: bool = False) -> Sqlite:
    """Return the table of a database, with a query for each service or with these lines."""
    conf = settings(path, *(lines or QUERIES))
    return Sqlite(argparse.Namespace(path=str(conf), check=check))


def domains(path: Path) -> Sqlite:
    """Return a table of domains with an index of patterns."""
    return table(path, f"query_domain {LOOKUP}", "patterns_domain SELECT key FROM rows")


# --- what the rows say ----------------------------------------------------------------------------


@pytest.mark.parametrize("service", OTHERS)
def test_each_service_has_its_query(path: Path, service: Service) -> None:
    some = table(path)
    assert ask(some, "lookup", service, "Alice") == ("found", "bob")
    assert ask(some, "check", service, "alice") == ("found", "")
    assert ask(some, "lookup", service, "nobody") == ("not-found", "")
    assert ask(some, "check", service, "nobody") == ("not-found", "")


def test_credentials_and_users(path: Path) -> None:
    write(path, "INSERT INTO users VALUES ('alice', 1000, '100', '/home/alice')")
    some = table(path)
    assert ask(some, "lookup", "credentials", "alice") == ("found", "alice:bob")
    assert ask(some, "lookup", "userinfo", "alice") == ("found", "1000:100:/home/alice")
    assert ask(some, "lookup", "credentials", "bob") == ("not-found", "")
    assert ask(some, "lookup", "userinfo", "bob") == ("not-found", "")
    assert ask(some, "check", "userinfo", "alice") == ("found", "")


def test_services(path: Path) -> None:
    assert set(table(path).services) == set(PLAIN)
    with_auth = table(path, "query_auth SELECT key, value FROM rows WHERE key = ?")
    assert set(with_auth.services) == set(Service)
    assert not with_auth.force_auth
    forced = table(
        path, "query_auth SELECT key, value FROM rows WHERE key = ?", "auth_before_7.9 yes"
    )
    assert forced.force_auth
    assert Talk(forced, hello=hello(b"7.6.0")).registered.endswith(
        b"register|auth\nregister|ready\n"
    )


def test_passwords(path: Path) -> None:
    write(path, f"INSERT INTO rows VALUES ('carol', '{hashes.encrypt('PassWord')}')")
    some = table(path, "query_auth SELECT key, value FROM rows WHERE key = ?")
    assert ask(some, "check", "auth", "Carol:PassWord") == ("found", "")
    assert ask(some, "check", "auth", "carol:password") == ("not-found", "")
    assert ask(some, "check", "auth", "nobody:x") == ("not-found", "")
    result, text = ask(some, "check", "auth", "alice:x")
    assert (result, "bob" in text) == ("error", False)


def test_a_service_without_a_query_is_an_error(path: Path) -> None:
    some = table(path, f"query_alias {LOOKUP}")
    conf = path.with_suffix(".conf")
    assert ask(some, "lookup", "domain", "x") == ("error", f"{conf}: no query_domain")
    assert ask(some, "check", "domain", "x") == ("error", f"{conf}: no query_domain")
    assert ask(some, "fetch", "source") == ("error", f"{conf}: no fetch_source")
    assert ask(some, "fetch", "alias") == ("error", f"{conf}: no fetch_alias")
    assert ask(some, "lookup", "alias", "alice") == ("found", "bob")


@pytest.mark.parametrize("service", ["alias", "mailaddrmap"])
def test_all_rows_of_a_list_are_one_value(path: Path, service: str) -> None:
    write(path, "INSERT INTO rows VALUES ('alice', NULL), ('alice', 'carol'), ('alice', '')")
    write(path, "INSERT INTO rows VALUES ('alice', 7), ('none', NULL), ('none', '')")
    some = table(path)
    assert ask(some, "lookup", service, "alice") == ("found", "bob, carol, 7")
    assert ask(some, "lookup", service, "none") == ("not-found", "")
    assert ask(some, "check", service, "none") == ("found", "")
    assert ask(some, "lookup", "string", "alice") == ("found", "bob")


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("NULL", ("not-found", "")),
        ("''", ("not-found", "")),
        ("X''", ("not-found", "")),
        ("0", ("found", "0")),
        ("-7", ("found", "-7")),
        ("9223372036854775807", ("found", "9223372036854775807")),
        ("1.5", ("found", "1.5")),
        ("2.0", ("found", "2.0")),
        ("1.0 / 3", ("found", "0.333333333333333")),
        ("1e100", ("found", "1.0e+100")),
        ("-2.5e-7", ("found", "-2.5e-07")),
        ("9e999", ("found", "Inf")),
        ("-9e999", ("found", "-Inf")),
        ("X'616263'", ("found", "abc")),
        ("X'ff'", ("found", "\udcff")),
        ("CAST(X'ff61' AS TEXT)", ("found", "\udcffa")),
        ("'caf\xe9'", ("found", "caf\xe9")),
        ("'a|b'", ("found", "a|b")),
        ("' '", ("found", " ")),
        ("'a' || char(10) || 'b'", ("error", "the value holds a line end or a NUL")),
        ("'a' || char(13)", ("error", "the value holds a line end or a NUL")),
        ("X'6100'", ("error", "the value holds a line end or a NUL")),
        ("replace(hex(zeroblob(1023)), '0', 'x') || 'x'", ("found", "x" * 2047)),
        (
            "replace(hex(zeroblob(1024)), '0', 'x')",
            ("error", "the value has 2048 bytes, and smtpd takes 2047"),
        ),
    ],
)
@pytest.mark.parametrize("service", ["string", "alias"])
def test_cells(path: Path, service: str, cell: str, said: tuple[str, str]) -> None:
    write(path, f"INSERT INTO rows VALUES ('x', {cell})")
    assert ask(table(path), "lookup", service, "x") == said
    assert ask(table(path), "check", service, "x") == ("found", "")


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ("1000, 100, '/home/x'", ("found", "1000:100:/home/x")),
        ("'1000', X'313030', '/home/x'", ("found", "1000:100:/home/x")),
        ("'root', 100, '/home/x'", ("error", "a uid that is no number")),
        ("1000, 'users', '/home/x'", ("error", "a gid that is no number")),
        ("-1, 100, '/home/x'", ("error", "a uid that is no number")),
        ("'\u0661', 100, '/home/x'", ("error", "a uid that is no number")),
        ("NULL, 100, '/home/x'", ("not-found", "")),
        ("1000, 100, ''", ("not-found", "")),
    ],
)
def test_users(path: Path, cells: str, said: tuple[str, str]) -> None:
    write(path, f"INSERT INTO users VALUES ('x', {cells})")
    assert ask(table(path), "lookup", "userinfo", "x") == said


@pytest.mark.parametrize("cells", ["NULL, 'x'", "'x', NULL", "'', 'x'", "'x', ''"])
def test_half_of_a_pair_is_none(path: Path, cells: str) -> None:
    some = table(path, f"query_credentials SELECT {cells} WHERE ? = 'x'")
    assert ask(some, "lookup", "credentials", "x") == ("not-found", "")
    assert ask(some, "check", "credentials", "x") == ("found", "")


@pytest.mark.parametrize("key", ["a|b", "'; DROP TABLE rows; --", "x" * 1023, "\udcff", "?", ""])
def test_any_key(path: Path, key: str) -> None:
    some = table(path)
    put(path, **{key.lower(): "found it"} if key != "\udcff" else {})
    expected = ("not-found", "") if key == "\udcff" else ("found", "found it")
    assert ask(some, "lookup", "alias", key) == expected
    assert ask(some, "lookup", "alias", "alice") == ("found", "bob")


def test_a_table_that_grew_or_shrank(path: Path) -> None:
    write(path, "CREATE TABLE pairs (user, hash)", "INSERT INTO pairs VALUES ('x', 'y')")
    some = table(path, "query_credentials SELECT * FROM pairs WHERE ? = user")
    write(path, "ALTER TABLE pairs ADD COLUMN more DEFAULT 'z'")
    assert ask(some, "lookup", "credentials", "x") == ("found", "x:y")
    write(path, "ALTER TABLE pairs DROP COLUMN more", "ALTER TABLE pairs DROP COLUMN hash")
    assert ask(some, "lookup", "credentials", "x") == (
        "error",
        "query_credentials gives 1 columns and should give 2",
    )


# --- patterns -------------------------------------------------------------------------------------


def test_wildcards_without_an_index(path: Path) -> None:
    put(path, **{"*.example.org": "x", "10.0.0.0/8": "x", "@example.net": "x"})
    some = table(path)
    assert ask(some, "check", "domain", "a.example.org") == ("found", "")
    assert ask(some, "check", "netaddr", "10.1.2.3") == ("found", "")
    assert ask(some, "check", "mailaddr", "eve@example.net") == ("found", "")
    assert ask(some, "check", "domain", "example.org") == ("not-found", "")
    assert ask(some, "check", "alias", "a.example.org") == ("not-found", "")


def test_patterns_of_all_kinds(path: Path) -> None:
    rows = {"mail*.example.org": "a", "10/8": "b", "@m*.example.net": "c", "^ad+r$": "d"}
    put(path, **rows)
    some = table(
        path,
        *(f"query_{kind} {LOOKUP}" for kind in ("domain", "netaddr", "mailaddr", "regex")),
        *(
            f"patterns_{kind} SELECT key FROM rows WHERE value <> 'bob'"
            for kind in ("domain", "netaddr", "mailaddr", "regex")
        ),
    )
    assert ask(some, "lookup", "domain", "mail7.example.org") == ("found", "a")
    assert ask(some, "lookup", "netaddr", "10.1.2.3") == ("found", "b")
    assert ask(some, "lookup", "mailaddr", "x@mx.example.net") == ("found", "c")
    assert ask(some, "lookup", "regex", "addr") == ("found", "d")
    assert ask(some, "lookup", "regex", "ar") == ("not-found", "")
    assert ask(some, "lookup", "domain", "alice") == ("found", "bob")


def test_another_delimiter_of_tags(path: Path) -> None:
    put(path, **{"eve@example.org": "x"})
    some = table(path, f"query_mailaddr {LOOKUP}", "sub_addr_delim _")
    assert ask(some, "check", "mailaddr", "eve_tag@example.org") == ("found", "")
    assert ask(some, "check", "mailaddr", "eve+tag@example.org") == ("not-found", "")


@pytest.mark.parametrize("journal", ["DELETE", "WAL"])
def test_an_index_is_as_new_as_the_database(path: Path, journal: str) -> None:
    write(path, f"PRAGMA journal_mode = {journal}")
    some = domains(path)
    name = "mail7.example.org"
    assert ask(some, "check", "domain", name) == ("not-found", "")
    put(path, **{"mail*.example.org": "x"})
    assert ask(some, "check", "domain", name) == ("found", "")
    write(path, "DELETE FROM rows")
    assert ask(some, "check", "domain", name) == ("not-found", "")


def test_an_index_of_a_file_that_was_replaced(path: Path, tmp_path: Path) -> None:
    some = domains(path)
    assert ask(some, "check", "domain", "mail7.example.org") == ("not-found", "")
    create(tmp_path / "new.db", **{"mail*.example.org": "x"}).rename(path)
    assert ask(some, "check", "domain", "mail7.example.org") == ("found", "")


class Counted(Patterns):
    """Counts how often an index is made, and fails when it is told to."""

    made = 0
    fails = False

    def __init__(self, service: Service, *more: Any) -> None:
        type(self).made += 1
        if self.fails:
            raise HandlerTimeout("lookup blocked for 5 s")
        super().__init__(service, *more)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> type[Counted]:
    class Mine(Counted):
        pass

    monkeypatch.setattr(sqlite, "Patterns", Mine)
    return Mine


def test_an_index_is_made_once_for_the_same_rows(path: Path, counted: type[Counted]) -> None:
    some = domains(path)
    assert counted.made == 1  # at start
    for _ in range(3):
        ask(some, "check", "domain", "a.example.org")
    write(path, "INSERT INTO users VALUES ('x', 1, 1, '/')")
    ask(some, "check", "domain", "a.example.org")
    assert counted.made == 1
    write(path, "UPDATE rows SET key = key || 'x'")
    ask(some, "check", "domain", "a.example.org")
    assert counted.made == 2


def test_an_index_that_takes_too_long_to_make(
    path: Path, counted: type[Counted], capfd: pytest.CaptureFixture[str]
) -> None:
    put(path, **{"m*.example.org": "x"})
    some = domains(path)
    counted.fails = True
    put(path, **{"n*.example.org": "x"})
    for _ in range(2):  # the old one counts, and is not tried again until the next change
        assert ask(some, "check", "domain", "mm.example.org") == ("found", "")
        assert ask(some, "check", "domain", "nn.example.org") == ("not-found", "")
    assert counted.made == 2
    assert capfd.readouterr().err == (
        'patterns-kept service=domain reason="lookup blocked for 5 s"'
        ' remedy="smtpctl update table"\n'
    )
    counted.fails = False
    assert ask(some, "update") == ("ok", "")
    assert ask(some, "check", "domain", "nn.example.org") == ("found", "")


def test_an_index_when_the_database_is_locked(path: Path) -> None:
    put(path, **{"m*.example.org": "x"})
    some = domains(path)
    with locked(path):
        assert ask(some, "check", "domain", "mm.example.org").result == "error"
    assert ask(some, "check", "domain", "mm.example.org") == ("found", "")


def test_rows_that_are_no_patterns_are_told_of_once(
    path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    put(path, **{"10.0.0.0/99": "x", "bad/": "x", "10.0.0.0/8": "x"})
    some = table(path, f"query_netaddr {LOOKUP}", "patterns_netaddr SELECT key FROM rows")
    for _ in range(3):
        assert ask(some, "check", "netaddr", "10.1.1.1") == ("found", "")
    assert capfd.readouterr().err == "rows-ignored service=netaddr count=2 first=10.0.0.0/99\n"


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
        assert ask(some, "fetch", "source") == ("error", f"{path}: database is locked")
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
        assert ask(some, "update") == ("error", f"{path}: database is locked")
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
    assert descriptors(path) == 1


# --- at start -------------------------------------------------------------------------------------


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize(
    ("line", "number"),
    [
        ("query_domain SELECT", 4),
        ("query_domain SELECT 1, 2", 4),
        ("busy_timeout x", 4),
        ("patterns_regex SELECT key FROM rows WHERE key = ?", 4),
    ],
)
def test_a_configuration_that_cannot_be_used(
    path: Path, line: str, number: int, check: bool
) -> None:
    with pytest.raises(ConfigError) as caught:
        table(path, f"query_alias {LOOKUP}", line, check=check)
    assert str(caught.value).startswith(f"{path.with_suffix('.conf')}:{number}: ")


def test_a_database_that_is_not_there_yet(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "later.db"
    some = table(path, f"query_alias {LOOKUP}")
    assert capfd.readouterr().err == (
        f'database-unavailable reason="{path}: No such file or directory"\n'
    )
    for _ in range(2):
        assert ask(some, "lookup", "alias", "alice") == (
            "error",
            f"{path}: No such file or directory",
        )
    create(path, alice="bob")
    assert ask(some, "lookup", "alias", "alice") == ("found", "bob")
    path.unlink()
    with pytest.raises(ConfigError) as caught:
        table(path, f"query_alias {LOOKUP}", check=True)
    assert str(caught.value) == (
        f"{path.with_suffix('.conf')}:1: {path}: No such file or directory"
    )


def test_a_statement_that_turns_out_to_be_wrong_later(tmp_path: Path) -> None:
    path = tmp_path / "later.db"
    some = table(path, "query_alias SELECT bogus FROM rows WHERE key = ?")
    create(path, alice="bob")
    assert ask(some, "lookup", "alias", "alice") == (
        "error",
        f"{path.with_suffix('.conf')}:3: query_alias: no such column: bogus",
    )


def test_a_database_that_is_locked_at_start(path: Path) -> None:
    with locked(path):
        some = table(path)
    assert ask(some, "lookup", "alias", "alice") == ("found", "bob")


# --- requests sent at once ------------------------------------------------------------------------


def test_they_are_answered_from_one_state(path: Path) -> None:
    class Meddles(Sqlite):
        def lookup(self, service: Service, key: str) -> str | None:
            found = super().lookup(service, key)
            write(path, "UPDATE rows SET value = value || '!'")
            return found

    write(path, "PRAGMA journal_mode = WAL")
    talk = Talk(Meddles(argparse.Namespace(path=str(settings(path, *QUERIES)), check=False)))
    said = talk.say(*[lookup()] * 3)
    assert said == answer(b"found|bob") * 3
    assert talk.say(lookup()) == answer(b"found|bob!!!")
    assert talk.say(lookup()) == answer(b"found|bob!!!!")


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


# --- as a program ---------------------------------------------------------------------------------

MAIN = "from opensmtpd_tables import sqlite\nsqlite.main()\n"
ENDLESS = (
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
    " SELECT i FROM n WHERE i < 0 AND i <> ?"
)


def test_a_query_that_never_ends_is_interrupted(path: Path) -> None:
    conf = settings(
        path, f"query_alias {LOOKUP}", f"query_string {ENDLESS}", "query_source SELECT 1 WHERE ?"
    )
    with TableChild(path.parent, "watchdog.STALL = 0.2\n", str(conf), main=MAIN) as child:
        child.hello()
        child.send(lookup(service=b"string"))
        [line] = child.lines()
        assert line.startswith(answer(b"error|")[:-1])
        child.send(lookup(), check(service=b"string"), lookup(id=b"00000002"))
        first, second, third = child.lines(3)
        assert first == answer(b"found|bob")
        assert second.startswith(answer(b"error|", b"check")[:-1])
        assert third == answer(b"found|bob", id=b"00000002")
        put(path, alice="eve")  # nothing is locked
        child.send(lookup())
        assert child.lines() == [answer(b"found|bob, eve")]
        assert child.end()[:2] == (0, b"")


def test_wildcards_of_a_query_that_never_ends(path: Path) -> None:
    conf = settings(path, f"query_domain {ENDLESS}", f"query_alias {LOOKUP}")
    with TableChild(path.parent, "watchdog.STALL = 0.2\n", str(conf), main=MAIN) as child:
        child.hello()
        child.send(check(b"a.b.c.example.org", b"domain"), lookup())
        first, second = child.lines(2)
        assert first.startswith(answer(b"error|", b"check")[:-1])
        assert second == answer(b"found|bob")


def test_the_program(path: Path) -> None:
    conf = settings(path, *QUERIES)
    with TableChild(path.parent, "", str(conf), main=MAIN) as child:
        registered = child.hello()
        assert registered.count(b"register|") == 13
        assert b"register|auth\n" not in registered
        child.send(lookup(), update(), fetch())
        assert child.lines(3) == [
            answer(b"found|bob"),
            answer(b"ok", b"update"),
            b"fetch-result|%s|found|bob\n" % ID,
        ]
        assert child.end() == (0, b"", "")


def test_the_program_checks(path: Path) -> None:
    conf = settings(path, *QUERIES)
    with TableChild(path.parent, "", "-n", str(conf), main=MAIN) as child:
        assert child.wait() == (0, b"table-sqlite: configuration OK\n", "")
    settings(path, "query_alias SELECT")
    with TableChild(path.parent, "", "-n", str(conf), main=MAIN) as child:
        status, out, log = child.wait()
        assert (status, out) == (1, b"")
        assert log.startswith(f"table-sqlite: {conf}:3: query_alias: ")
