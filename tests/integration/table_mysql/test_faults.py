"""table-mysql while things befall its server; what the C program does is held where it matters."""

import threading
import time
from pathlib import Path

import pytest

from integration.support.mysql_pair import SECRET, USER, insert, lay_out, mine, theirs
from integration.support.network_scenes import until
from lab.peers.databases.mariadb import MariadbServer
from lab.peers.table_client import Died, TableClient
from lab.support import ALONE

pytestmark = ALONE
DATABASE = "faults"


@pytest.fixture
def conf(mariadb: MariadbServer, tmp_path: Path) -> Path:
    path = lay_out(mariadb, DATABASE, tmp_path)
    mariadb.execute(insert("one (name, value)", [("k", "v"), ("l", "w")]), DATABASE)
    path.write_text(path.read_text() + "timeout 0.3\n")
    return path


def fails(table: TableClient) -> bool:
    return table.lookup("alias", b"k").startswith(b"error|")


def heals(table: TableClient) -> None:
    until(lambda: not fails(table), 10)
    assert table.lookup("alias", b"k") == b"found|v"
    assert table.lookup("alias", b"l") == b"found|w"
    assert table.lookup("alias", b"nobody") == b"not-found"


def test_it_is_paused(mariadb: MariadbServer, conf: Path) -> None:
    with mine(conf)() as table:
        assert table.lookup("alias", b"k") == b"found|v"
        mariadb.pause()
        assert all(fails(table) for _ in range(5))
        mariadb.resume()
        heals(table)
        assert table.log.count("server-away") == table.log.count("server-back") == 1


def test_it_is_killed_and_comes_back(mariadb: MariadbServer, conf: Path) -> None:
    with mine(conf)() as table:
        mariadb.kill9()
        assert all(fails(table) for _ in range(5))
        mariadb.start()
        heals(table)


def test_it_is_restarted_between_two_lookups(mariadb: MariadbServer, conf: Path) -> None:
    """The connection is made anew within the lookup."""
    with mine(conf)() as table:
        for _ in range(2):
            assert table.lookup("alias", b"k") == b"found|v"
            mariadb.restart()
        assert table.lookup("alias", b"l") == b"found|w"
        assert "server-away" not in table.log


def test_its_connection_is_killed(mariadb: MariadbServer, conf: Path) -> None:
    ours = f"SELECT id FROM information_schema.processlist WHERE user = '{USER}'"
    with mine(conf)() as table:
        assert table.lookup("alias", b"k") == b"found|v"
        for id in mariadb.execute(ours).split():
            mariadb.execute(f"KILL {id}")
        assert table.lookup("alias", b"l") == b"found|w"
        assert "server-away" not in table.log


def test_it_was_not_used_for_long(mariadb: MariadbServer, conf: Path) -> None:
    """The server closes what is idle after wait_timeout."""
    mariadb.execute("SET GLOBAL wait_timeout = 1")
    try:
        with mine(conf)() as table:
            assert table.lookup("alias", b"k") == b"found|v"
            ours = f"SELECT count(*) FROM information_schema.processlist WHERE user = '{USER}'"
            until(lambda: mariadb.execute(ours) == "0\n")
            assert table.lookup("alias", b"l") == b"found|w"
            assert "server-away" not in table.log
    finally:
        mariadb.execute("SET GLOBAL wait_timeout = 28800")


def test_a_locked_table(mariadb: MariadbServer, conf: Path) -> None:
    """The answer is an error in time, and the server gives up the statement, too."""
    lock = "LOCK TABLES one WRITE; SELECT SLEEP(3);"
    holder = threading.Thread(target=mariadb.execute, args=(lock, DATABASE))
    with mine(conf)() as table:
        assert table.lookup("alias", b"k") == b"found|v"
        holder.start()
        try:
            until(lambda: fails(table))
            waiting = (
                "SELECT count(*) FROM information_schema.processlist WHERE user ="
                f" '{USER}' AND command <> 'Sleep'"
            )
            until(lambda: mariadb.execute(waiting) == "0\n", 5)
        finally:
            holder.join()
        heals(table)


def test_c_waits_as_long_as_a_table_is_locked(mariadb: MariadbServer, conf: Path) -> None:
    lock = "LOCK TABLES one WRITE; SELECT SLEEP(2);"
    with theirs(mariadb, conf)() as table:
        holder = threading.Thread(target=mariadb.execute, args=(lock, DATABASE))
        holder.start()
        held = "SELECT count(*) FROM information_schema.processlist WHERE state = 'User sleep'"
        until(lambda: mariadb.execute(held) == "1\n")
        start = time.monotonic()
        assert table.lookup("alias", b"k") == b"found|v"
        assert time.monotonic() - start > 0.5
        holder.join()


def test_it_starts_without_the_server(mariadb: MariadbServer, conf: Path) -> None:
    mariadb.stop()
    with pytest.raises(Died):
        theirs(mariadb, conf)()
    with mine(conf)() as table:
        assert "server-away" in table.log
        assert fails(table)
        mariadb.start()
        heals(table)


def test_stale_answers(mariadb: MariadbServer, conf: Path) -> None:
    """Those of a short time ago are given again, where that is said; but no passwords."""
    conf.write_text(conf.read_text() + "stale 60\n")
    mariadb.execute(insert("logins", [("k", "k", "hash")]), DATABASE)
    with mine(conf)() as table:
        assert table.lookup("alias", b"k") == b"found|v"
        assert table.lookup("alias", b"nobody") == b"not-found"
        assert table.lookup("credentials", b"k") == b"found|k:hash"
        mariadb.kill9()
        assert table.lookup("alias", b"k") == b"found|v"
        assert table.lookup("alias", b"nobody") == b"not-found"
        assert table.lookup("alias", b"l").startswith(b"error|")
        assert table.lookup("credentials", b"k").startswith(b"error|")
        mariadb.start()
        until(lambda: table.lookup("alias", b"l") == b"found|w", 10)
        heals(table)


def test_a_wrong_password(mariadb: MariadbServer, conf: Path) -> None:
    conf.write_text(conf.read_text().replace(SECRET, "wr0ng"))
    with mine(conf)() as table:
        assert "error 1045: Access denied for user 'smtpd'" in table.log
        assert fails(table)
        assert "wr0ng" not in table.log
        mariadb.account(USER, "wr0ng")
        heals(table)
    mariadb.account(USER, SECRET)


# --- ways to reach it -----------------------------------------------------------------------------


def to(conf: Path, *lines: str) -> TableClient:
    """Start ours with other lines in the place of ``host``."""
    rest = conf.read_text().split("\n", 1)[1]
    path = conf.with_name("other.conf")
    path.write_text("\n".join((*lines, rest)))
    path.chmod(0o600)
    return mine(path)()


def test_over_a_unix_socket(mariadb: MariadbServer, conf: Path) -> None:
    with to(conf, f"socket {mariadb.socket}") as table:
        assert table.lookup("alias", b"k") == b"found|v"


def test_an_account_of_the_systems_user(mariadb: MariadbServer, conf: Path) -> None:
    """MariaDB lets a user of the system in by the socket; here the one who runs the tests."""
    conf.write_text(
        f"socket {mariadb.socket}\ndatabase {DATABASE}\n"
        "query_alias SELECT value FROM one WHERE name = ?\n"
    )
    with mine(conf)() as table:
        assert table.lookup("alias", b"k") == b"found|v"


def test_options_in_a_my_cnf(mariadb: MariadbServer, conf: Path) -> None:
    options = conf.with_name("my.cnf")
    options.write_text(f"[client]\nuser={USER}\npassword='{SECRET}'\nhost=127.0.0.1\n")
    options.chmod(0o600)
    conf.write_text(
        f"defaults_file {options}\ndatabase {DATABASE}\n"
        "query_alias SELECT value FROM one WHERE name = ?\n"
    )
    with mine(conf)() as table:
        assert table.lookup("alias", b"k") == b"found|v"


SHOWN = (
    "query_string SELECT variable_value FROM information_schema.session_status"
    " WHERE variable_name = ?"
)


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_tls(mariadb: MariadbServer, conf: Path, name: str) -> None:
    lines = (f"host {name}", "port 3306", f"ssl_ca {mariadb.ca}", SHOWN)
    with to(conf, *lines) as table:
        assert table.lookup("string", b"ssl_version") == b"found|TLSv1.3"
        assert table.lookup("alias", b"k") == b"found|v"
        mariadb.restart()
        assert table.lookup("alias", b"l") == b"found|w"


@pytest.mark.parametrize("certificate", ["stranger", "other-name", "expired"])
def test_a_wrong_certificate_is_refused(
    mariadb: MariadbServer, conf: Path, certificate: str
) -> None:
    mariadb.present(certificate)
    with to(conf, "host 127.0.0.1", f"ssl_ca {mariadb.ca}") as table:
        assert "its certificate is refused" in table.log
        assert fails(table)
    if certificate == "other-name":
        with to(conf, "host 127.0.0.1", f"ssl_ca {mariadb.ca}", "ssl_verify ca") as table:
            assert table.lookup("alias", b"k") == b"found|v"


def test_an_account_that_wants_tls(mariadb: MariadbServer, conf: Path) -> None:
    mariadb.execute(f"ALTER USER '{USER}'@'%' REQUIRE SSL")
    try:
        with to(conf, "host 127.0.0.1") as table:
            assert fails(table)
        with to(conf, "host 127.0.0.1", "ssl_verify no") as table:
            assert table.lookup("alias", b"k") == b"found|v"
    finally:
        mariadb.execute(f"ALTER USER '{USER}'@'%' REQUIRE NONE")
