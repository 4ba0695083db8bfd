"""The servers that tests of tables start: each does what it is told, and a table in C asks it."""

import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from lab.peers.databases.dovecot_auth import DovecotAuth
from lab.peers.databases.mariadb import MariadbServer
from lab.peers.databases.postgres import PostgresServer
from lab.peers.databases.server import DatabaseServer
from lab.peers.databases.slapd import ADMIN, PASSWORD, SlapdServer
from lab.peers.databases.valkey import ValkeyServer
from lab.peers.table_client import TableClient, in_view, original
from lab.support import ALONE

pytestmark = ALONE
USER, SECRET = "mail", "s3cret"
NAMES = ("postgres", "mariadb", "valkey", "slapd", "dovecot_auth")


def _postgres(server: PostgresServer) -> str:
    server.database("servers")
    server.account(USER, SECRET)
    server.execute(
        "CREATE TABLE aliases (key TEXT PRIMARY KEY, value TEXT);\n"
        "COPY aliases FROM STDIN;\nroot\talice, bob\n\\.\n",
        "servers",
    )
    return (
        f"conninfo host=127.0.0.1 user={USER} password={SECRET} dbname=servers\n"
        "query_alias SELECT value FROM aliases WHERE key = $1\n"
    )


def _mariadb(server: MariadbServer) -> str:
    server.database("servers")
    server.account(USER, SECRET)
    server.execute(
        "CREATE TABLE aliases (name VARCHAR(200) PRIMARY KEY, value TEXT);"
        "INSERT INTO aliases VALUES ('root', 'alice, bob');",
        "servers",
    )
    return (
        f"host 127.0.0.1\nusername {USER}\npassword {SECRET}\ndatabase servers\n"
        "query_alias SELECT value FROM aliases WHERE name = ?\n"
    )


def _valkey(server: ValkeyServer) -> str:
    server.load([["SET", "servers:root", "alice, bob"]])
    return "master 127.0.0.1\nslave 127.0.0.1\nslave_port 6379\nquery_alias GET servers:%s\n"


def _slapd(server: SlapdServer) -> str:
    base = server.suffix("servers")
    server.execute(
        f"dn: cn=root,{base}\nobjectClass: nisMailAlias\ncn: root\n"
        "rfc822MailMember: alice\nrfc822MailMember: bob\n\n"
    )
    return (
        f"url ldap://127.0.0.1\nusername {ADMIN}\npassword {PASSWORD}\nbasedn {base}\n"
        "alias_filter (&(objectClass=nisMailAlias)(cn=%s))\nalias_attributes rfc822MailMember\n"
    )


ROWS: dict[str, tuple[str, Callable[[Any], str]]] = {
    "postgres": ("table-postgres", _postgres),
    "mariadb": ("table-mysql", _mariadb),
    "valkey": ("table-redis", _valkey),
    "slapd": ("table-ldap", _slapd),
}


@pytest.fixture
def server(request: pytest.FixtureRequest) -> DatabaseServer:
    found: DatabaseServer = request.getfixturevalue(request.param)
    return found


@pytest.mark.parametrize(("server", "name"), [(n, n) for n in ROWS], indirect=["server"], ids=ROWS)
def test_a_table_in_c_asks_it(server: DatabaseServer, name: str, tmp_path: Path) -> None:
    """Outside of its root with our files, and inside a view with the view's."""
    program, rows = ROWS[name]
    conf = tmp_path / "table.conf"
    conf.write_text(rows(server))
    with TableClient(original(server.view, program), conf) as table:
        assert table.lookup("alias", b"root") == b"found|alice, bob"
    (server.view / "etc/table.conf").write_text(conf.read_text())
    with TableClient(in_view(server.view, program), "/etc/table.conf") as table:
        assert table.lookup("alias", b"root") == b"found|alice, bob"


@pytest.mark.parametrize("server", NAMES, indirect=True)
def test_its_life(server: DatabaseServer, tmp_path: Path) -> None:
    def connects() -> bool:
        with socket.socket(socket.AF_UNIX) as client, suppress(OSError):
            client.connect(str(server.socket))
            return True
        return False

    assert connects()
    server.pause()
    first = server.pids()
    states = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2][1] for pid in first]
    assert states[0] == "T"
    assert set(states) <= {"T", "Z"}  # the first process buries no other one now
    server.resume()
    server.kill9()
    assert not connects()
    server.start()
    assert connects()
    server.stop()
    assert not connects()
    server.start()
    assert not set(first) & set(server.pids())
    other = tmp_path / "view"
    shared = server.share(other)
    assert (other / shared[1:]).is_socket()


@pytest.mark.parametrize("certificate", ["right", "stranger", "other-name", "expired"])
@pytest.mark.parametrize("server", ["valkey", "slapd"], indirect=True)
def test_its_certificates(server: DatabaseServer, certificate: str) -> None:
    """Those two have ports where TLS comes first; the others have the same files."""
    server.present(certificate)
    context = ssl.create_default_context(cafile=server.ca)

    def accepted() -> bool:
        with socket.create_connection(("127.0.0.1", server.tls_port), 30) as client:
            try:
                context.wrap_socket(client, server_hostname="localhost").close()
            except ssl.SSLCertVerificationError:
                return False
        return True

    assert accepted() == (certificate == "right")


def test_passwords_of_dovecot(dovecot_auth: DovecotAuth) -> None:
    dovecot_auth.users({USER: f"{{PLAIN}}{SECRET}"})
    assert "auth succeeded" in dovecot_auth.run("doveadm", "auth", "test", USER, SECRET)
