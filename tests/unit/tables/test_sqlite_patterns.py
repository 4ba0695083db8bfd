"""table-sqlite: wildcards and their index."""

from pathlib import Path
from typing import Any

import pytest

from opensmtpd.backends.sql import patterns as patterns_module
from opensmtpd.backends.sqlite.reader import Reader
from opensmtpd.errors import HandlerTimeout, Unavailable
from opensmtpd.table import Patterns, Service
from opensmtpd.testing import ask
from unit.support.sqlite_files import LOOKUP, create, locked, put, write, write_elsewhere
from unit.support.sqlite_served import domains, populated, table


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return populated(tmp_path)


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


def test_no_writer_waits_while_patterns_are_read_or_matched(path: Path) -> None:
    put(path, **{"10/8": "b"})
    some = table(path, f"query_netaddr {LOOKUP}", "patterns_netaddr SELECT key FROM rows",
                 f"query_alias {LOOKUP}")  # fmt: skip
    change = "INSERT INTO rows VALUES ('new', 'row')"
    with some.hold(Service.ALIAS):
        assert write_elsewhere(path, change) == "database is locked"
    for _ in range(2):  # the index is to be made anew, and it is there
        with some.hold(Service.NETADDR):
            assert some.check(Service.NETADDR, "10/8")
            index = some.patterns(Service.NETADDR)
            assert write_elsewhere(path, change) == ""
            assert index is not None
            assert index.find("10.1.2.3") == "10/8"
    assert write_elsewhere(path, change) == ""


def test_no_writer_waits_for_regular_expressions_at_all(path: Path) -> None:
    put(path, **{"^ad+r$": "d"})
    some = table(path, f"query_regex {LOOKUP}", "patterns_regex SELECT key FROM rows")
    with some.hold(Service.REGEX):
        assert write_elsewhere(path, "INSERT INTO rows VALUES ('new', 'row')") == ""


def test_to_let_go_for_patterns_ends_no_snapshot(path: Path) -> None:
    put(path, **{"10/8": "b"})
    some = table(path, f"query_netaddr {LOOKUP}", "patterns_netaddr SELECT key FROM rows")
    with some.snapshot():
        with some.hold(Service.NETADDR):
            some.patterns(Service.NETADDR)
        assert write_elsewhere(path, "DELETE FROM rows") == "database is locked"
        assert some.check(Service.NETADDR, "10/8")
    assert write_elsewhere(path, "DELETE FROM rows") == ""


def test_another_delimiter_of_tags(path: Path) -> None:
    put(path, **{"eve@example.org": "x"})
    some = table(path, f"query_mailaddr {LOOKUP}", "sub_addr_delim _")
    assert ask(some, "check", "mailaddr", "eve_tag@example.org") == ("found", "")
    assert ask(some, "check", "mailaddr", "eve+tag@example.org") == ("not-found", "")


@pytest.mark.parametrize("journal", ["DELETE", "TRUNCATE"])
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

    monkeypatch.setattr(patterns_module, "Patterns", Mine)
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


def test_rows_that_take_too_long_to_read(path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The old index counts, and only the next change makes mail wait again."""
    put(path, **{"m*.example.org": "x"})
    some = domains(path)
    write(path, "ALTER TABLE rows RENAME TO others")
    endless = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
        " SELECT key, value FROM others UNION ALL SELECT i, NULL FROM n WHERE i < 0"
    )
    write(path, f"CREATE VIEW rows(key, value) AS {endless}")
    for _ in range(2):
        with some.snapshot():
            kept = some.patterns(Service.DOMAIN)
        assert kept is not None
        assert kept.find("mm.example.org") == "m*.example.org"
    log = capfd.readouterr().err
    assert log.count("patterns-kept service=domain") == 1
    assert f"{path}: patterns_domain: it takes longer than 2 s; an index may help" in log
    write(path, "DROP VIEW rows", "ALTER TABLE others RENAME TO rows")
    assert ask(some, "check", "domain", "mm.example.org") == ("found", "")


def test_an_index_when_the_database_is_locked(path: Path) -> None:
    put(path, **{"m*.example.org": "x"})
    some = domains(path)
    with locked(path):
        assert ask(some, "check", "domain", "mm.example.org").result == "error"
    assert ask(some, "check", "domain", "mm.example.org") == ("found", "")


def test_a_lock_after_a_query_that_took_too_long(
    path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A lock is over some time: it is no reason to keep old patterns until the next change."""
    put(path, **{"m*.example.org": "x"})
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n"
    some = table(path, f"query_domain {LOOKUP}", "patterns_domain SELECT key FROM rows",
                 f"query_alias {endless} WHERE i < 0 AND i <> ?")  # fmt: skip
    assert ask(some, "lookup", "alias", "alice").result == "error"
    write(path, "UPDATE rows SET key = 'n*.example.org'")
    database = some.state.database
    with monkeypatch.context() as patch:

        def all_rows(*arguments: Any) -> Any:
            with locked(path):  # by a writer who comes when the version has been read
                return Reader.all_rows(database, *arguments)

        patch.setattr(database, "all_rows", all_rows)
        with pytest.raises(Unavailable, match="database is locked"):
            some.patterns(Service.DOMAIN)
    assert ask(some, "check", "domain", "nn.example.org") == ("found", "")
    assert ask(some, "check", "domain", "mm.example.org") == ("not-found", "")
    assert "patterns-kept" not in capfd.readouterr().err


def test_rows_that_are_no_patterns_are_told_of_once(
    path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    put(path, **{"10.0.0.0/99": "x", "bad/": "x", "10.0.0.0/8": "x"})
    some = table(path, f"query_netaddr {LOOKUP}", "patterns_netaddr SELECT key FROM rows")
    for _ in range(3):
        assert ask(some, "check", "netaddr", "10.1.1.1") == ("found", "")
    assert capfd.readouterr().err == (
        f"rows-ignored path={path.with_name('test.conf')} service=netaddr count=2"
        ' first=10.0.0.0/99 reason="no network"\n'
    )


def test_regular_expressions_are_compiled_by_updates_only(
    path: Path, counted: type[Counted], capfd: pytest.CaptureFixture[str]
) -> None:
    put(path, **{"^spam": "x", "(a{99}){99}": "x"})
    some = table(path, f"query_regex {LOOKUP}", "patterns_regex SELECT key FROM rows")
    assert counted.made == 1
    assert ' first=(a{99}){99} reason="with its repeats written out,' in capfd.readouterr().err
    put(path, **{"^ham": "x"})
    assert ask(some, "check", "regex", "ham@example.org") == ("not-found", "")
    assert ask(some, "check", "regex", "spam@example.org") == ("found", "")
    assert counted.made == 1
    assert ask(some, "update") == ("ok", "")
    assert ask(some, "check", "regex", "ham@example.org") == ("found", "")
    assert counted.made == 2
