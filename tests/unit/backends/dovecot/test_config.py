"""The argument of table-dovecot."""

from pathlib import Path

import pytest

from opensmtpd.backends.dovecot.config import Dovecot, read
from opensmtpd.errors import ConfigError, LocalError
from opensmtpd.needs import Needs
from opensmtpd.table import Service

BOTH = "auth /run/a\nuserdb /run/u\n"


def configured(tmp_path: Path, text: str) -> Dovecot:
    path = tmp_path / "dovecot.conf"
    path.write_text(text)
    return read(str(path))


def test_a_socket_is_that_of_clients() -> None:
    found = read("/nonexistent/auth-client")
    assert found.plain() == ["/nonexistent/auth-client", "", "smtp"]
    assert found.name == "/nonexistent/auth-client"
    assert found.services == {Service.AUTH}
    assert found.needs == Needs(sockets=("/nonexistent/auth-client",))
    assert found.authenticates
    assert found.settings.timeout == 2.4
    assert not found.settings.force_auth


def test_both_sockets(tmp_path: Path) -> None:
    found = configured(tmp_path, f"service submission\nauth_before_7.9 yes\ntimeout 0.5\n{BOTH}")
    assert found.plain() == ["/run/a", "/run/u", "submission"]
    assert found.name == "/run/a /run/u"
    assert found.services == {Service.AUTH, Service.USERINFO, Service.MAILADDR}
    assert found.needs == Needs(sockets=("/run/a", "/run/u"))
    assert (found.settings.timeout, found.settings.force_auth) == (0.5, True)
    assert found.line == 1


def test_users_alone(tmp_path: Path) -> None:
    found = configured(tmp_path, "userdb /run/u\n")
    assert found.services == {Service.USERINFO, Service.MAILADDR}
    assert found.plain() == ["", "/run/u", "smtp"]


def test_questions(tmp_path: Path) -> None:
    found = configured(tmp_path, BOTH)
    assert found.question(Service.AUTH, "alice:a:b") == ["auth", "alice", "a:b"]
    assert found.question(Service.AUTH, "alice") == ["auth", "alice", ""]
    assert found.question(Service.USERINFO, "a+b") == ["user", "a+b"]
    assert found.question(Service.MAILADDR, "a@b") == ["user", "a@b"]
    assert found.question(Service.MAILADDR, "a+t+u@b") == ["user", "a+t+u@b", "a@b"]
    assert found.question(Service.MAILADDR, "+t@b") == ["user", "+t@b"]
    with pytest.raises(ConfigError, match=r"dovecot.conf: no userdb for alias$"):
        found.question(Service.ALIAS, "a")
    with pytest.raises(ConfigError, match=r"^/s: no userdb for userinfo$"):
        read("/s").question(Service.USERINFO, "a")


def test_another_delimiter(tmp_path: Path) -> None:
    found = configured(tmp_path, BOTH + "sub_addr_delim -\n")
    assert found.question(Service.MAILADDR, "a-t+u@b") == ["user", "a-t+u@b", "a@b"]


def test_rows() -> None:
    found = read("/s")
    row = {"user": "a@b", "uid": "1000", "gid": "007", "home": "/home/a:b"}
    assert found.value(Service.USERINFO, row) == "1000:7:/home/a:b"
    assert found.value(Service.USERINFO, None) is None
    assert found.value(Service.MAILADDR, row) == "a@b"
    assert found.found(Service.MAILADDR, row)
    assert not found.found(Service.MAILADDR, None)


def test_passwords_are_right_by_true_alone() -> None:
    found = read("/s")
    assert found.found(Service.AUTH, True)
    assert not found.found(Service.AUTH, False)
    assert not found.found(Service.AUTH, None)
    assert not found.found(Service.AUTH, {"user": "a"})


@pytest.mark.parametrize(
    ("row", "lacking"),
    [
        ({"gid": "1", "home": "/"}, "no uid that is a number"),
        ({"uid": "alice", "gid": "1", "home": "/"}, "no uid that is a number"),
        ({"uid": "4294967296", "gid": "1", "home": "/"}, "no uid that is a number"),
        ({"uid": "-1", "gid": "1", "home": "/"}, "no uid that is a number"),
        ({"uid": "1", "gid": "", "home": "/"}, "no gid that is a number"),
        ({"uid": "1", "gid": "1"}, "no home"),
        ({"uid": "1", "gid": "1", "home": ""}, "no home"),
    ],
)
def test_rows_that_lack_something(row: dict[str, str], lacking: str) -> None:
    with pytest.raises(LocalError) as caught:
        read("/s").value(Service.USERINFO, row)
    text = f"Dovecot's userdb gives {lacking}; have userdb set uid, gid and home"
    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            "service smtp\n",
            ": no socket of Dovecot's; say 'auth /PATH' for passwords, 'userdb /PATH' for users,"
            " or both",
        ),
        ("auth run/a\n", ":1: bad value for auth: a socket's path begins with /"),
        ("userdb u\n", ":1: bad value for userdb: a socket's path begins with /"),
        (
            "service a\tb\n",
            ":1: bad value for service: small letters, digits, - and _ belong here",
        ),
        ("user /run/u\n", ":1: no key is 'user'; did you mean userdb?"),
        ("auth /a\nauth /b\n", ":2: auth stands in line 1, too; remove one"),
    ],
)
def test_faults(tmp_path: Path, text: str, fault: str) -> None:
    with pytest.raises(ConfigError) as caught:
        configured(tmp_path, text)
    assert str(caught.value) == f"{tmp_path}/dovecot.conf{fault}"
