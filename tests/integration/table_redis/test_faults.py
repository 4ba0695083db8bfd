"""table-redis while things befall a real Valkey, or one of the two is configured wrongly."""

import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from integration.support.network_scenes import until
from lab.peers.databases.valkey import ValkeyServer
from lab.peers.table_client import TableClient, ours
from lab.root import inside
from lab.support import ALONE

pytestmark = ALONE
HOST = "master 127.0.0.1\n"
QUERY = "query_alias GET faults:%s\n"
SECRET = "s3cret"


@pytest.fixture
def server(valkey: ValkeyServer) -> ValkeyServer:
    valkey.load([["SET", f"faults:user{number}", f"alias{number}"] for number in range(20)])
    valkey.load([["SET", f"credentials:user{number}", f"u:h{number}"] for number in range(3)])
    return valkey


def written(path: Path, *lines: str) -> Path:
    conf = path / "redis.conf"
    conf.write_text("".join(lines))
    conf.chmod(0o600)
    return conf


def table(path: Path, *lines: str) -> TableClient:
    return TableClient(ours("table-redis"), written(path, *lines))


def checked(path: Path, *lines: str) -> tuple[int, str]:
    """Return the exit status of ``-n``, and what it says."""
    command = [*ours("table-redis"), "-n", str(written(path, *lines))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


def right(asked: TableClient, number: int = 7) -> bool:
    answer = asked.lookup("alias", b"user%d" % number)
    assert answer == b"found|alias%d" % number or answer.startswith(b"error")
    return answer.startswith(b"found")


def test_a_connection_that_is_closed_is_made_again_within_the_request(
    server: ValkeyServer, tmp_path: Path
) -> None:
    for where in (HOST, f"master unix:{server.socket}\n"):
        with table(tmp_path, where, QUERY) as asked:
            assert asked.lookup("alias", b"user1") == b"found|alias1"
            server.execute("CLIENT", "KILL", "TYPE", "normal")
            assert asked.lookup("alias", b"user2") == b"found|alias2"
            server.restart()
            assert asked.lookup("alias", b"user3") == b"found|alias3"
            assert asked.lookup("alias", b"none") == b"not-found"
            assert "server-away" not in asked.log


@pytest.mark.parametrize("befall", ["pause", "kill9", "stop"])
def test_it_heals(server: ValkeyServer, tmp_path: Path, befall: str) -> None:
    with table(tmp_path, HOST, QUERY, "timeout 0.2\n") as asked:
        assert right(asked)
        getattr(server, befall)()
        for number in range(10):
            assert asked.lookup("alias", b"user%d" % number).startswith(b"error")
        server.heal()
        until(lambda: right(asked, 9))
        for number in range(20):
            assert asked.lookup("alias", b"user%d" % number) == b"found|alias%d" % number
        assert asked.log.count("server-away") == 1
        assert asked.log.count("server-back") == 1


def test_a_script_that_does_not_end_is_a_server_that_is_away(
    server: ValkeyServer, tmp_path: Path
) -> None:
    server.execute("CONFIG", "SET", "busy-reply-threshold", "10")
    thread = threading.Thread(target=_spin, args=(server,))
    with table(tmp_path, HOST, QUERY, "timeout 0.2\n") as asked:
        assert right(asked)
        thread.start()
        until(lambda: not right(asked))
        until(lambda: _killed(server))
        thread.join()
        until(lambda: right(asked))


def _spin(server: ValkeyServer) -> None:
    with suppress(inside.CommandError):  # it is killed
        server.execute("EVAL", "while true do end", "0")


def _killed(server: ValkeyServer) -> bool:
    with suppress(inside.CommandError):
        server.execute("SCRIPT", "KILL")
        return True
    return False


def test_old_answers_where_that_is_wanted(server: ValkeyServer, tmp_path: Path) -> None:
    with table(tmp_path, HOST, QUERY, "stale 600\ntimeout 0.2\n") as asked:
        assert right(asked)
        assert asked.lookup("alias", b"none") == b"not-found"
        assert asked.lookup("credentials", b"user1") == b"found|u:h1"
        server.kill9()
        assert asked.lookup("alias", b"user7") == b"found|alias7"
        assert asked.lookup("alias", b"none") == b"not-found"
        assert asked.lookup("alias", b"user8").startswith(b"error")
        assert asked.lookup("credentials", b"user1").startswith(b"error")
        server.heal()
        until(lambda: right(asked, 8))


# --- passwords and users --------------------------------------------------------------------------


@pytest.fixture
def protected(server: ValkeyServer) -> Iterator[ValkeyServer]:
    """Valkey with a user who may read aliases, and nobody else."""
    server.execute("ACL", "SETUSER", "mail", "reset", "on", f">{SECRET}", "~faults:*", "+get")
    server.execute("ACL", "SETUSER", "default", f">{SECRET}0")
    try:
        yield server
    finally:
        server.run("valkey-cli", "-s", "/run/valkey/valkey.sock", "-a", f"{SECRET}0", "ACL",
                   "SETUSER", "default", "nopass")  # fmt: skip
        server.execute("ACL", "DELUSER", "mail")


def test_passwords(protected: ValkeyServer, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    (tmp_path / "secret").chmod(0o600)
    for login in (
        f"user mail\npassword {SECRET}\n",
        f"user mail\npassword_file {tmp_path}/secret\n",
        f"password {SECRET}0\n",
    ):
        with table(tmp_path, HOST, QUERY, login) as asked:
            assert right(asked)
    with table(tmp_path, f"url redis://mail:{SECRET}@127.0.0.1\n", QUERY) as asked:
        assert right(asked)


@pytest.mark.parametrize(
    ("login", "reason"),
    [
        ("password wrong\n", "it refuses AUTH: WRONGPASS"),
        ("user nobody\npassword wrong\n", "it refuses AUTH: WRONGPASS"),
        ("", "it refuses PING: NOAUTH"),
    ],
)
def test_a_wrong_password(protected: ValkeyServer, tmp_path: Path, login: str, reason: str) -> None:
    status, said = checked(tmp_path, HOST, QUERY, login)
    assert (status, said.count("\n")) == (1, 1)
    assert f"redis.conf:1: 127.0.0.1:6379: {reason}" in said
    with table(tmp_path, HOST, QUERY, login) as asked:
        assert asked.lookup("alias", b"user7").startswith(b"error")
        assert asked.lookup("alias", b"user7").startswith(b"error")
        assert reason in asked.log
        assert "wrong" not in asked.log.lower().replace("wrongpass", "")


def test_a_user_who_may_not_read_all(protected: ValkeyServer, tmp_path: Path) -> None:
    login = f"user mail\npassword {SECRET}\n"
    with table(tmp_path, HOST, login, QUERY, "query_domain GET domain:%s\n") as asked:
        assert asked.check("domain", b"example.org").startswith(b"error")
        assert right(asked)
    # COMMAND is refused to him, so that -n finds nothing; else it says what it is that he may not.
    assert checked(tmp_path, HOST, login, QUERY)[0] == 0
    (tmp_path / "all").mkdir()
    _as_admin(protected, "ACL", "SETUSER", "mail", "+command")
    status, said = checked(tmp_path, HOST, login, QUERY, "query_domain GET domain:%s\n")
    assert status == 1
    assert "NOPERM" in said
    assert "see ACL SETUSER" in said


def _as_admin(server: ValkeyServer, *words: str) -> None:
    server.run("valkey-cli", "-s", "/run/valkey/valkey.sock", "-a", f"{SECRET}0", *words)


# --- TLS ------------------------------------------------------------------------------------------


def tls(server: ValkeyServer, authority: Path, host: str = "127.0.0.1") -> str:
    return f"master {host}\nmaster_port {server.tls_port}\ntls yes\ntls_ca {authority}\n"


def test_within_tls(server: ValkeyServer, tmp_path: Path) -> None:
    for where in (
        tls(server, server.ca),
        tls(server, server.ca, "localhost"),
        f"url rediss://localhost:{server.tls_port}\ntls_ca {server.ca}\n",
    ):
        assert checked(tmp_path, where, QUERY) == (
            0,
            "table-redis: configuration OK, read as root\n",
        )
        with table(tmp_path, where, QUERY) as asked:
            assert right(asked)
            server.execute("CLIENT", "KILL", "TYPE", "normal")
            assert right(asked)
            assert "server-away" not in asked.log


@pytest.mark.parametrize(
    ("shown", "authority", "reason"),
    [
        ("right", "stranger_ca", "its certificate is refused: "),
        ("stranger", "ca", "its certificate is refused: "),
        ("other-name", "ca", "its certificate is refused: IP address mismatch"),
        ("expired", "ca", "its certificate is refused: certificate has expired"),
    ],
)
def test_a_certificate_that_is_not_to_be_trusted(
    server: ValkeyServer, tmp_path: Path, shown: str, authority: str, reason: str
) -> None:
    if shown != "right":
        server.present(shown)
    where = tls(server, getattr(server, authority))
    status, said = checked(tmp_path, where, QUERY)
    assert status == 1
    assert reason in said
    with table(tmp_path, where, QUERY) as asked:
        assert asked.lookup("alias", b"user7").startswith(b"error")
        assert reason in asked.log


def test_tls_where_there_is_none(server: ValkeyServer, tmp_path: Path) -> None:
    """Valkey waits for more, on either port."""
    encrypted = tls(server, server.ca).replace(f"{server.tls_port}", f"{server.port}")
    for where in (encrypted, f"master 127.0.0.1\nmaster_port {server.tls_port}\n"):
        with table(tmp_path, where, QUERY, "timeout 0.2\n") as asked:
            assert asked.lookup("alias", b"user7").startswith(b"error")


# --- two servers ----------------------------------------------------------------------------------


@contextmanager
def second(server: ValkeyServer, port: int) -> Iterator[Callable[..., str]]:
    """Run another Valkey; yields what runs a command on it."""
    words = ("valkey-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "")
    command = [inside.CHROOT, str(server.view), *words]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd="/", env=inside.ENVIRONMENT)

    def execute(*asked: str) -> str:
        return server.run("valkey-cli", "-p", str(port), *asked)

    try:
        until(lambda: _answers(execute))
        yield execute
    finally:
        process.kill()
        process.wait()


def _answers(execute: Callable[..., str]) -> bool:
    with suppress(inside.CommandError):
        return execute("PING") == "PONG\n"
    return False


@pytest.mark.parametrize("befall", ["pause", "kill9"])
def test_the_slave_is_asked_while_the_master_is_away(
    server: ValkeyServer, tmp_path: Path, befall: str
) -> None:
    server.execute("SET", "faults:which", "master")
    where = f"{HOST}slave 127.0.0.1\nslave_port 6399\n"
    with second(server, 6399) as execute, table(tmp_path, where, QUERY) as asked:
        execute("SET", "faults:which", "slave")
        assert asked.lookup("alias", b"which") == b"found|master"
        getattr(server, befall)()
        for _ in range(20):
            assert asked.lookup("alias", b"which") == b"found|slave"
        time.sleep(0.6)  # the master is tried again meanwhile, and the slave answers
        assert asked.lookup("alias", b"which") == b"found|slave"
        server.heal()
        until(lambda: asked.lookup("alias", b"which") == b"found|master")
        for _ in range(20):
            assert asked.lookup("alias", b"which") == b"found|master"
        assert asked.log.count("server-away") == 0
        assert asked.log.count("server-used server=127.0.0.1:6399") == 1
        assert asked.log.count("server-used server=127.0.0.1:6379") == 1


# --- the check of a configuration -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "fault"),
    [
        ("query_alias GTE %s\n", "redis.conf:2: query_alias: the server has no command GTE; "),
        ("query_alias GET %s x\n", "redis.conf:2: query_alias: GET and its operands are 3 words"),
        ("query_alias BLPOP %s 1\n", "redis.conf:2: query_alias: BLPOP waits for others; "),
        ("query_alias TYPE %s\n", "redis.conf:2: query_alias: TYPE gives a status, and no value; "),
        ("fetch_source SMEMBERS faults:user1\n", "redis.conf:2: fetch_source: WRONGTYPE "),
        ("query_alias GET x\n", "redis.conf:2: query_alias gives one answer for all keys; "),
    ],
)
def test_what_the_server_finds_wrong(
    server: ValkeyServer, tmp_path: Path, query: str, fault: str
) -> None:
    status, said = checked(tmp_path, HOST, query)
    assert (status, said.count("\n")) == (1, 1)
    assert fault in said


def test_a_database_that_there_is_not(server: ValkeyServer, tmp_path: Path) -> None:
    status, said = checked(tmp_path, HOST, "database 999\n")
    assert status == 1
    assert "it refuses SELECT: ERR" in said


def test_no_server(server: ValkeyServer, tmp_path: Path) -> None:
    server.stop()
    status, said = checked(tmp_path, HOST, QUERY)
    assert status == 1
    assert "redis.conf:1: 127.0.0.1:6379: Connection refused" in said
