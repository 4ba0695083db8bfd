"""table-dovecot and a real Dovecot: schemes, odd names, failures of its own, and outages."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from integration.support.network_scenes import until
from lab.peers.databases.dovecot_auth import CONF, DovecotAuth
from lab.peers.table_client import TableClient, ours
from lab.support import ALONE

pytestmark = ALONE
PASSWORD = "Mixed Case: 'it' | ü €"
SCHEMES = ("SSHA512", "BLF-CRYPT", "SHA512-CRYPT", "ARGON2ID", "PBKDF2", "SSHA")
"""Of these crypt(3) knows one: Dovecot's bcrypt begins with $2y$."""
AWAY = """
auth_internal_failure_delay = 0
passdb imap {
  imapc_host = 127.0.0.1
  imapc_port = 1
}
"""
"""Another server that would know the rest of the users, if it were there."""


def socket_of_users(server: DovecotAuth) -> Path:
    return server.socket.with_name("auth-userdb")


def row(server: DovecotAuth, user: str, fields: str, scheme: str = "SSHA512") -> str:
    """Return a line of Dovecot's passwd-file: ``fields`` are those behind the password."""
    hashed = server.run("doveadm", "pw", "-s", scheme, "-p", PASSWORD).strip()
    return f"{user}:{hashed}:{fields}\n"


@cache
def rows(server: DovecotAuth) -> str:
    """Return all users of this file."""
    plain = "1000:1000::/home/x::"
    lines = [row(server, scheme.lower(), plain, scheme) for scheme in SCHEMES]
    lines += [
        row(server, "closed", plain + "nologin=y reason=closed"),
        row(server, "proxied", plain + "proxy=y host=192.0.2.1"),
        row(server, "alice@example.org", "1001:1002::/home/with space::"),
        row(server, "noid", "::::"),
        "strange:{NOSUCH}x:1000:1000::/home/x::\n",
    ]
    return "".join(lines)


@pytest.fixture
def dovecot(dovecot_auth: DovecotAuth) -> Iterator[DovecotAuth]:
    path, users = dovecot_auth.view / "etc/dovecot/users", rows(dovecot_auth)
    if path.read_text() != users:
        path.write_text(users)
        dovecot_auth.restart()
    dovecot_auth.configure()
    yield dovecot_auth
    dovecot_auth.configure()


@pytest.fixture
def table(dovecot: DovecotAuth, tmp_path: Path) -> Iterator[TableClient]:
    path = tmp_path / "dovecot.conf"
    path.write_text(f"auth {dovecot.socket}\nuserdb {socket_of_users(dovecot)}\ntimeout 2\n")
    with TableClient(ours("table-dovecot"), path) as table:
        yield table


def authenticate(table: TableClient, user: str, password: str = PASSWORD) -> bytes:
    return table.check("auth", f"{user}:{password}".encode("utf-8", "surrogateescape"))


def judged(table: TableClient, user: str, password: str) -> bytes:
    """Return the first answer that is no error: on a busy machine a hash can be late."""
    answers = iter(lambda: authenticate(table, user, password), None)
    return next(answer for answer in answers if not answer.startswith(b"error|"))


def test_schemes(table: TableClient) -> None:
    for scheme in SCHEMES:
        assert judged(table, scheme.lower(), PASSWORD) == b"found", scheme
        assert judged(table, scheme, PASSWORD) == b"found", scheme
        assert judged(table, scheme.lower(), PASSWORD.lower()) == b"not-found", scheme
        assert judged(table, scheme.lower(), PASSWORD + " ") == b"not-found", scheme


STRANGERS = (
    "nobody", "strange", "", " ", "%", "alice", "ssha512 ", "ssha512\t", "\tssha512", "x\ty",
    "ssha512\x01", "\udcff", "ü", "x" * 600, "ssha512|x", "*", "%u", "' OR '1'='1",
)  # fmt: skip


def test_users_who_do_not_log_in(table: TableClient) -> None:
    for user in STRANGERS:
        assert authenticate(table, user) == b"not-found", user
        assert authenticate(table, "ssha512") == b"found", user


def test_line_feeds(dovecot: DovecotAuth) -> None:
    """Before 7.9 they may be in a user name, and there auth is registered where that is forced."""
    forced = dovecot.view.parent / "forced.conf"
    forced.write_text(f"auth {dovecot.socket}\nauth_before_7.9 yes\n")
    with TableClient(ours("table-dovecot"), forced, smtpd="7.6.0") as table:
        assert table.services == ["auth"]
        assert authenticate(table, "x\nAUTH\t9\tPLAIN\tservice=smtp") == b"not-found"
        assert authenticate(table, "ssha512") == b"found"


def test_empty_passwords(table: TableClient) -> None:
    assert authenticate(table, "ssha512", "") == b"not-found"
    assert table.check("auth", b"ssha512") == b"not-found"


def test_users_who_are_kept_out(table: TableClient) -> None:
    """Their passwords are right: one may not log in, and one is another server's to check."""
    assert authenticate(table, "closed") == b"not-found"
    assert authenticate(table, "proxied").startswith(
        b"error|Dovecot did not check the password itself: it says proxy"
    )
    assert authenticate(table, "proxied", "wrong") == b"not-found"


def test_a_database_of_dovecots_that_is_away(dovecot: DovecotAuth, tmp_path: Path) -> None:
    dovecot.configure(CONF + AWAY)
    with TableClient(ours("table-dovecot"), dovecot.socket) as table:
        assert authenticate(table, "nobody").startswith(b"error|Dovecot says ")
        assert authenticate(table, "ssha512") == b"found"
        assert "server-away" not in table.log


def test_users(table: TableClient) -> None:
    found = b"found|1001:1002:/home/with space"
    assert table.lookup("userinfo", b"alice@example.org") == found
    assert table.check("mailaddr", b"alice@example.org") == b"found"
    assert table.check("mailaddr", b"alice+tag@example.org") == b"found"
    for nobody in (b"nobody", b"alice", b"@example.org", b"a\tb", b"x" * 1000, b"\xff", b"*", b""):
        assert table.lookup("userinfo", nobody) == b"not-found", nobody
        assert table.check("mailaddr", nobody) == b"not-found", nobody
    assert table.lookup("userinfo", b"noid") == (
        b"error|Dovecot's userdb gives no uid that is a number; have userdb set uid, gid and home"
    )
    assert table.check("userinfo", b"noid") == b"found"


def test_a_new_configuration_counts_at_once(dovecot: DovecotAuth, table: TableClient) -> None:
    """A process of Dovecot's that has clients goes on with the old one until they leave."""
    assert authenticate(table, "ssha512") == b"found"
    (dovecot.view / "etc/dovecot/others").write_text("")
    dovecot.configure(CONF.replace("/etc/dovecot/users", "/etc/dovecot/others"))
    assert authenticate(table, "ssha512") == b"not-found"
    assert table.check("userinfo", b"ssha512") == b"not-found"
    dovecot.configure(CONF)
    assert authenticate(table, "ssha512") == b"found"


def test_a_restart_is_not_seen(dovecot: DovecotAuth, table: TableClient) -> None:
    for _ in range(2):
        assert authenticate(table, "ssha512") == b"found"
        assert table.check("userinfo", b"ssha512") == b"found"
        dovecot.restart()
    assert table.log == ""


def test_outages(dovecot: DovecotAuth, table: TableClient) -> None:
    for befall in (dovecot.stop, dovecot.kill9, dovecot.pause):
        assert authenticate(table, "ssha512") == b"found"
        befall()
        for _ in range(3):
            assert authenticate(table, "ssha512").startswith(b"error|")
        dovecot.heal()
        until(lambda: authenticate(table, "ssha512") == b"found")
        assert authenticate(table, "ssha512", "wrong") == b"not-found"


def test_it_starts_without_dovecot(dovecot: DovecotAuth) -> None:
    dovecot.stop()
    with TableClient(ours("table-dovecot"), dovecot.socket) as table:
        assert authenticate(table, "ssha512").startswith(b"error|")
        dovecot.start()
        until(lambda: authenticate(table, "ssha512") == b"found")


def test_refusals_that_are_held_back(dovecot: DovecotAuth) -> None:
    """Dovecot's own setting. All mail waits as long, so the log says it; others still log in."""
    dovecot.configure(CONF.replace("auth_failure_delay = 0\n", ""))
    with TableClient(ours("table-dovecot"), dovecot.socket) as table:
        refused = [authenticate(table, "ssha512", "wrong") for _ in range(2)]
        late = b"error|Dovecot did not judge the password in time"  # on a busy machine
        assert set(refused) <= {b"not-found", late}
        assert authenticate(table, "ssha512") == b"found"
        assert table.log.count("auth-delayed") == 1
        assert "server-away" not in table.log


def test_no_secret_in_the_log(table: TableClient, dovecot: DovecotAuth) -> None:
    secret = "xyzzy-" + "secret"
    authenticate(table, "ssha512", secret)
    authenticate(table, "proxied")
    dovecot.kill9()
    authenticate(table, "ssha512", secret)
    assert "auth-failed" in table.log
    assert secret not in table.log
    assert PASSWORD not in table.log


def test_a_password_longer_than_a_line_of_dovecots(table: TableClient) -> None:
    """Dovecot hangs up at such a line: that must not count as a server that is away."""
    for length in (4000, 5000, 13000, 20000):
        assert authenticate(table, "ssha512", "x" * length) == b"not-found"
        assert authenticate(table, "ssha512") == b"found"
    assert table.log == ""
