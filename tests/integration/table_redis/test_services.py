"""Services of table-redis that the program in C has not: wildcards, passwords, lists, updates."""

from pathlib import Path

import pytest

from lab.peers.databases.valkey import ValkeyServer
from lab.peers.table_client import TableClient, ours
from lab.root import inside
from lab.support import ALONE

pytestmark = ALONE
DATABASE = 7
WHERE = f"master 127.0.0.1\ndatabase {DATABASE}\n"
PASSWORD = "Secret: pässword"


@pytest.fixture
def server(valkey: ValkeyServer) -> ValkeyServer:
    valkey.execute("FLUSHDB", database=DATABASE)
    return valkey


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o600)
    return path


ROWS = {
    "domain": ["*.example.org", "example.com"],
    "netaddr": ["192.0.2.0/24", "[2001:db8::/32]"],
    "mailaddr": ["@example.org", "bob@*.example.net"],
}
MATCHES = [
    ("domain", b"mx.example.org", b"found"),
    ("domain", b"example.com", b"found"),
    ("domain", b"example.org", b"not-found"),
    ("netaddr", b"192.0.2.77", b"found"),
    ("netaddr", b"192.0.3.1", b"not-found"),
    ("netaddr", b"2001:db8::7", b"found"),
    ("netaddr", b"2001:db9::7", b"not-found"),
    ("mailaddr", b"alice@example.org", b"found"),
    ("mailaddr", b"bob+x@mx.example.net", b"found"),
    ("mailaddr", b"alice@mx.example.net", b"not-found"),
]


@pytest.mark.parametrize("patterns", [False, True])
def test_wildcards(server: ValkeyServer, tmp_path: Path, patterns: bool) -> None:
    server.load([["SADD", name, *rows] for name, rows in ROWS.items()], DATABASE)
    text = WHERE + "".join(f"query_{name} SISMEMBER {name} %s\n" for name in ROWS)
    if patterns:
        text += "".join(f"patterns_{name} SMEMBERS {name}\n" for name in ROWS)
    with TableClient(ours("table-redis"), written(tmp_path / "conf", text)) as asked:
        assert [(name, key, asked.check(name, key)) for name, key, _ in MATCHES] == MATCHES


def test_no_wildcards_where_they_are_not_wanted(server: ValkeyServer, tmp_path: Path) -> None:
    server.load([["SADD", name, *rows] for name, rows in ROWS.items()], DATABASE)
    text = f"{WHERE}match netaddr\n" + "".join(f"query_{n} SISMEMBER {n} %s\n" for n in ROWS)
    with TableClient(ours("table-redis"), written(tmp_path / "conf", text)) as asked:
        assert asked.check("netaddr", b"192.0.2.77") == b"found"
        assert asked.check("domain", b"mx.example.org") == b"not-found"
        assert asked.check("domain", b"*.example.org") == b"found"


def test_expressions(server: ValkeyServer, tmp_path: Path) -> None:
    server.load([["SADD", "regex", "^spam[0-9]+@"]], DATABASE)
    text = f"{WHERE}query_regex SISMEMBER regex %s\npatterns_regex SMEMBERS regex\n"
    with TableClient(ours("table-redis"), written(tmp_path / "conf", text)) as asked:
        assert asked.check("regex", b"spam7@example.org") == b"found"
        assert asked.check("regex", b"spam@example.org") == b"not-found"


def test_passwords(server: ValkeyServer, tmp_path: Path) -> None:
    hashed = inside.done(server.view, "smtpctl", "encrypt", PASSWORD).strip()
    server.load([["HSET", "user:alice", "login", "alice", "passwd", hashed]], DATABASE)
    text = f"{WHERE}query_auth HMGET user:%s login passwd\n"
    with TableClient(ours("table-redis"), written(tmp_path / "conf", text)) as asked:
        assert "auth" in asked.services
        assert asked.check("auth", f"alice:{PASSWORD}".encode()) == b"found"
        assert asked.check("auth", b"alice:secret") == b"not-found"
        assert asked.check("auth", b"alice:") == b"not-found"
        assert asked.check("auth", f"nobody:{PASSWORD}".encode()) == b"not-found"
        assert "ssword" not in asked.log
    with TableClient(ours("table-redis"), tmp_path / "conf", smtpd="7.6.0") as asked:
        assert "auth" not in asked.services


def test_a_list_that_is_taken_in_turn(server: ValkeyServer, tmp_path: Path) -> None:
    server.load([["SADD", "sources", "192.0.2.3", "192.0.2.1", "192.0.2.2"]], DATABASE)
    text = f"{WHERE}fetch_source SMEMBERS sources\nfetch_source_refresh 4\n"
    with TableClient(ours("table-redis"), written(tmp_path / "conf", text)) as asked:
        four = [b"found|192.0.2.1", b"found|192.0.2.2", b"found|192.0.2.3", b"found|192.0.2.1"]
        assert [asked.fetch("source") for _ in range(4)] == four
        server.execute("DEL", "sources", database=DATABASE)
        assert asked.fetch("source") == b"not-found"


def test_updates(server: ValkeyServer, tmp_path: Path) -> None:
    """What is read again is what the sandbox of the start lets it read."""
    server.load([["SET", "a:k", "1"], ["SET", "b:k", "2"]], DATABASE)
    secret = tmp_path / "secret"
    secret.write_text("s3cret\n")
    secret.chmod(0o600)
    server.account("mail", "s3cret")
    where = (
        f"master localhost\nmaster_port {server.tls_port}\ntls yes\ntls_ca {server.ca}\n"
        f"user mail\npassword_file {secret}\ndatabase {DATABASE}\n"
    )
    conf = written(tmp_path / "conf", f"{where}query_alias GET a:%s\n")
    with TableClient(ours("table-redis"), conf) as asked:
        assert asked.lookup("alias", b"k") == b"found|1"
        written(conf, f"{where}query_alias GET b:%s\n")
        assert asked.update() == b"ok"
        assert asked.lookup("alias", b"k") == b"found|2"
        secret.write_text("wrong\n")
        assert asked.update().startswith(b"error|")
        assert asked.lookup("alias", b"k") == b"found|2"
        assert "wrong" not in asked.log.lower().replace("wrongpass", "")


def test_tls_that_comes_with_an_update(server: ValkeyServer, tmp_path: Path) -> None:
    server.load([["SET", "a:k", "1"]], DATABASE)
    conf = written(tmp_path / "conf", f"{WHERE}query_alias GET a:%s\n")
    with TableClient(ours("table-redis"), conf) as asked:
        assert asked.lookup("alias", b"k") == b"found|1"
        encrypted = f"master_port {server.tls_port}\ntls yes\ntls_ca {server.ca}\n"
        written(conf, f"{WHERE}{encrypted}query_alias GET a:%s\n")
        answer = asked.update()
        assert answer.startswith(b"error|")
        assert b"restart smtpd" in answer
        assert asked.lookup("alias", b"k") == b"found|1"
