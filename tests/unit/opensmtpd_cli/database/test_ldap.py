"""Entries of a directory as the rows of tables; tests/integration/cli has the same with slapd."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from opensmtpd.errors import ConfigError, ServerLost, ServerRefused
from opensmtpd.table import Service
from opensmtpd_cli.database import ldap as database
from opensmtpd_cli.database import locations
from opensmtpd_cli.database.ldap import LdapStore
from opensmtpd_cli.database.schema import CatalogueEntry
from opensmtpd_cli.smtpdconf.row_kinds import RowKind

CONFIG = """\
url ldap://127.0.0.1
basedn dc=example
alias_filter (&(objectClass=x)(mail=%s))
alias_attributes forward
credentials_filter (uid=%s)
credentials_attributes uid,userPassword
userinfo_filter (uid=%u)
userinfo_attributes uidNumber,gidNumber,homeDirectory
domain_filter (dc=%s)
domain_attributes dc
mailaddr_filter (cn=%n)
mailaddr_attributes cn
"""
ALIAS = CatalogueEntry("alias", RowKind.MAPPING, (Service.ALIAS,))
USERINFO = CatalogueEntry("userinfo", RowKind.USERINFO, (Service.USERINFO,))


class Connection:
    """A connection that knows the entries of each filter."""

    found: dict[str, Any] = {}  # noqa: RUF012  the tests set it

    def __init__(self, plain: Any) -> None:
        self.attributes = plain.attributes

    def connect(self, until: float) -> None:
        if "away" in self.found:
            raise ServerLost("ldap://127.0.0.1: away")

    def ask(self, questions: Sequence[list[str]], until: float) -> list[Any]:
        [[service, query]] = questions
        reply = self.found[query]
        if isinstance(reply, Exception):
            raise reply
        names = self.attributes[service]
        return [[[each.get(name, []) for name in names] for each in reply]]

    def close(self) -> None:
        return


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LdapStore:
    monkeypatch.setattr(database, "LdapConnection", Connection)
    path = tmp_path / "ldap.conf"
    path.write_text(CONFIG)
    monkeypatch.setattr(Connection, "found", {})
    return LdapStore(str(path))


def test_a_table_for_each_filter_with_a_key(store: LdapStore) -> None:
    assert [(each.name, each.kind) for each in store.entries()] == [
        ("alias", RowKind.MAPPING),
        ("credentials", RowKind.CREDENTIALS),
        ("domain", RowKind.LIST),
        ("userinfo", RowKind.USERINFO),
    ]


def test_rows_of_entries(store: LdapStore) -> None:
    Connection.found = {
        "(&(objectClass=x)(mail=*))": [
            {"mail": ["Sales@Example.org", "info@example.org"], "forward": ["a", "b"]},
            {"mail": ["sales@example.org"], "forward": ["c"]},
        ],
        "(uid=*)": [
            {"uid": ["bob"], "uidNumber": ["7"], "gidNumber": ["8"], "homeDirectory": ["/h"]}
        ],
    }
    assert list(store.every(ALIAS, "key", "value")) == [
        ("info@example.org", "a, b"),
        ("sales@example.org", "a, b, c"),
    ]
    assert list(store.every(USERINFO, "key", "uid", "gid", "home")) == [("bob", 7, 8, "/h")]
    assert store.has(ALIAS, "info@example.org")
    assert not store.has(ALIAS, "nobody@example.org")


def test_a_key_may_stand_in_one_of_several_attributes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "LdapConnection", Connection)
    path = tmp_path / "ldap.conf"
    path.write_text(
        "url ldap://127.0.0.1\nbasedn dc=example\n"
        "credentials_filter (&(!(x=%%s))(|(uid=%s)(mail=%u)))\n"
        "credentials_attributes uid,userPassword\n"
        "alias_filter (|(mail=%s)(mail=@%d))\nalias_attributes forward\n"
    )
    store = LdapStore(str(path))
    users = CatalogueEntry("credentials", RowKind.CREDENTIALS, (Service.CREDENTIALS,))
    assert store.entries() == [users]  # mail=@%d has no row of its own
    bob = {"uid": ["bob"], "mail": ["Bob@example.org", "bob"], "userPassword": ["hash"]}
    eve = {"uid": ["eve"], "mail": ["eve@example.org"]}
    Connection.found = {"(&(!(x=%s))(|(uid=*)(mail=*)))": [bob, eve]}
    assert list(store.every(users, "key", "user", "password")) == [
        ("bob", "bob", "hash"),
        ("bob@example.org", "bob", "hash"),
    ]


def test_what_the_server_refuses(store: LdapStore) -> None:
    Connection.found = {"(uid=*)": ServerRefused("ldap://127.0.0.1: Size limit exceeded")}
    with pytest.raises(ConfigError, match=r"Size limit exceeded; see that .* \(its sizelimit\)"):
        list(store.every(USERINFO, "key"))
    bob = {"uid": ["bob"], "uidNumber": ["x"], "gidNumber": ["1"], "homeDirectory": ["/h"]}
    Connection.found = {"(uid=*)": [bob]}
    with pytest.raises(ConfigError, match="bob: no numbers for uid and gid"):
        list(store.every(USERINFO, "key"))


def test_nothing_is_written(store: LdapStore, tmp_path: Path) -> None:
    for change in (
        lambda: store.create_table(ALIAS),
        lambda: store.insert(ALIAS, "a", "b"),
        lambda: store.fill(ALIAS, []),
        lambda: store.set_password(ALIAS, "a", "b"),
        lambda: store.delete(ALIAS, "a"),
    ):
        with pytest.raises(ConfigError, match="an LDAP directory is read only; change its entries"):
            change()
    place = locations.parse(f"ldap:{tmp_path}/ldap.conf")
    with pytest.raises(ConfigError, match="is read only; change it with ldapmodify"):
        locations.connected(place, write=True)
    with (
        pytest.raises(ConfigError, match="is read only; change it with ldapmodify"),
        locations.opened(place.name, write=True),
    ):
        pass


def test_a_server_that_is_away(
    store: LdapStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Connection, "found", {"away": None})
    with pytest.raises(ConfigError, match=r"ldap.conf: ldap://127.0.0.1: away"):
        LdapStore(str(tmp_path / "ldap.conf"))
