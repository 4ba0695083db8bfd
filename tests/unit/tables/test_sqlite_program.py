"""table-sqlite as a program."""

from pathlib import Path

import pytest

from unit.support.lookups import ID, answer, check, fetch, lookup, update
from unit.support.processes import CHECKED
from unit.support.sqlite_files import LOOKUP, put, settings
from unit.support.sqlite_served import QUERIES, populated
from unit.support.table_child import TableChild


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return populated(tmp_path)


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
        assert child.wait() == (0, f"table-sqlite: {CHECKED}\n".encode(), "")
    settings(path, "query_alias SELECT")
    with TableChild(path.parent, "", "-n", str(conf), main=MAIN) as child:
        status, out, log = child.wait()
        assert (status, out) == (1, b"")
        assert log.startswith(f"table-sqlite: {conf}:3: query_alias: ")
