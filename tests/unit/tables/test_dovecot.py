"""table-dovecot, with a Dovecot that says what a test has it say."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from opensmtpd.backends.dovecot.config import read
from opensmtpd.backends.network.table import NetworkTable
from opensmtpd.errors import VersionError
from opensmtpd_tables import dovecot
from unit.support.processes import CHECKED
from unit.support.scripted_dovecot import GREETING, USERS_GREETING, greets, records
from unit.support.scripted_server import Talk as Script
from unit.support.scripted_server import scripted
from unit.support.table_talk import Talk, flags, program

make = partial(NetworkTable, read)


def configured(tmp_path: Path, more: str = "") -> Path:
    path = tmp_path / "dovecot.conf"
    path.write_text(f"auth {tmp_path}/auth\nuserdb {tmp_path}/users\n{more}")
    return path


@contextmanager
def table(
    tmp_path: Path, *, auth: tuple[Script, ...] = (), users: tuple[Script, ...] = ()
) -> Iterator[Talk]:
    with scripted(tmp_path / "auth", *auth), scripted(tmp_path / "users", *users):
        made = make(flags(configured(tmp_path)))
        yield Talk(made)
        made.stop()


def test_what_it_can_serve_is_registered(tmp_path: Path) -> None:
    both = ["userinfo", "mailaddr", "auth"]
    assert Talk(make(flags(configured(tmp_path)))).services == both
    assert Talk(make(flags(configured(tmp_path))), b"7.6.0-portable").services == both[:2]
    forced = configured(tmp_path, "auth_before_7.9 yes\n")
    assert Talk(make(flags(forced)), b"7.6.0-portable").services == both
    assert Talk(make(flags(tmp_path / "auth"))).services == ["auth"]


def test_passwords_alone_are_nothing_for_an_smtpd_that_lower_cases_them(tmp_path: Path) -> None:
    with pytest.raises(VersionError, match="without a service that this smtpd can use"):
        Talk(make(flags(tmp_path / "auth")), b"7.6.0-portable")


def test_requests(tmp_path: Path) -> None:
    seen: list[bytes] = []
    replies = (b"OK\t1\n", b"FAIL\t1\n", b"FAIL\t1\ttemp\n", b"", b"", b"", b"OK\t1\n")
    rows = (
        b"USER\t1\talice\tuid=1000\tgid=100\thome=/home/alice\n",
        b"NOTFOUND\t1\n",
        b"USER\t1\talice@b\n",
        b"USER\t1\tnoid\thome=/h\n",
    )
    auth = tuple(records(seen, GREETING, each) for each in replies)
    users = tuple(greets(USERS_GREETING, each) for each in rows)
    with table(tmp_path, auth=auth, users=users) as talk:
        assert talk.check("auth", "Alice:Pass:Word|x") == "found"
        assert talk.check("auth", "alice:wrong") == "not-found"
        assert talk.check("auth", "alice:x") == "error|Dovecot says a temporary failure"
        assert talk.check("auth", "alice:") == talk.check("auth", "alice") == "not-found"
        assert talk.check("auth", ":x") == "not-found"
        assert talk.lookup("userinfo", "alice") == "found|1000:100:/home/alice"
        assert talk.lookup("userinfo", "bob") == "not-found"
        assert talk.check("mailaddr", "alice@b") == "found"
        assert talk.lookup("userinfo", "noid").startswith("error|Dovecot's userdb gives no uid")
        assert talk.lookup("alias", "x").startswith("error|")
        assert talk.lookup("auth", "alice:x") == "error|an unknown service"
        assert talk.fetch("source").startswith("error|")
        assert talk.check("auth", "alice:y") == "found"
    assert seen[0].endswith(b"resp=AGFsaWNlAFBhc3M6V29yZHx4\n")  # \0alice\0Pass:Word|x
    assert seen[3:6] == [b""] * 3


def test_a_dovecot_that_is_away(tmp_path: Path) -> None:
    talk = Talk(make(flags(configured(tmp_path))))
    assert talk.check("auth", "alice:x").startswith("error|")
    assert "away, asked again in" in talk.lookup("userinfo", "alice")


def test_the_check_by_hand(tmp_path: Path) -> None:
    path = configured(tmp_path)
    status, out, err = program("opensmtpd_tables.dovecot", "-n", str(path))
    assert (status, out) == (1, "")
    sockets = f"{tmp_path}/auth {tmp_path}/users"
    fault = f"table-dovecot: {path}:1: {sockets}: No such file or directory"
    assert err.splitlines()[-1] == fault
    scripts = (greets(GREETING), greets(USERS_GREETING))
    with scripted(tmp_path / "auth", scripts[0]), scripted(tmp_path / "users", scripts[1]):
        said = f"table-dovecot: {CHECKED}\n"
        assert program("opensmtpd_tables.dovecot", "-n", str(path)) == (0, said, "")


def test_help() -> None:
    text = dovecot.parser().format_help()
    assert "table logins dovecot:/run/dovecot/auth-smtpd" in text
    assert program("opensmtpd_tables.dovecot")[0] == 2
