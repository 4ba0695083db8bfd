"""table-postgres while things befall its server, and with a server that it must not trust."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.support.network_scenes import until
from lab.peers.databases.postgres import PostgresServer
from lab.peers.table_client import TableClient, ours
from lab.support import ALONE

pytestmark = ALONE
DATABASE, USER, SECRET = "faults", "mail", "s3cret-of-mail"
QUERY = "query_alias SELECT value FROM aliases WHERE key = $1\n"
TCP = f"conninfo host=127.0.0.1 user={USER} password={SECRET} dbname={DATABASE}"
ROWS = (
    "CREATE TABLE aliases (key TEXT PRIMARY KEY, value TEXT);\n"
    "COPY aliases FROM STDIN;\nroot\talice\n\\.\n"
)


@pytest.fixture
def conf(postgres: PostgresServer, tmp_path: Path) -> Path:
    postgres.database(DATABASE)
    postgres.account(USER, SECRET)
    postgres.execute(ROWS, DATABASE)
    return _written(tmp_path, f"{TCP}\n{QUERY}")


def _written(folder: Path, text: str) -> Path:
    path = folder / "postgres.conf"
    path.write_text(text)
    path.chmod(0o640)
    return path


@pytest.fixture
def table(conf: Path) -> Iterator[TableClient]:
    with TableClient(ours("table-postgres"), conf) as client:
        yield client
        assert SECRET not in client.log


def _answers(client: TableClient) -> bool:
    return client.lookup("alias", b"root") == b"found|alice"


def _checked(conf: Path) -> tuple[int, str]:
    """Run ``-n``; return its status and its last line."""
    command = [*ours("table-postgres"), "-n", str(conf)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert SECRET not in done.stdout + done.stderr
    return done.returncode, (done.stdout + done.stderr).strip().rpartition("\n")[2]


def test_a_connection_that_is_ended(postgres: PostgresServer, table: TableClient) -> None:
    """Within the request: no answer is an error."""
    assert _answers(table)
    ended = (
        f"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = '{USER}';"
    )
    for _ in range(5):
        assert postgres.execute(ended) == "1\n"
        assert _answers(table)
    postgres.restart()
    assert _answers(table)


def test_a_paused_server(postgres: PostgresServer, table: TableClient) -> None:
    assert _answers(table)
    postgres.pause()
    first = time.monotonic()
    assert table.lookup("alias", b"root").startswith(b"error|")
    assert time.monotonic() - first > 0.5  # it has waited, not given up
    assert table.lookup("alias", b"root").startswith(b"error|")
    postgres.resume()
    until(lambda: _answers(table), 10)
    assert table.lookup("alias", b"nobody") == b"not-found"


def test_a_server_that_is_killed(postgres: PostgresServer, table: TableClient) -> None:
    pid = table.process.pid
    assert _answers(table)
    postgres.kill9()
    assert table.lookup("alias", b"root").startswith(b"error|")
    postgres.start()
    until(lambda: _answers(table), 10)
    assert table.process.poll() is None
    assert table.process.pid == pid


def test_it_starts_without_the_server(postgres: PostgresServer, conf: Path) -> None:
    postgres.stop()
    assert _checked(conf)[0] == 1
    with TableClient(ours("table-postgres"), conf) as client:
        assert client.lookup("alias", b"root").startswith(b"error|")
        assert client.log.count("server-away") == 1
        postgres.start()
        until(lambda: _answers(client), 10)
        assert client.log.count("server-back") == 1


def test_a_locked_table(postgres: PostgresServer, table: TableClient) -> None:
    """The server is well, and the query waits: the deadline holds, and then the server's own."""
    assert _answers(table)
    waiting = (
        f"SELECT count(*) FROM pg_stat_activity WHERE usename = '{USER}' AND state = 'active';"
    )
    lock = "BEGIN; LOCK TABLE aliases; SELECT pg_sleep(3);"
    locking = subprocess.Popen(
        [*_psql(postgres), "-d", DATABASE, "-c", lock], stdout=subprocess.DEVNULL
    )
    held = (
        "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND relation IS NOT NULL"
    )
    until(lambda: postgres.execute(f"{held};") != "0\n")
    assert table.lookup("alias", b"root").startswith(b"error|")
    locking.wait()
    until(lambda: _answers(table), 10)
    until(lambda: postgres.execute(waiting) == "0\n")


def _psql(postgres: PostgresServer) -> list[str]:
    return ["psql", "-h", str(postgres.socket.parent), "-U", "postgres", "-q"]


def test_a_table_that_is_changed(postgres: PostgresServer, conf: Path) -> None:
    """Statements that were prepared before are of no use then: C answers errors for ever."""
    conf.write_text(f"{TCP}\nquery_alias SELECT * FROM others WHERE key = $1\n")
    with TableClient(ours("table-postgres"), conf) as client:
        assert "query_alias: relation" in client.log
        assert client.lookup("alias", b"root").startswith(b"error|")
        postgres.execute("CREATE TABLE others AS SELECT value, key FROM aliases;", DATABASE)
        assert _answers(client)
        postgres.execute("ALTER TABLE others ADD COLUMN more TEXT;", DATABASE)
        assert _answers(client)


@pytest.mark.parametrize("state", ["08001", "57P01", "0A000"])
def test_a_query_that_fails_as_if_the_server_were_gone(
    postgres: PostgresServer, conf: Path, state: str
) -> None:
    """A foreign table, say, whose own server is away: the other queries have their answers."""
    function = (
        "CREATE FUNCTION fails(TEXT) RETURNS TEXT LANGUAGE plpgsql AS"
        f" $$ BEGIN RAISE 'it fails' USING ERRCODE = '{state}'; END $$;"
    )
    postgres.execute(function, DATABASE)
    with conf.open("a") as file:
        file.write("query_string SELECT fails($1)\n")
    with TableClient(ours("table-postgres"), conf) as client:
        for _ in range(3):
            assert client.lookup("string", b"k") == b"error|it fails (SQLSTATE %s)" % state.encode()
            assert _answers(client)
        assert "server-away" not in client.log


def test_a_wrong_password(conf: Path) -> None:
    conf.write_text(f"{TCP}\n{QUERY}".replace(SECRET, "wrong"))
    status, line = _checked(conf)
    assert status == 1
    assert f"{conf}:1: " in line
    assert 'password authentication failed for user "mail"' in line
    with TableClient(ours("table-postgres"), conf) as client:
        assert client.lookup("alias", b"root").startswith(b"error|")


@pytest.mark.parametrize(
    ("certificate", "good"),
    [("right", True), ("stranger", False), ("other-name", False), ("expired", False)],
)
def test_certificates(postgres: PostgresServer, conf: Path, certificate: str, good: bool) -> None:
    conf.write_text(f"{TCP} sslmode=verify-full sslrootcert={postgres.ca}\n{QUERY}")
    postgres.present(certificate)
    try:
        with TableClient(ours("table-postgres"), conf) as client:
            assert client.lookup("alias", b"root").startswith(b"found|" if good else b"error|")
            assert ("certificate" in client.log) != good
    finally:
        postgres.present("right")


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("query_domain SELECT 1", "query_domain: it never uses the key"),
        ("query_domain SELECT $1::text || $2", "it has 2 parameters and should have 1"),
        ("query_userinfo SELECT 1, 2 WHERE $1 = ''", "it gives 2 columns and should give 3"),
        ("query_domain SELECT nothing FROM aliases WHERE key = $1", "query_domain: column"),
        ("query_domain SELEC $1", "query_domain: syntax error"),
        ("query_domain INSERT INTO aliases VALUES ($1, '') RETURNING key", "permission denied"),
        ("fetch_source SELECT key FROM aliases WHERE key = $1", "it has 1 parameters and should"),
        ("patterns_domain SELECT missing FROM aliases", "patterns_domain: column"),
    ],
)  # fmt: skip
def test_what_the_server_finds_wrong(conf: Path, lines: str, message: str) -> None:
    """An error with its line for -n; logged at start, and the other services answer."""
    conf.write_text(f"# A comment.\n{TCP}\n{QUERY}{lines}\n")
    status, line = _checked(conf)
    assert status == 1
    assert f"{conf}:4: " in line
    assert message in line
    with TableClient(ours("table-postgres"), conf) as client:
        until(lambda: _answers(client), 10)
        assert message in client.log


def test_nothing_is_written(postgres: PostgresServer, conf: Path) -> None:
    write = "query_domain INSERT INTO aliases VALUES ($1, '') RETURNING key"
    postgres.execute(f'GRANT INSERT ON aliases TO "{USER}";', DATABASE)
    conf.write_text(f"{TCP}\n{QUERY}{write}\n")
    assert _checked(conf)[1].endswith("postgres.conf:3: query_domain: it may only SELECT")
    with TableClient(ours("table-postgres"), conf) as client:
        assert client.lookup("domain", b"new").startswith(b"error|")
    assert postgres.execute("SELECT count(*) FROM aliases;", DATABASE) == "1\n"


def test_statements_that_are_not_prepared(postgres: PostgresServer, conf: Path) -> None:
    conf.write_text(f"{TCP}\n{QUERY}prepare no\n")
    kept = "SELECT count(*) FROM pg_prepared_statements;"
    assert _checked(conf)[0] == 0
    with TableClient(ours("table-postgres"), conf) as client:
        assert _answers(client)
        assert client.lookup("alias", b"nobody") == b"not-found"
    assert postgres.execute(kept, DATABASE) == "0\n"


def test_places(postgres: PostgresServer, conf: Path, tmp_path: Path) -> None:
    """A socket, a name, the first of several that answers, a file of passwords, a service."""
    passwords = tmp_path / "passwords"
    passwords.write_text(f"*:*:*:{USER}:{SECRET}\n")
    passwords.chmod(0o600)
    rest = f"user={USER} dbname={DATABASE} passfile={passwords}"
    for place in (
        f"conninfo host={postgres.socket.parent} user={USER} dbname={DATABASE}",
        f"conninfo host=localhost {rest}",
        f"conninfo host=127.0.0.1,127.0.0.1 port=1,5432 {rest}",
        f"conninfo host=no.such.host.example,127.0.0.1 {rest}",
        f"conninfo postgresql://{USER}:{SECRET}@127.0.0.1:5432/{DATABASE}?sslmode=require",
    ):
        conf.write_text(f"{place}\n{QUERY}")
        with TableClient(ours("table-postgres"), conf) as client:
            assert _answers(client), place


def test_many_candidates_in_one_question(postgres: PostgresServer, conf: Path) -> None:
    """An IPv6 address has 259 keys that may match it."""
    postgres.execute("INSERT INTO aliases VALUES ('2001:db8::/32', 'net');", DATABASE)
    query = "query_netaddr SELECT value FROM aliases WHERE key = $1\n"
    conf.write_text(f"{TCP}\n{QUERY}{query}")
    with TableClient(ours("table-postgres"), conf) as client:
        assert client.lookup("netaddr", b"2001:db8:ffff::1") == b"found|net"
        assert client.check("netaddr", b"2001:db9::1") == b"not-found"


def test_rows_of_patterns_and_lists(postgres: PostgresServer, conf: Path) -> None:
    postgres.execute(
        "COPY aliases FROM STDIN;\n*.example.org\t192.0.2.2\n10.0.0.0/8\t192.0.2.1\n"
        "other\t\\N\n\\.\n",
        DATABASE,
    )
    conf.write_text(
        f"{TCP}\n{QUERY}query_netaddr SELECT key FROM aliases WHERE key = $1\n"
        "patterns_netaddr SELECT key FROM aliases WHERE key LIKE '%/%'\n"
        "fetch_source SELECT value FROM aliases WHERE value LIKE '192%'\n"
    )
    with TableClient(ours("table-postgres"), conf) as client:
        assert client.lookup("netaddr", b"10.1.2.3") == b"found|10.0.0.0/8"
        fetched = [client.fetch("source") for _ in range(3)]
        assert fetched == [b"found|192.0.2.1", b"found|192.0.2.2", b"found|192.0.2.1"]


def test_a_long_list_within_tls(postgres: PostgresServer, conf: Path) -> None:
    """It takes many records of TLS, parts of which libpq leaves in its buffers."""
    rows = "SELECT 'd' || n || '.example.org', '' FROM generate_series(1, 100000) n"
    postgres.execute(f"INSERT INTO aliases {rows};", DATABASE)
    conf.write_text(
        f"{TCP} sslmode=require\n{QUERY}timeout 2\n"
        "query_domain SELECT key FROM aliases WHERE key = $1\n"
        "patterns_domain SELECT key FROM aliases ORDER BY key = '*.example.net'\n"
    )
    postgres.execute("INSERT INTO aliases VALUES ('*.example.net', '');", DATABASE)
    with TableClient(ours("table-postgres"), conf) as client:
        assert client.check("domain", b"a.example.net") == b"found"
        assert client.check("domain", b"d100000.example.org") == b"found"
        assert client.check("domain", b"a.example.com") == b"not-found"
        assert "server-away" not in client.log


def test_an_update(postgres: PostgresServer, conf: Path) -> None:
    """A configuration that cannot be used is not used: C says ok."""
    with TableClient(ours("table-postgres"), conf) as client:
        assert client.lookup("domain", b"root").startswith(b"error|")
        conf.write_text(f"{TCP}\n{QUERY}query_domain SELECT key FROM aliases WHERE key = $1\n")
        assert client.update() == b"ok"
        assert client.lookup("domain", b"root") == b"found|root"
        conf.write_text(f"{TCP}\n{QUERY}query_domain SELECT nothing FROM aliases WHERE key = $1\n")
        assert client.update().startswith(b"error|")
        assert client.lookup("domain", b"root") == b"found|root"
