"""Tables that check passwords, on an smtpd that asks for hashes."""

import socket
from pathlib import Path

import pytest

from opensmtpd_cli.commands.check.finding import Finding, Severity
from opensmtpd_cli.commands.check.programs.logins import logins
from unit.support.checked import found_by, server
from unit.support.swap import smtpd_conf

TABLE = "table users {}:{}/conf\n"
LISTENER = "listen on lo0 port 587 tls-require pki x auth <users>\n"
FILTER = "url ldap://localhost\nauth_filter (uid=%s)\n"
QUERY = "query_auth SELECT name, hash FROM users WHERE name = "


def found(folder: Path, kind: str, conf: str, listener: str = LISTENER) -> list[Finding]:
    (folder / "conf").write_text(conf)
    return found_by(logins, folder, TABLE.format(kind, folder) + listener)


def test_a_directory_that_has_no_hashes(place: Path) -> None:
    assert found(place, "ldap", FILTER) == [
        Finding(
            Severity.WARNING,
            "auth-smtpd-old",
            str(place / "smtpd.conf"),
            2,
            "table users checks passwords for smtpd 7.9, and this is smtpd 7.6, which asks for "
            "hashes: there is no credentials_filter",
            "Nobody can log in.",
            "install smtpd 7.9, or have the table answer for hashes",
        )
    ]


@pytest.mark.parametrize(
    ("kind", "conf", "codes"),
    [
        ("postgres", f"{QUERY}$1\n", ["auth-smtpd-old"]),
        ("mysql", f"{QUERY}?\n", ["auth-smtpd-old"]),
        ("sqlite", f"  {QUERY}?\n", ["auth-smtpd-old"]),
        ("redis", "query_auth: GET %s\n", ["auth-smtpd-old"]),
        ("dovecot", "auth /run/a\nuserdb /run/u\n", ["auth-smtpd-old"]),
        ("postgres", f"{QUERY}$1\nquery_credentials SELECT\n", []),
        ("postgres", f"#{QUERY}$1\n", []),
        ("ldap", f"{FILTER}auth_before_7.9 yes\n", []),
        ("ldap", "credentials_filter (uid=%s)\n", []),
        ("dovecot", "auth /run/a\nuserdb /run/u\nauth_before_7.9 yes\n", []),
        ("socketmap", "map_auth users\n", []),
        ("flat", "alice hash\n", []),
    ],
)
def test_tables_on_7_6(place: Path, kind: str, conf: str, codes: list[str]) -> None:
    assert [each.code for each in found(place, kind, conf)] == codes
    assert found(place, kind, conf, "listen on lo0 port 587\n") == []


@pytest.mark.parametrize("version", [(7, 9, 0), ()])
def test_an_smtpd_that_lets_tables_check(place: Path, version: tuple[int, ...]) -> None:
    (place / "conf").write_text(FILTER)
    path = smtpd_conf(place, TABLE.format("ldap", place) + LISTENER)
    assert list(logins(server(path)._replace(version=version))) == []


def test_dovecot_for_passwords_alone_ends_smtpd(place: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(place / "conf"))
    (bare,) = found_by(logins, place, TABLE.format("dovecot", place))
    (place / "conf").unlink()
    assert found_by(logins, place, TABLE.format("dovecot", place)) == [bare]
    (named,) = found(place, "dovecot", "auth /run/a\n")
    assert named == bare
    assert (bare.severity, bare.code, bare.line) == (Severity.ERROR, "auth-smtpd-old", 1)
    assert bare.fault == (
        "table users: Dovecot checks passwords for smtpd 7.9, and this is smtpd 7.6"
    )
    assert found(place, "dovecot", "auth /run/a\nauth_before_7.9 yes\n") == []


def test_a_table_that_is_nowhere(place: Path) -> None:
    assert found_by(logins, place, TABLE.format("ldap", place) + LISTENER) == []
    assert found_by(logins, place, LISTENER) == []
