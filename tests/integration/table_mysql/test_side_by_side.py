"""table-mysql beside the C original: one configuration, one database, the same answers."""

import random
from pathlib import Path

import pytest

from integration.support.hostile_keys import some_key
from integration.support.mysql_pair import ONE_COLUMN, SERVICES, insert, lay_out, mine, theirs
from integration.support.network_scenes import Ask, answers, differences
from lab.peers.databases.mariadb import MariadbServer
from lab.support import ALONE

pytestmark = ALONE
DATABASE = "side_by_side"
REQUESTS = 4_500
WORDS = (
    b"alice", b"bob", b"root", b"a", b"7", b"007", b"1e3", b"example.com", b"mail.example.com",
    b"alice@example.com", b"bob+tag@example.com", b"+tag", b"192.0.2.1", b"[2001:db8::1]",
    b"|", b"||", b"a|b", b"'", b"''", b"' OR '1'='1", b'"', b"'; DROP TABLE one; --", b"\\", b"\\'",
    b"%", b"_", b"?", b"?1", b":key", b"/*", b"#", b"null", b"NULL", b"x'00'", b"%s", b"*",
    b"\t", b" ", b"a b", b"a ", b"A", b"\r", "ä".encode(), "Ä".encode(), "日本".encode(),
    "🐟".encode(), b"\xff\xfe", b"\xe9", b"\xc3", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\x01\x7f",
)  # fmt: skip
CELLS = (
    "alice", "bob@example.com", "alice, bob", "|/bin/false", '"quoted, one"@example.com', "back\\",
    "0", "007", "ä", "日本 🐟", "x" * 2047, "x" * 2048, "y" * 1500, " padded ", "\ttab", "?", "a:b",
)  # fmt: skip


def is_text(key: bytes) -> bool:
    try:
        return len(key.decode()) <= 300
    except UnicodeDecodeError:
        return False


def fill(server: MariadbServer, dice: random.Random) -> list[bytes]:
    """Fill the database, some keys having several rows; returns all its keys."""
    found = {
        key for key in (*WORDS, *(some_key(dice, WORDS, 1) for _ in range(300))) if is_text(key)
    }
    keys = sorted(found)
    one = [(key, dice.choice(CELLS)) for key in keys for _ in range(dice.choice((1, 1, 1, 2, 5)))]
    names, hashes = ("alice", "bob", "7"), ("$6$a$b", "plain", "12", "*", "a:b")
    logins = [(key, dice.choice(names), dice.choice(hashes)) for key in keys]
    ids, homes = (0, 7, 1000, 65534, 2**31 - 1), ("/home/alice", "/", "/home/with space", "/a:b")
    users = [(key, dice.choice(ids), dice.choice(ids), dice.choice(homes)) for key in keys]
    server.execute(
        insert("one (name, value)", one) + insert("logins", logins) + insert("users", users),
        DATABASE,
    )
    return keys


def test_thousands_of_keys(mariadb: MariadbServer, tmp_path: Path) -> None:
    dice = random.Random("keys")
    conf = lay_out(mariadb, DATABASE, tmp_path)
    there = fill(mariadb, dice)
    asked: list[Ask] = []
    for _ in range(REQUESTS):
        verb, service = dice.choice((b"lookup", b"check")), dice.choice(SERVICES)
        key = dice.choice(there) if dice.random() < 0.6 else some_key(dice, WORDS, 1)
        asked.append((verb, service, key))
    with mine(conf)() as table:
        answers = [table.ask(*each) for each in asked[:500]]
    assert 200 < sum(answer.startswith(b"found") for answer in answers) < 490
    assert differences(theirs(mariadb, conf), mine(conf), asked) == {}
    assert int(mariadb.execute("SELECT count(*) FROM one", DATABASE)) > 200  # nothing was injected


COLUMNS = {
    "TINYINT": "-128", "TINYINT UNSIGNED": "255", "SMALLINT": "-32768", "MEDIUMINT": "-8388608",
    "MEDIUMINT UNSIGNED": "16777215", "INT": "-2147483648", "INT UNSIGNED": "4294967295",
    "BIGINT": "-9223372036854775808", "BIGINT UNSIGNED": "18446744073709551615",
    "INT(7) ZEROFILL": "42", "YEAR": "1999", "BOOLEAN": "TRUE", "DECIMAL(20,5)": "-12.5",
    "FLOAT": "0.1", "FLOAT(10,3)": "1234.5678", "DOUBLE": "1.5e-7", "DOUBLE(12,2)": "-7.125",
    "DATE": "'2026-11-29'", "TIME": "'-838:59:59'", "TIME(3)": "'01:02:03.456'",
    "DATETIME": "'2026-11-29 20:15:00'", "DATETIME(6)": "'2026-11-29 20:15:00.000123'",
    "TIMESTAMP(2) NULL": "'2026-11-29 20:15:00.25'", "CHAR(9)": "'char'", "VARCHAR(9)": "'ä'",
    "BINARY(3)": "'abc'", "VARBINARY(9)": "x'e9'", "TINYTEXT": "'t'", "LONGTEXT": "'long'",
    "BLOB": "x'ff'",
    "ENUM('a','b')": "'b'", "SET('a','b')": "'a,b'", "JSON": "'{\"a\": 1}'",
    "BIT(16)": "x'4142'", "INET6": "'2001:db8::1'",
    "UUID": "'123e4567-e89b-12d3-a456-426655440000'",
    "VARCHAR(9) CHARACTER SET latin1": "'é'", "DOUBLE ": "123456789012345678", "FLOAT ": "1e20",
}  # fmt: skip
"""Types, and a value of each that is legal for smtpd."""


def test_all_types_of_columns(mariadb: MariadbServer, tmp_path: Path) -> None:
    names = [f"c{at}" for at in range(len(COLUMNS))]
    asked: list[Ask] = [(b"lookup", "alias", b"k")]
    columns = ", ".join(f"{name} {type}" for name, type in zip(names, COLUMNS, strict=True))
    lay_out(mariadb, DATABASE, tmp_path)
    mariadb.execute(
        f"CREATE TABLE types (name VARCHAR(9), {columns});"
        f"INSERT INTO types VALUES ('k', {', '.join(COLUMNS.values())});",
        DATABASE,
    )
    different: dict[Ask, tuple[bytes, bytes]] = {}
    for begin in range(0, len(names), len(ONE_COLUMN)):
        some = dict(zip(ONE_COLUMN, names[begin:], strict=False))
        queries = "".join(
            f"query_{s} SELECT {c} FROM types WHERE name = ?\n" for s, c in some.items()
        )
        asked = [(b"lookup", service, b"k") for service in some]
        conf = tmp_path / "mysql.conf"
        conf.write_text("".join(conf.read_text().splitlines(True)[:4]) + queries)
        one, other = answers(theirs(mariadb, conf), asked), answers(mine(conf), asked)
        assert all(answer.startswith(b"found|") for answer in other), some
        pairs = zip(asked, one, other, strict=True)
        different |= {request: (their, our) for request, their, our in pairs if their != our}
    assert different == {}


STATEMENTS = (
    "SELECT value FROM one WHERE name = ?;",
    "SELECT value FROM one WHERE name = ? AND value <> '?'",
    "SELECT value FROM one WHERE name = ? -- why?",
    "SELECT value FROM one WHERE name LIKE ? ORDER BY value DESC",
    "SELECT value FROM one WHERE name NOT LIKE '%s%%' AND name = ?",
    "SELECT UPPER(value) AS `?` FROM one WHERE name = LOWER(?)",
    "SELECT value FROM one WHERE name = ? UNION ALL SELECT 'and this' ORDER BY 1",
    "SELECT COUNT(*) FROM one WHERE name = ?",
    "SELECT CONCAT('key ', ?)",
    "SELECT ?",
    "SELECT place FROM one WHERE place = ?",
    "SELECT value FROM one WHERE name = ? LIMIT 1",
)


@pytest.mark.parametrize("begin", range(0, len(STATEMENTS), len(ONE_COLUMN)))
def test_queries(mariadb: MariadbServer, tmp_path: Path, begin: int) -> None:
    """Each is the query of another service."""
    statements = dict(zip(ONE_COLUMN, STATEMENTS[begin:], strict=False))
    lines = "".join(f"query_{service} {sql}\n" for service, sql in statements.items())
    conf = lay_out(mariadb, DATABASE, tmp_path, lines)
    rows = [("alice", "bob"), ("alice", "carol"), ("bob", "dave"), ("carol", "?")]
    mariadb.execute(insert("one (name, value)", rows), DATABASE)
    keys = (b"alice", b"bob", b"Carol", b"nobody", b"a%", b"?", b"3", b"3x", b"%s")
    asked: list[Ask] = [
        (verb, service, key)
        for service in statements
        for verb in (b"lookup", b"check")
        for key in keys
    ]
    with mine(conf)() as table:
        found = {each[1] for each in asked if table.ask(*each).startswith(b"found|")}
    assert found == set(statements)
    assert differences(theirs(mariadb, conf), mine(conf), asked) == {}


def test_a_list_taken_in_turn(mariadb: MariadbServer, tmp_path: Path) -> None:
    conf = lay_out(mariadb, DATABASE, tmp_path)
    rows = [("192.0.2.9",), ("192.0.2.1",), ("192.0.2.10",), ("192.0.2.1",)]
    mariadb.execute(insert("sources", rows), DATABASE)
    asked: list[Ask] = [(b"fetch", "source", None)] * 7
    with mine(conf)() as table:
        assert [table.fetch("source") for _ in range(4)] == [
            b"found|192.0.2.1",
            b"found|192.0.2.10",
            b"found|192.0.2.9",
            b"found|192.0.2.1",
        ]
    assert differences(theirs(mariadb, conf), mine(conf), asked) == {}


def test_what_others_write_is_seen_at_once(mariadb: MariadbServer, tmp_path: Path) -> None:
    conf = lay_out(mariadb, DATABASE, tmp_path)
    with theirs(mariadb, conf)() as other, mine(conf)() as table:
        for sql, answer in (
            ("SELECT 1;", b"not-found"),
            (insert("one (name, value)", [("k", "a")]), b"found|a"),
            ("UPDATE one SET value = 'b';", b"found|b"),
            ("ALTER TABLE one MODIFY value CHAR(30);", b"found|b"),
            ("ALTER TABLE one MODIFY value INT;", b"found|0"),
            ("DELETE FROM one;", b"not-found"),
        ):
            mariadb.execute("SET sql_mode = '';" + sql, DATABASE)
            assert table.lookup("alias", b"k") == answer
            assert other.lookup("alias", b"k") == answer
