"""table-postgres beside the C original: one configuration, one database, the same answers."""

import random
from pathlib import Path

from integration.support.hostile_keys import some_key
from integration.support.network_scenes import DIED, Ask, differences
from lab.peers.databases.postgres import PostgresServer
from lab.peers.table_client import TableClient, original, ours
from lab.support import ALONE

pytestmark = ALONE
DATABASE, USER, SECRET = "side-by-side", "mail", "s3cret"
REQUESTS = 4_500
SERVICES = (
    "alias", "domain", "credentials", "netaddr", "userinfo", "source", "mailaddr", "addrname",
    "mailaddrmap",
)  # fmt: skip
"""Those that C knows."""
CONF = f"""\
conninfo host=127.0.0.1 user={USER} password={SECRET} dbname={DATABASE}
query_alias SELECT value FROM one WHERE key = $1 ORDER BY place
query_domain SELECT value FROM one WHERE key = $1 ORDER BY place
query_netaddr SELECT value FROM one WHERE key = $1 ORDER BY place
query_source SELECT value FROM one WHERE key = $1 ORDER BY place
query_mailaddr SELECT value FROM one WHERE key = $1 ORDER BY place
query_addrname SELECT value FROM one WHERE key = $1 ORDER BY place
query_mailaddrmap SELECT value FROM one WHERE key = $1 ORDER BY place
query_credentials SELECT name, hash FROM logins WHERE key = $1
query_userinfo SELECT uid, gid, home FROM users WHERE key = $1
"""
SCHEMA = """\
CREATE TABLE one (key TEXT, value TEXT, place SERIAL);
CREATE TABLE logins (key TEXT, name TEXT, hash TEXT);
CREATE TABLE users (key TEXT, uid INTEGER, gid BIGINT, home TEXT);
CREATE INDEX ON one (key); CREATE INDEX ON logins (key); CREATE INDEX ON users (key);
"""
WORDS = (
    b"alice", b"bob", b"root", b"a", b"7", b"007", b"1e3", b"example.com", b"mail.example.com",
    b"alice@example.com", b"bob+tag@example.com", b"+tag", b"192.0.2.1", b"2001:db8::1",
    b"|", b"||", b"a|b", b"'", b"''", b"' OR '1'='1", b'"', b"'; DROP TABLE one; --", b"\\", b"\\'",
    b"%", b"_", b"?", b"$1", b"$$", b":key", b"/*", b"null", b"NULL", b"E'\\x00'", b"%s", b"*",
    b"\t", b" ", b"a b", b"\r", "ä".encode(), "日本".encode(), "🐟".encode(), b"\xff\xfe", b"\xe9",
    b"\xc3", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\x01\x7f",
)  # fmt: skip
CELLS = (
    "alice", "bob@example.com", "alice, bob", "|/bin/false", '"quoted, one"@example.com', "back\\",
    "0", "007", "ä", "日本 🐟", "x" * 2047, "x" * 2048, "y" * 1500, " padded ", "\ttab", "$1",
    "a:b",
)  # fmt: skip


def _text(key: bytes) -> str | None:
    try:
        text = key.decode()
    except UnicodeDecodeError:
        return None
    # What table(5) calls a wildcard matches in ours alone.
    return None if text.startswith(("*", "@")) else text


def _copied(*cells: object) -> str:
    """Return a line of COPY."""
    escapes = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
    return "\t".join("\\N" if cell is None else str(cell).translate(escapes) for cell in cells)


def copy(table: str, rows: list[tuple[object, ...]]) -> str:
    """Return the SQL that puts rows into a table."""
    return f"COPY {table} FROM STDIN;\n" + "".join(_copied(*row) + "\n" for row in rows) + "\\.\n"


def fill(postgres: PostgresServer, dice: random.Random) -> list[bytes]:
    """Fill the database, some keys having several rows; returns all its keys."""
    texts = {
        text
        for key in (*WORDS, *(some_key(dice, WORDS, 1) for _ in range(300)))
        if (text := _text(key))
    }
    keys = sorted(texts)
    one = [(key, dice.choice(CELLS)) for key in keys for _ in range(dice.choice((1, 1, 1, 2, 5)))]
    names, hashes = ("alice", "bob", "7"), ("$6$a$b", "plain", "12", "*", "a:b")
    logins = [(key, dice.choice(names), dice.choice(hashes)) for key in keys]
    homes = ("/home/alice", "/", "/home/with space", "/a:b")
    ids = (0, 7, 1000, 65534, 2**31 - 1)
    users = [(key, dice.choice(ids), dice.choice(ids), dice.choice(homes)) for key in keys]
    postgres.database(DATABASE)
    postgres.account(USER, SECRET)
    rows = copy("one (key, value)", one) + copy("logins", logins) + copy("users", users)  # type: ignore[arg-type]
    postgres.execute(SCHEMA + rows, DATABASE)
    return [key.encode() for key in keys]


def the_two(
    postgres: PostgresServer, conf: Path, asked: list[Ask]
) -> dict[Ask, tuple[bytes, bytes]]:
    return differences(
        lambda: TableClient(original(postgres.view, "table-postgres"), conf),
        lambda: TableClient(ours("table-postgres"), conf),
        asked,
    )


def test_thousands_of_keys(postgres: PostgresServer, tmp_path: Path) -> None:
    dice = random.Random("keys")
    there = fill(postgres, dice)
    conf = tmp_path / "postgres.conf"
    conf.write_text(CONF + "match none\n")  # C takes keys that it does not know
    conf.chmod(0o600)
    asked: list[Ask] = []
    for _ in range(REQUESTS):
        verb, service = dice.choice((b"lookup", b"check")), dice.choice(SERVICES)
        key = dice.choice(there) if dice.random() < 0.6 else some_key(dice, WORDS, 1)
        asked.append((verb, service, key))
    with TableClient(ours("table-postgres"), conf) as table:
        answers = [table.ask(*each) for each in asked[:500]]
    assert 200 < sum(answer.startswith(b"found") for answer in answers) < 450
    assert the_two(postgres, conf, asked) == {}
    count = "SELECT count(*) FROM one WHERE key = '''; DROP TABLE one; --';"
    assert int(postgres.execute(count, DATABASE)) >= 1  # nothing was injected


ODD: list[tuple[object, ...]] = [
    ("nil", None), ("empty", ""), ("some", "c"), ("some", None), ("some", ""), ("some", "d"),
    ("long", "x" * 3000), ("feed", "a\nb"), ("*.wild.example", "wild"), ("@wild.example", "wild"),
    ("192.0.2.0/24", "net"),
]  # fmt: skip
ODD_CONF = CONF.replace("SELECT name, hash", "SELECT hash") + (
    "query_string SELECT value FROM one WHERE key = $1\n"
    "query_relayhost SELECT value FROM one WHERE key = $1\n"
    "fetch_relayhost SELECT value FROM one WHERE key = '192.0.2.0/24'\n"
)


def test_the_faults_that_are_mended(postgres: PostgresServer, tmp_path: Path) -> None:
    """All of them: the C program's answer, and ours."""
    fill(postgres, random.Random("odd"))
    logins, users = [("one", "name", "hash"), ("null", None, None)], [("one", 1, 2, None)]
    rows = copy("one (key, value)", ODD) + copy("logins", logins) + copy("users", users)  # type: ignore[arg-type]
    postgres.execute(rows, DATABASE)
    conf = tmp_path / "postgres.conf"
    conf.write_text(ODD_CONF)
    asked: list[Ask] = [
        (b"lookup", "alias", b"some"),
        (b"lookup", "alias", b"nil"),
        (b"lookup", "alias", b"empty"),
        (b"lookup", "alias", b"long"),
        (b"check", "alias", b"nil"),
        (b"lookup", "domain", b"nil"),
        (b"lookup", "domain", b"a.wild.example"),
        (b"check", "domain", b"a.wild.example"),
        (b"check", "mailaddr", b"me@wild.example"),
        (b"check", "netaddr", b"192.0.2.99"),
        (b"lookup", "credentials", b"one"),
        (b"lookup", "userinfo", b"one"),
        (b"check", "string", b"some"),
        (b"lookup", "relayhost", b"some"),
        (b"fetch", "relayhost", None),
        (b"fetch", "source", None),
    ]
    illegal = b"illegal: lookup-result|5eed%04x|found|"
    assert the_two(postgres, conf, asked) == {
        (b"lookup", "alias", b"some"): (b"found|c, , , d", b"found|c, d"),
        (b"lookup", "alias", b"nil"): (illegal % 2, b"not-found"),
        (b"lookup", "alias", b"empty"): (illegal % 1, b"not-found"),
        (b"lookup", "domain", b"nil"): (illegal % 3, b"not-found"),
        # Wildcards, networks and addresses of a domain, as table(5) has them.
        (b"lookup", "domain", b"a.wild.example"): (b"not-found", b"found|wild"),
        (b"check", "domain", b"a.wild.example"): (b"not-found", b"found"),
        (b"check", "mailaddr", b"me@wild.example"): (b"not-found", b"found"),
        (b"check", "netaddr", b"192.0.2.99"): (b"not-found", b"found"),
        (b"lookup", "credentials", b"one"): (b"found|hash:(null)", b"error"),
        (b"lookup", "userinfo", b"one"): (b"found|1:2:", b"not-found"),
        # Services that the program in C does not know.
        (b"check", "string", b"some"): (DIED, b"found"),
        (b"lookup", "relayhost", b"some"): (DIED, b"found|c"),
        (b"fetch", "relayhost", None): (DIED, b"found|net"),
    }


def test_a_line_feed_in_a_value(postgres: PostgresServer, tmp_path: Path) -> None:
    """C writes two lines, the second of which ends smtpd."""
    fill(postgres, random.Random("feed"))
    postgres.execute(copy("one (key, value)", ODD), DATABASE)
    conf = tmp_path / "postgres.conf"
    conf.write_text(CONF)
    with TableClient(ours("table-postgres"), conf) as table:
        assert table.lookup("alias", b"feed").startswith(b"error|")
        assert table.lookup("alias", b"some") == b"found|c, d"
