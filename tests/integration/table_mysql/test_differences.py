"""Where table-mysql and the C original differ, and why: both are held to what they do.

The manual page lists the same under CAVEATS.
"""

from pathlib import Path

import pytest

from integration.support.mysql_pair import (
    QUERIES,
    SERVICES,
    insert,
    lay_out,
    mine,
    theirs,
)
from integration.support.network_scenes import Ask, differences
from lab.peers.databases.mariadb import MariadbServer
from lab.peers.table_client import Died
from lab.support import ALONE

pytestmark = ALONE
DATABASE = "differences"
GOOD = "SELECT value FROM one WHERE name = ?"
NAMES: list[tuple[object, ...]] = [
    ("nil", None), ("empty", ""), ("some", "c"), ("some", None), ("some", ""), ("some", "d"),
    ("long", "x" * 3000), ("feed", "a\nb"), ("return", "a\r"), ("nul", "a\0b"),
]  # fmt: skip


def lookups(service: str, *keys: bytes) -> list[Ask]:
    return [(b"lookup", service, key) for key in keys]


def test_a_null_cell_is_no_other_users(mariadb: MariadbServer, tmp_path: Path) -> None:
    """C leaves what stood in its memory: the hash of whoever logged in before."""
    conf = lay_out(mariadb, DATABASE, tmp_path)
    logins = [("user8", "user8", None), ("user9", "user9", "$6$hash of user9")]
    ones = [("alias8", None), ("alias9", "target9")]
    mariadb.execute(insert("logins", logins) + insert("one (name, value)", ones), DATABASE)
    asked = lookups("credentials", b"user9", b"user8") + lookups("alias", b"alias9", b"alias8")
    assert differences(theirs(mariadb, conf), mine(conf), asked) == {
        (b"lookup", "credentials", b"user8"): (b"found|user8:$6$hash of user9", b"not-found"),
        (b"lookup", "alias", b"alias8"): (b"found|target9", b"not-found"),
    }


def test_cells_that_smtpd_cannot_take(mariadb: MariadbServer, tmp_path: Path) -> None:
    conf = lay_out(mariadb, DATABASE, tmp_path)
    mariadb.execute(insert("one (name, value)", NAMES), DATABASE)
    keys = (b"nil", b"empty", b"some", b"long", b"return", b"nul")
    asked = [*lookups("alias", *keys), (b"check", "alias", b"long"), *lookups("alias", b"feed")]
    found = differences(theirs(mariadb, conf), mine(conf), asked)
    assert {key: our for (verb, _, key), (_, our) in found.items() if verb == b"lookup"} == {
        b"nil": b"not-found",
        b"empty": b"not-found",
        b"some": b"found|c, d",
        b"feed": b"error",
        b"return": b"error",
        b"nul": b"error",
    }
    their = {key: other for (_, _, key), (other, _) in found.items()}
    assert their[b"some"] == b"found|c, c, , d"  # NULL is what was there before
    assert their[b"return"] == b"found|a\r"
    assert their[b"nul"] == b"found|a"
    assert their[b"nil"].startswith(b"illegal: ")
    assert their[b"empty"].startswith(b"illegal: ")
    assert their[b"feed"] == b"found|a"  # and smtpd dies of the line behind
    assert found[b"check", "alias", b"long"] == (b"error", b"found")
    assert (b"lookup", "alias", b"long") not in found  # an error of both


def test_a_uid_that_is_no_number(mariadb: MariadbServer, tmp_path: Path) -> None:
    """smtpd reads "alice" as 0, and delivers as root."""
    conf = lay_out(mariadb, DATABASE, tmp_path)
    users = [("word", "alice", 2, "/h"), ("minus", "-1", 2, "/h"), ("nil", None, 2, "/h")]
    mariadb.execute(insert("users", users), DATABASE)
    asked = lookups("userinfo", b"word", b"minus", b"nil")
    assert differences(theirs(mariadb, conf), mine(conf), asked) == {
        (b"lookup", "userinfo", b"word"): (b"found|alice:2:/h", b"error"),
        (b"lookup", "userinfo", b"minus"): (b"found|-1:2:/h", b"error"),
        (b"lookup", "userinfo", b"nil"): (b"found|-1:2:/h", b"not-found"),
    }


def test_sources_that_are_none(mariadb: MariadbServer, tmp_path: Path) -> None:
    conf = lay_out(mariadb, DATABASE, tmp_path)
    mariadb.execute(insert("sources", [("",), ("192.0.2.1",), (None,)]), DATABASE)
    with mine(conf)() as table:
        assert [table.fetch("source") for _ in range(3)] == [b"found|192.0.2.1"] * 3


@pytest.mark.parametrize("service", ["string", "relayhost", "regex"])
def test_services_that_c_does_not_know(
    mariadb: MariadbServer, tmp_path: Path, service: str
) -> None:
    query = f"query_{service} SELECT value FROM one WHERE name = ?\n"
    if service == "regex":
        query += "patterns_regex SELECT value FROM one\n"
    conf = lay_out(mariadb, DATABASE, tmp_path, query)
    mariadb.execute(insert("one (name, value)", [("k", "k")]), DATABASE)
    with theirs(mariadb, conf)() as table:
        assert tuple(table.services) == (
            "alias", "domain", "credentials", "netaddr", "userinfo", "source", "mailaddr",
            "addrname", "mailaddrmap",
        )  # fmt: skip
        with pytest.raises(Died):
            table.check(service, b"k")
    with mine(conf)() as table:
        assert service in table.services
        assert table.check(service, b"k") == b"found"


def test_rows_with_wildcards(mariadb: MariadbServer, tmp_path: Path) -> None:
    rows = [("192.0.2.0/24", "net"), ("*.example.org", "wild"), ("@example.net", "all")]
    asked = [
        *lookups("netaddr", b"192.0.2.7"),
        *lookups("domain", b"a.example.org"),
        *lookups("mailaddr", b"ann@example.net"),
    ]
    conf = lay_out(mariadb, DATABASE, tmp_path)
    mariadb.execute(insert("one (name, value)", rows), DATABASE)
    assert differences(theirs(mariadb, conf), mine(conf), asked) == {}  # without being told
    matched = tmp_path / "matched.conf"
    matched.write_text(conf.read_text() + "match netaddr domain mailaddr\n")
    listed = tmp_path / "listed.conf"
    listed.write_text(conf.read_text() + "patterns_netaddr SELECT name FROM one\n")
    with mine(matched)() as table:
        assert [table.ask(*each) for each in asked] == [b"found|net", b"found|wild", b"found|all"]
        assert table.lookup("netaddr", b"[2001:db8::1]") == b"not-found"
    with mine(listed)() as table:
        assert table.check("netaddr", b"192.0.2.7") == b"found"
        assert table.check("netaddr", b"192.0.3.7") == b"not-found"


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("query_alias SELECT value FROM one", "never uses the key"),
        ("query_credentials SELECT user FROM logins WHERE name = ?", "1 columns and should give 2"),
        ("query_alias SELEKT", "error 1064"),
        ("query_alias SELECT value FROM missing WHERE name = ?", "error 1146"),
        ("query_alias UPDATE one SET value = ?", "error 1142: UPDATE command denied"),
        ("query_alias DO ?", "0 columns and should give 1"),
        ("fetch_source SELECT address FROM sources WHERE address = ?", "nothing to put there"),
    ],
)
def test_a_query_that_does_not_fit(
    mariadb: MariadbServer, tmp_path: Path, query: str, said: str
) -> None:
    """C ends at start, and smtpd with it; ours says so, and answers the rest."""
    conf = lay_out(mariadb, DATABASE, tmp_path, f"query_domain {GOOD}\n{query}\n")
    mariadb.execute(insert("one (name, value)", [("k", "v")]), DATABASE)
    with pytest.raises(Died) as died:
        theirs(mariadb, conf)()
    assert died.value.args == (1,)
    with mine(conf)() as table:
        assert said in table.log
        assert table.lookup("domain", b"k") == b"found|v"
        service = query.partition(" ")[0].rpartition("_")[2]
        verb = b"fetch" if query.startswith("fetch") else b"lookup"
        key = None if verb == b"fetch" else b"k"
        assert table.ask(verb, service, key).startswith(b"error|")


def test_several_parameters(mariadb: MariadbServer, tmp_path: Path) -> None:
    """C wants exactly one."""
    query = "query_alias SELECT value FROM one WHERE name = ? OR value = ?\n"
    conf = lay_out(mariadb, DATABASE, tmp_path, query)
    mariadb.execute(insert("one (name, value)", [("k", "v")]), DATABASE)
    with pytest.raises(Died):
        theirs(mariadb, conf)()
    with mine(conf)() as table:
        assert table.lookup("alias", b"k") == table.lookup("alias", b"v") == b"found|v"


def test_nothing_is_written(mariadb: MariadbServer, tmp_path: Path) -> None:
    """A query may call a function that writes: C lets it, as the account may."""
    conf = lay_out(mariadb, DATABASE, tmp_path, "query_alias SELECT noted(?)\n")
    mariadb.execute(
        "DELIMITER //\nCREATE FUNCTION noted(name TEXT) RETURNS TEXT"
        " MODIFIES SQL DATA BEGIN INSERT INTO sources VALUES (name); RETURN 'noted'; END//\n"
        "DELIMITER ;\nGRANT EXECUTE ON differences.* TO 'smtpd'@'%';\n",
        DATABASE,
    )
    count = "SELECT count(*) FROM sources"
    with mine(conf)() as table:
        assert b"error 1792" in table.lookup("alias", b"k")
    assert mariadb.execute(count, DATABASE) == "0\n"
    with theirs(mariadb, conf)() as table:
        assert table.lookup("alias", b"k") == b"found|noted"
    assert mariadb.execute(count, DATABASE) == "1\n"


def test_update(mariadb: MariadbServer, tmp_path: Path) -> None:
    """C always answers ok, and keeps the old one."""
    conf = lay_out(mariadb, DATABASE, tmp_path)
    good = conf.read_text()
    with theirs(mariadb, conf)() as other, mine(conf)() as table:
        conf.write_text(good.replace(QUERIES, "query_alias SELEKT\n"))
        assert other.update() == b"ok"
        assert table.update().startswith(b"error|")
        assert table.lookup("alias", b"k") == other.lookup("alias", b"k") == b"not-found"
        conf.write_text(good.replace("SELECT value FROM one", "SELECT 'new' FROM one"))
        mariadb.execute(insert("one (name, value)", [("k", "old")]), DATABASE)
        assert table.update() == other.update() == b"ok"
        assert table.lookup("alias", b"k") == other.lookup("alias", b"k") == b"found|new"


def test_services_without_a_query(mariadb: MariadbServer, tmp_path: Path) -> None:
    """No difference: both answer with an error."""
    conf = lay_out(mariadb, DATABASE, tmp_path, f"query_alias {GOOD}\n")
    asked: list[Ask] = [(b"check", service, b"k") for service in SERVICES]
    asked.append((b"fetch", "source", None))
    assert differences(theirs(mariadb, conf), mine(conf), asked) == {}
