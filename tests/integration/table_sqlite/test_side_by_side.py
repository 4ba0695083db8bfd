"""table-sqlite beside the C original: one configuration, one database, the same answers.

Where the two differ is in test_table_sqlite_differences.py.
"""

import random
from pathlib import Path

import pytest

from integration.support.hostile_keys import some_key
from integration.support.table_pair import SERVICES, Ask, Both, connect, lay_out

WORDS = (
    b"alice", b"bob", b"root", b"a", b"7", b"007", b"1e3", b"example.com", b"mail.example.com",
    b"alice@example.com", b"bob+tag@example.com", b"+tag", b"192.0.2.1", b"[2001:db8::1]",
    b"|", b"||", b"a|b", b"'", b"''", b"' OR '1'='1", b'"', b"; DROP TABLE one; --", b"\\", b"%",
    b"_", b"?", b"?1", b":key", b"$key", b"/*", b"null", b"x'00'", b"a'; DELETE FROM one; --",
    b"\t", b" ", b"a b", b"\r", "ä".encode(), "日本".encode(), "🐟".encode(), b"\xff\xfe", b"\xe9",
    b"\xc3", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\x01\x7f",
)  # fmt: skip
CELLS = (
    "alice", "bob@example.com", "alice, bob", "|/bin/false", '"quoted, one"@example.com', "back\\",
    0, 7, -1, 1000, 2**40, "0", "007", "ä", "日本 🐟", "x" * 2047, "x" * 2048, "y" * 1500,
    " padded ", "\ttab", b"blob", b"caf\xe9",
)  # fmt: skip
UIDS = (0, 7, 1000, "1000", 65534, 2**31 - 1)


def is_text(key: bytes) -> bool:
    try:
        key.decode()
    except UnicodeDecodeError:
        return False
    return True


def fill(folder: Path, dice: random.Random) -> list[bytes]:
    """Fill the database, some keys having several rows; returns all its keys."""
    keys = [key for key in (*WORDS, *(some_key(dice, WORDS) for _ in range(300))) if is_text(key)]
    # What table(5) calls a wildcard matches in ours alone.
    keys = [key for key in keys if not key.startswith((b"*", b"@"))]
    with connect(folder) as db:
        db.execute("BEGIN")
        for key in (key.decode() for key in keys):
            for _ in range(dice.choice((1, 1, 1, 2, 5))):
                db.execute("INSERT INTO one VALUES (?, ?)", (key, dice.choice(CELLS)))
                if "@" in key:
                    db.execute("INSERT INTO addresses VALUES (?, ?)", (key, dice.choice(CELLS)))
            row = (key, dice.choice(("alice", "bob", 7)), dice.choice(("$6$a$b", "plain", 12, "*")))
            db.execute("INSERT INTO credentials VALUES (?, ?, ?)", row)
            home = dice.choice(("/home/alice", "/", "/home/with space", "/a:b", 5))
            info = (key, dice.choice(UIDS), dice.choice(UIDS), home)
            db.execute("INSERT INTO userinfo VALUES (?, ?, ?, ?)", info)
        db.execute("COMMIT")
    db.close()
    return keys


@pytest.mark.parametrize("seed", range(3))
def test_thousands_of_keys(trixie_root: Path, tmp_path: Path, seed: int) -> None:
    dice = random.Random(f"keys {seed}")
    conf = lay_out(tmp_path)
    there = fill(tmp_path, dice)
    asked: list[Ask] = []
    for _ in range(6000):
        verb, service = dice.choice((b"lookup", b"check")), dice.choice(SERVICES)
        key = dice.choice(there) if dice.random() < 0.5 else some_key(dice, WORDS)
        asked.append((verb, service, key))
    with Both(trixie_root, conf) as both:
        answers = both.agree(asked)
        one_by_one = [both.ask(*request) for request in asked[:300]]
    assert one_by_one == answers[:300]
    found = sum(answer.startswith(b"found") for answer in answers)
    assert 1500 < found < 5500
    assert answers.count(b"error") < 1000  # values of 2,048 bytes and more


def test_nothing_was_injected(trixie_root: Path, tmp_path: Path) -> None:
    conf = lay_out(tmp_path)
    fill(tmp_path, random.Random("injection"))
    before = (tmp_path / "test.db").read_bytes()
    with Both(trixie_root, conf) as both:
        both.agree((b"lookup", service, word) for service in SERVICES for word in WORDS)
    assert (tmp_path / "test.db").read_bytes() == before


@pytest.mark.parametrize(
    ("service", "answer"),
    [
        ("alias", b"found|b, a, 7, b"),
        ("mailaddrmap", b"found|b, a, 7, b"),
        ("domain", b"found|b"),
        ("netaddr", b"found|b"),
        ("source", b"found|b"),
        ("mailaddr", b"found|b"),
        ("addrname", b"found|b"),
        ("credentials", b"found|b:first"),
        ("userinfo", b"found|1:2:/first"),
    ],
)
def test_several_rows(trixie_root: Path, tmp_path: Path, service: str, answer: bytes) -> None:
    conf = lay_out(tmp_path)
    with connect(tmp_path) as db:
        for table in ("one", "addresses"):
            cells = [("b",), ("a",), (7,), ("b",)]
            db.executemany(f"INSERT INTO {table} VALUES ('k', ?)", cells)
        rows = [("b", "first"), ("a", "second")]
        db.executemany("INSERT INTO credentials VALUES ('k', ?, ?)", rows)
        homes = [(1, "2", "/first"), (3, 4, "/second")]
        db.executemany("INSERT INTO userinfo VALUES ('k', ?, ?, ?)", homes)
    db.close()
    with Both(trixie_root, conf) as both:
        assert both.ask(b"lookup", service, b"k") == answer
        assert both.ask(b"check", service, b"k") == b"found"
        assert both.ask(b"check", service, b"K") == b"not-found"


@pytest.mark.parametrize("length", [2046, 2047, 2048, 5000])
def test_long_values(trixie_root: Path, tmp_path: Path, length: int) -> None:
    conf = lay_out(tmp_path)
    with connect(tmp_path) as db:
        for table in ("one", "addresses"):
            db.execute(f"INSERT INTO {table} VALUES ('one', ?)", ("x" * length,))
        halves = [("x" * 1000,), ("y" * (length - 1002),)]
        db.executemany("INSERT INTO one VALUES ('two', ?)", halves)
        db.execute("INSERT INTO credentials VALUES ('one', 'u', ?)", ("x" * (length - 2),))
        db.execute("INSERT INTO userinfo VALUES ('one', 1, 2, ?)", ("x" * (length - 4),))
    db.close()
    with Both(trixie_root, conf) as both:
        answers = both.agree((b"lookup", service, b"one") for service in SERVICES)
        answers.append(both.ask(b"lookup", "alias", b"two"))
    if length < 2048:
        assert {len(answer) for answer in answers} == {len(b"found|") + length}
    else:
        assert set(answers) == {b"error"}


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT value FROM one WHERE key = ?1",
        "SELECT value FROM one WHERE key = ?;",
        "SELECT value FROM one WHERE key = ? AND value != '?'",
        "SELECT value FROM one WHERE key = ? -- why?",
        "SELECT value FROM one WHERE key = :key",
        "SELECT value FROM one WHERE key = @key OR value = @key",
        "SELECT value FROM one WHERE key = $key",
        "SELECT value FROM one WHERE key = ?1 OR value = ?1",
        "SELECT value FROM one WHERE key LIKE ? ORDER BY value DESC",
        "SELECT upper(value) AS '?' FROM one WHERE key = lower(?)",
        "SELECT value FROM one WHERE key = ? UNION ALL SELECT 'and this' ORDER BY 1",
        "WITH RECURSIVE n(x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM n WHERE x < 4)"
        " SELECT x || ':' || ? FROM n",
        "VALUES (?)",
        "SELECT count(*) FROM one WHERE key = ?",
    ],
)
def test_queries(trixie_root: Path, tmp_path: Path, sql: str) -> None:
    conf = lay_out(tmp_path, f"dbpath {{folder}}/test.db\nquery_alias {sql}\n")
    with connect(tmp_path) as db:
        rows = [("alice", "bob"), ("alice", "carol"), ("bob", "dave"), ("carol", "?")]
        db.executemany("INSERT INTO one VALUES (?, ?)", rows)
    db.close()
    with Both(trixie_root, conf) as both:
        keys = (b"alice", b"bob", b"Carol", b"nobody", b"a%", b"?")
        answers = both.agree((b"lookup", "alias", key) for key in keys)
        both.agree((b"check", "alias", key) for key in keys)
        others = both.agree((b"check", service, b"alice") for service in SERVICES[1:])
    assert any(answer.startswith(b"found|") for answer in answers)
    assert set(others) == {b"error"}  # a service without a query


def test_columns_with_a_type(trixie_root: Path, tmp_path: Path) -> None:
    """A key is text and is converted where the column is not."""
    conf = lay_out(
        tmp_path,
        "dbpath {folder}/test.db\n"
        "query_alias SELECT text FROM typed WHERE number = ?\n"
        "query_domain SELECT number FROM typed WHERE text = ?\n"
        "query_mailaddr SELECT real FROM typed WHERE text = ?\n"
        "query_addrname SELECT text FROM typed WHERE real = ?\n"
        "query_netaddr SELECT text FROM typed WHERE nocase = ?\n",
    )
    with connect(tmp_path) as db:
        db.execute(
            "CREATE TABLE typed (number INTEGER, real REAL, text TEXT, nocase TEXT COLLATE NOCASE)"
        )
        rows = [(7, 1.5, "seven", "ABC"), (-1, 1e100, "minus", "Äbc"), (2**60, 0.1, "much", "")]
        rows += [(8, 3.0, "three", "x"), (9, 1 / 3, "third", "y"), (10, -2.5e-7, "tiny", "z")]
        db.executemany("INSERT INTO typed VALUES (?, ?, ?, ?)", rows)
    db.close()
    words = [b"7", b" 7", b"07", b"7.0", b"7x", b"-1", b"1152921504606846976", b"1.5", b"1e100"]
    words += [
        b"seven",
        b"minus",
        b"much",
        b"three",
        b"third",
        b"tiny",
        b"abc",
        "äbc".encode(),
        b"3",
    ]
    services = ("alias", "domain", "mailaddr", "addrname", "netaddr")
    with Both(trixie_root, conf) as both:
        answers = both.agree((b"lookup", service, word) for service in services for word in words)
    assert b"found|seven" in answers
    assert b"found|1.5" in answers


@pytest.mark.parametrize("uid", [0, 1000, "1000", 2**31 - 1])
def test_numbers_of_users(trixie_root: Path, tmp_path: Path, uid: object) -> None:
    conf = lay_out(tmp_path)
    with connect(tmp_path) as db:
        db.execute("INSERT INTO userinfo VALUES ('k', ?, ?, '/home/k')", (uid, uid))
    db.close()
    with Both(trixie_root, conf) as both:
        answer = both.ask(b"lookup", "userinfo", b"k")
    assert answer == f"found|{uid}:{uid}:/home/k".encode()


def test_what_others_write_is_seen_at_once(trixie_root: Path, tmp_path: Path) -> None:
    conf = lay_out(tmp_path)
    with Both(trixie_root, conf) as both, connect(tmp_path) as db:
        assert both.ask(b"lookup", "alias", b"k") == b"not-found"
        db.execute("INSERT INTO one VALUES ('k', 'a')")
        assert both.ask(b"lookup", "alias", b"k") == b"found|a"
        db.execute("UPDATE one SET value = 'b'")
        assert both.ask(b"lookup", "alias", b"k") == b"found|b"
        db.execute("BEGIN")
        db.execute("DELETE FROM one")
        assert both.ask(b"lookup", "alias", b"k") == b"found|b"
        db.execute("COMMIT")
        assert both.ask(b"lookup", "alias", b"k") == b"not-found"
        db.execute("INSERT INTO one VALUES ('k', 'c')")
        db.execute("VACUUM")
        assert both.ask(b"lookup", "alias", b"k") == b"found|c"
    db.close()
