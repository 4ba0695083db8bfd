"""Passwords checked by a bind to a real directory: right ones only, and told to nobody."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.support.ldap_directory import OURS, emptied, ldif, put, settings, starter, user
from lab.peers.databases.slapd import SlapdServer
from lab.peers.table_client import TableClient
from lab.support import ALONE

pytestmark = ALONE
SECRET = "Pass:wo|rd é)(*\\"
AUTH = "auth_filter (&(objectClass=posixAccount)(|(uid=%s)(mail=%s)))\n"
USERS = (
    lambda base: user(base, "alice", 1000, "alice@example.org", password=SECRET),
    lambda base: user(base, "bob", 1001, "bob@example.org", password="{SSHA}" + 32 * "A"),
    lambda base: user(base, "nopass", 1002, "nopass@example.org"),
    lambda base: user(base, "two", 1003, "shared@example.org", password=SECRET),
    lambda base: user(base, "three", 1004, "shared@example.org", password=SECRET),
    lambda base: ldif(f"cn=alice,{base}", {"objectClass": ["device"], "cn": ["alice"]}),
)


@pytest.fixture
def conf(slapd: SlapdServer, ldap_view: Path) -> str:
    return put(ldap_view, "auth", settings(emptied(slapd, "auth", *USERS), AUTH))


@pytest.fixture
def table(ldap_view: Path, conf: str) -> Iterator[TableClient]:
    with starter(ldap_view, OURS, conf)() as table:
        yield table


LOGINS = (
    (f"alice:{SECRET}", b"found"),
    (f"ALICE:{SECRET}", b"found"),
    (f"alice@example.org:{SECRET}", b"found"),
    (f"alice:{SECRET.lower()}", b"not-found"),
    (f"alice:{SECRET} ", b"not-found"),
    ("alice:", b"not-found"),
    ("alice", b"not-found"),
    (":", b"not-found"),
    (f":{SECRET}", b"not-found"),
    (f"*:{SECRET}", b"not-found"),
    (f"al*:{SECRET}", b"not-found"),
    (f"alice)(uid=alice:{SECRET}", b"not-found"),
    (f"nobody:{SECRET}", b"not-found"),
    ("nopass:", b"not-found"),
    (f"nopass:{SECRET}", b"not-found"),
    ("bob:{SSHA}" + 32 * "A", b"not-found"),
    (f"two:{SECRET}", b"found"),
)
"""User and password, and the answer."""


def test_who_is_let_in(table: TableClient) -> None:
    assert "auth" in table.services
    for key, answer in LOGINS:
        assert table.check("auth", key.encode()) == answer, key
        assert table.check("auth", f"alice:{SECRET}".encode()) == b"found", key
    assert table.log == ""


def test_two_entries_for_one_user_are_an_error(table: TableClient) -> None:
    answer = table.check("auth", f"shared@example.org:{SECRET}".encode())
    assert answer == b"error|2 entries for one user: auth_filter takes in more"
    assert "wo|rd" not in table.log


def test_a_password_that_has_changed_counts_at_once(table: TableClient, slapd: SlapdServer) -> None:
    assert table.check("auth", b"alice:new") == b"not-found"
    [dn] = [
        line.removeprefix("dn: ")
        for line in slapd.search("ou=auth,dc=nodomain", "(uid=alice)").splitlines()
        if line.startswith("dn: ")
    ]
    slapd.execute(f"dn: {dn}\nchangetype: modify\nreplace: userPassword\nuserPassword: new\n\n")
    assert table.check("auth", b"alice:new") == b"found"
    assert table.check("auth", f"alice:{SECRET}".encode()) == b"not-found"


def test_the_server_is_away_and_comes_back(table: TableClient, slapd: SlapdServer) -> None:
    key = f"alice:{SECRET}".encode()
    assert table.check("auth", key) == b"found"
    for befall in (slapd.restart, slapd.kill9, slapd.pause):
        befall()
        slapd.heal()
        while (answer := table.check("auth", key)).startswith(b"error"):
            pass
        assert answer == b"found"
        assert table.check("auth", b"alice:other") == b"not-found"
    assert "wo|rd" not in table.log


def test_a_paused_server_lets_nobody_in(table: TableClient, slapd: SlapdServer) -> None:
    assert table.check("auth", f"alice:{SECRET}".encode()) == b"found"
    slapd.pause()
    answers = [table.check("auth", f"alice:{SECRET}".encode()) for _ in range(3)]
    slapd.resume()
    assert {answer.partition(b"|")[0] for answer in answers} == {b"error"}
    assert "wo|rd" not in table.log


@pytest.mark.parametrize(
    ("smtpd", "more", "offered"),
    [
        ("7.6.0", "", False),
        ("7.8.0", "", False),
        ("7.9.0", "", True),
        ("7.6.0", "auth_before_7.9 yes\n", True),
    ],
)
def test_which_smtpd_is_offered_it(
    slapd: SlapdServer, ldap_view: Path, smtpd: str, more: str, offered: bool
) -> None:
    base = emptied(slapd, "auth", *USERS)
    path = put(ldap_view, "auth", settings(base, AUTH + more))
    with starter(ldap_view, OURS, path, smtpd=smtpd)() as table:
        assert ("auth" in table.services) is offered
