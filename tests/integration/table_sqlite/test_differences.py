"""Where table-sqlite and the C original differ, and why: both are held to what they do.

The manual page lists the same under CAVEATS.
"""

import os
from pathlib import Path

import pytest

from integration.support.table_pair import (
    ONE_COLUMN,
    SERVICES,
    Both,
    connect,
    insert,
    kind,
    lay_out,
)
from lab.peers.table_client import Died, Illegal, TableClient, original, ours

SIGSEGV = -11
# --- cells --------------------------------------------------------------------------------------


@pytest.mark.parametrize("service", ONE_COLUMN)
def test_null_ends_it(trixie_root: Path, tmp_path: Path, service: str) -> None:
    conf = lay_out(tmp_path)
    insert(tmp_path, service, None)
    with Both(trixie_root, conf) as both:
        with pytest.raises(Died) as died:
            both.theirs.lookup(service, b"k")
        assert died.value.args == (SIGSEGV,)
        assert both.ours.lookup(service, b"k") == b"not-found"
        assert both.ours.check(service, b"k") == b"found"


def test_null_among_aliases_ends_it(trixie_root: Path, tmp_path: Path) -> None:
    conf = lay_out(tmp_path)
    insert(tmp_path, "alias", "a", None, "", "b")
    with Both(trixie_root, conf) as both:
        with pytest.raises(Died):
            both.theirs.lookup("alias", b"k")
        assert both.ours.lookup("alias", b"k") == b"found|a, b"


@pytest.mark.parametrize("service", ONE_COLUMN)
def test_an_empty_cell_ends_smtpd(trixie_root: Path, tmp_path: Path, service: str) -> None:
    conf = lay_out(tmp_path)
    insert(tmp_path, service, "")
    with Both(trixie_root, conf) as both:
        with pytest.raises(Illegal, match=r"found\|'"):
            both.theirs.lookup(service, b"k")
        assert both.ours.lookup(service, b"k") == b"not-found"


@pytest.mark.parametrize(
    ("service", "cell", "theirs"),
    [
        ("credentials", None, b"found|(null):hash"),
        ("credentials", "", b"found|:hash"),
        ("userinfo", None, b"found|1:2:(null)"),
        ("userinfo", "", b"found|1:2:"),
    ],
)
def test_half_a_row(
    trixie_root: Path, tmp_path: Path, service: str, cell: object, theirs: bytes
) -> None:
    conf = lay_out(tmp_path)
    insert(tmp_path, service, cell)
    with Both(trixie_root, conf) as both:
        assert both.theirs.lookup(service, b"k") == theirs
        assert both.ours.lookup(service, b"k") == b"not-found"


@pytest.mark.parametrize("service", SERVICES)
def test_a_line_feed_ends_smtpd(trixie_root: Path, tmp_path: Path, service: str) -> None:
    conf = lay_out(tmp_path)
    insert(tmp_path, service, "one\ntwo")
    with Both(trixie_root, conf) as both:
        assert both.theirs.lookup(service, b"k").endswith(b"one")
        with pytest.raises(Illegal, match="two"):
            both.theirs.lookup(service, b"nobody")
        assert kind(both.ours.lookup(service, b"k")) == b"error"
        assert both.ours.lookup(service, b"nobody") == b"not-found"


@pytest.mark.parametrize("uid", ["alice", "", "12x", " 7", None, 3.7, "-1"])
def test_a_uid_that_is_no_number(trixie_root: Path, tmp_path: Path, uid: object) -> None:
    """C takes what it can read of it; of "alice" that is 0, and mail is delivered as root."""
    conf = lay_out(tmp_path)
    with connect(tmp_path) as db:
        db.execute("INSERT INTO userinfo VALUES ('k', ?, 100, '/home/k')", (uid,))
    db.close()
    read = {"12x": 12, " 7": 7, 3.7: 3, "-1": -1}.get(uid, 0)
    with Both(trixie_root, conf) as both:
        assert both.theirs.lookup("userinfo", b"k") == b"found|%d:100:/home/k" % read
        assert kind(both.ours.lookup("userinfo", b"k")) in (b"error", b"not-found")


@pytest.mark.parametrize("cell", ["a\0b", b"a\0b"])
def test_nul_cuts_the_value(trixie_root: Path, tmp_path: Path, cell: object) -> None:
    conf = lay_out(tmp_path)
    insert(tmp_path, "alias", cell)
    with Both(trixie_root, conf) as both:
        assert both.theirs.lookup("alias", b"k") == b"found|a"
        assert kind(both.ours.lookup("alias", b"k")) == b"error"


def test_a_carriage_return_becomes_part_of_the_value(trixie_root: Path, tmp_path: Path) -> None:
    conf = lay_out(tmp_path)
    insert(tmp_path, "domain", "example.com\r")
    with Both(trixie_root, conf) as both:
        assert both.theirs.lookup("domain", b"k") == b"found|example.com\r"
        assert kind(both.ours.lookup("domain", b"k")) == b"error"


def test_sources_that_are_none(trixie_root: Path, tmp_path: Path) -> None:
    conf = lay_out(tmp_path)
    with connect(tmp_path) as db:
        db.executemany("INSERT INTO sources VALUES (?)", [("192.0.2.1",), ("",), (None,)])
    db.close()
    with Both(trixie_root, conf) as both:
        with pytest.raises(Died):
            both.theirs.fetch("source")
        assert [both.ours.fetch("source") for _ in range(3)] == [b"found|192.0.2.1"] * 3


def test_text_that_is_no_utf8_is_not_found(trixie_root: Path, tmp_path: Path) -> None:
    """No smtpd sends such a key but for a recipient that is no address."""
    conf = lay_out(tmp_path)
    with connect(tmp_path) as db:
        db.execute("INSERT INTO one VALUES (CAST(x'636166e9' AS TEXT), CAST(x'e9' AS TEXT))")
        db.execute("INSERT INTO one VALUES ('k', CAST(x'e9' AS TEXT))")
    db.close()
    with Both(trixie_root, conf) as both:
        assert both.ask(b"lookup", "alias", b"k") == b"found|\xe9"
        assert both.theirs.lookup("alias", b"caf\xe9") == b"found|\xe9"
        assert both.ours.lookup("alias", b"caf\xe9") == b"not-found"


# --- the meaning of table(5) --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("service", "row", "key"),
    [
        ("domain", "*.example.org", b"mail.example.org"),
        ("netaddr", "10.0.0.0/8", b"10.1.2.3"),
        ("netaddr", "2001:db8::/32", b"[2001:db8::7]"),
        ("mailaddr", "@example.org", b"alice@example.org"),
        ("mailaddr", "alice", b"alice@example.org"),
        ("mailaddr", "alice@example.org", b"alice+tag@example.org"),
    ],
)
def test_wildcards(trixie_root: Path, tmp_path: Path, service: str, row: str, key: bytes) -> None:
    conf = lay_out(tmp_path)
    with connect(tmp_path) as db:
        for table in ("one", "addresses"):
            db.execute(f"INSERT INTO {table} VALUES (?, 'found it')", (row,))
    db.close()
    with Both(trixie_root, conf) as both:
        assert both.theirs.check(service, key) == b"not-found"
        assert both.ours.check(service, key) == b"found"
        assert both.ours.lookup(service, key) == b"found|found it"


@pytest.mark.parametrize("service", ["relayhost", "string", "regex"])
def test_services_that_c_does_not_know(trixie_root: Path, tmp_path: Path, service: str) -> None:
    conf = lay_out(
        tmp_path,
        f"dbpath {{folder}}/test.db\nquery_{service} SELECT value FROM one WHERE key = ?\n",
    )
    insert(tmp_path, "alias", "v")
    with Both(trixie_root, conf) as both:
        assert f"bogus key query_{service}" in both.theirs.log
        assert tuple(both.theirs.services) == (
            "alias", "domain", "credentials", "netaddr", "userinfo", "source", "mailaddr",
            "addrname", "mailaddrmap",
        )  # fmt: skip
        assert service in both.ours.services
        with pytest.raises(Died):
            both.theirs.lookup(service, b"k")
        assert both.ours.lookup(service, b"k") == b"found|v"


# --- queries ------------------------------------------------------------------------------------


def test_several_parameters(trixie_root: Path, tmp_path: Path) -> None:
    """C sets the first one and leaves the others NULL."""
    conf = lay_out(
        tmp_path,
        "dbpath {folder}/test.db\n"
        "query_alias SELECT value FROM one WHERE key = 'nobody' AND value = ? OR key = ?\n",
    )
    insert(tmp_path, "alias", "v")
    with Both(trixie_root, conf) as both:
        assert both.theirs.lookup("alias", b"k") == b"not-found"
        assert both.ours.lookup("alias", b"k") == b"found|v"


@pytest.mark.parametrize("service", ["alias", "domain", "netaddr", "mailaddr", "mailaddrmap"])
def test_no_parameter(trixie_root: Path, tmp_path: Path, service: str) -> None:
    """Mail of everybody would go to "v"."""
    conf = lay_out(tmp_path, f"dbpath {{folder}}/test.db\nquery_{service} SELECT 'v'\n")
    with Both(trixie_root, conf) as both:
        assert both.ask(b"lookup", service, b"k") == b"error"
        assert both.ask(b"check", service, b"k") == b"error"
        with conf.open("a") as file:
            file.write(f"constant_{service} yes\n")
        assert both.ask(b"update") == b"ok"
        assert both.theirs.lookup(service, b"k") == b"error"
        assert both.ours.lookup(service, b"k") == b"found|v"


def test_one_user_for_all(trixie_root: Path, tmp_path: Path) -> None:
    conf = lay_out(
        tmp_path, "dbpath {folder}/test.db\nquery_userinfo SELECT 1000, 100, '/home/all'\n"
    )
    with Both(trixie_root, conf) as both:
        assert both.theirs.lookup("userinfo", b"k") == b"error"
        assert both.ours.lookup("userinfo", b"k") == b"found|1000:100:/home/all"


def test_a_parameter_in_quotes(trixie_root: Path, tmp_path: Path) -> None:
    """It is none: no row is found, and mail would be refused for good."""
    conf = lay_out(
        tmp_path, "dbpath {folder}/test.db\nquery_alias SELECT value FROM one WHERE key = '?'\n"
    )
    insert(tmp_path, "alias", "v")
    with Both(trixie_root, conf) as both:
        assert both.ask(b"lookup", "alias", b"k") == b"error"


def test_write_ahead_log(trixie_root: Path, tmp_path: Path) -> None:
    """C maps the file -shm, and who truncates it kills the program. Ours has a worker for that."""
    conf = lay_out(tmp_path)
    insert(tmp_path, "alias", "v")
    with Both(trixie_root, conf) as both, connect(tmp_path) as db:
        db.execute("PRAGMA journal_mode = WAL")
        assert both.theirs.lookup("alias", b"k") == b"found|v"
        assert both.ours.lookup("alias", b"k") == b"found|v"
        os.truncate(tmp_path / "test.db-shm", 0)
        with pytest.raises(Died):
            both.theirs.lookup("alias", b"k")
        both.ours.lookup("alias", b"k")
        both.theirs.close()
        db.execute("PRAGMA journal_mode = DELETE")
        assert both.ours.lookup("alias", b"k") == b"found|v"
    db.close()


def test_a_query_that_writes(trixie_root: Path, tmp_path: Path) -> None:
    conf = lay_out(
        tmp_path,
        "dbpath {folder}/test.db\nquery_alias DELETE FROM one WHERE key = ? RETURNING value\n",
    )
    insert(tmp_path, "alias", "v")
    before = (tmp_path / "test.db").read_bytes()
    with pytest.raises(Died):
        TableClient(ours("table-sqlite"), conf)
    assert (tmp_path / "test.db").read_bytes() == before
    with TableClient(original(trixie_root, "table-sqlite"), conf) as table:
        assert table.lookup("alias", b"k") == b"found|v"
        assert table.lookup("alias", b"k") == b"not-found"


def test_a_query_that_is_no_utf8(trixie_root: Path, tmp_path: Path) -> None:
    conf = lay_out(tmp_path, "dbpath {folder}/test.db\nquery_alias SELECT '\udcff' WHERE ? = 'k'\n")
    with TableClient(original(trixie_root, "table-sqlite"), conf) as table:
        assert table.lookup("alias", b"k") == b"found|\xff"
    with pytest.raises(Died):
        TableClient(ours("table-sqlite"), conf)
