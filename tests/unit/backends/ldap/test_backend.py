"""A configuration: its questions, and what entries mean."""

from pathlib import Path

import pytest

from opensmtpd.backends.ldap.backend import LdapBackend
from opensmtpd.backends.ldap.config import read
from opensmtpd.backends.ldap.entries import LdapEntry
from opensmtpd.errors import ConfigError, LocalError
from opensmtpd.table import Service

TEXT = """\
url ldap://a
basedn dc=x
alias_filter (&(ou=%h)(mail=%s))
alias_attributes mail
mailaddrmap_filter (uid=%s)
mailaddrmap_attributes mail
credentials_filter (uid=%s)
credentials_attributes uid,userPassword
userinfo_filter (uid=%s)
userinfo_attributes uidNumber,gidNumber,homeDirectory
domain_filter (dc=%s)
source_filter (objectClass=source)
source_attributes address
relayhost_filter (cn=%s)
relayhost_attributes url
auth_filter (uid=%s)
"""


@pytest.fixture
def backend(tmp_path: Path) -> LdapBackend:
    (tmp_path / "ldap.conf").write_text(TEXT)
    return read(str(tmp_path / "ldap.conf"))


def test_questions(backend: LdapBackend) -> None:
    assert backend.question(Service.ALIAS, "a*") == ["alias", "(&(ou=)(mail=a\\2a))"]
    backend.settings.table = "users"
    assert backend.question(Service.ALIAS, "a") == ["alias", "(&(ou=users)(mail=a))"]
    with pytest.raises(ConfigError, match=r"ldap\.conf: no netaddr_filter"):
        backend.question(Service.NETADDR, "192.0.2.1")


@pytest.mark.parametrize(
    ("key", "question"),
    [
        ("alice:x", ["auth", "(uid=alice)", "x"]),
        ("alice:a:b)(*", ["auth", "(uid=alice)", "a:b)(*"]),
        ("*:", ["auth", "(uid=\\2a)", ""]),
        ("alice", ["auth", "(uid=alice)", ""]),
    ],
)
def test_questions_about_passwords(backend: LdapBackend, key: str, question: list[str]) -> None:
    assert backend.authenticates
    assert backend.question(Service.AUTH, key) == question
    assert backend.found(Service.AUTH, True) is True
    assert backend.found(Service.AUTH, False) is False


@pytest.mark.parametrize(
    ("service", "entries", "value"),
    [
        (Service.ALIAS, [], None),
        (Service.ALIAS, [[["a", "b"]], [["c"]]], "a, b, c"),
        (Service.ALIAS, [[[]], [["", "a"]]], "a"),
        (Service.ALIAS, [[[""]]], None),
        (Service.MAILADDRMAP, [[["a@b", "c@d"]]], "a@b, c@d"),
        (Service.CREDENTIALS, [[["u"], ["h:x"]]], "u:h:x"),
        (Service.CREDENTIALS, [[["u", "v"], ["h", "i"]]], "u:h"),
        (Service.CREDENTIALS, [[["u"], ["h"]], [["v"], ["i"]]], "v:i"),
        (Service.CREDENTIALS, [[["u"], ["h"]], [["v"], []]], "u:h"),
        (Service.CREDENTIALS, [[["u"], []]], None),
        (Service.CREDENTIALS, [[["u"], [""]]], None),
        (Service.USERINFO, [[["1"], ["2"], ["/home/a"]]], "1:2:/home/a"),
        (Service.USERINFO, [[["1"], [], ["/home/a"]]], None),
        (Service.DOMAIN, [[[]]], None),
        (Service.DOMAIN, [[["a"], ["b"]]], "a"),
        (Service.DOMAIN, [[]], None),
    ],
)
def test_values(
    backend: LdapBackend, service: Service, entries: list[LdapEntry], value: str | None
) -> None:
    assert backend.value(service, entries) == value


def test_a_user_without_a_number(backend: LdapBackend) -> None:
    with pytest.raises(LocalError, match="a uid that is no number"):
        backend.value(Service.USERINFO, [[["root"], ["0"], ["/"]]])


@pytest.mark.parametrize(
    ("entries", "found"), [([], False), ([[[]]], True), ([[]], True), ([[["a"]]], True)]
)
def test_an_entry_is_found_whatever_it_has(
    backend: LdapBackend, entries: list[LdapEntry], found: bool
) -> None:
    assert backend.found(Service.DOMAIN, entries) is found


def test_lists(backend: LdapBackend) -> None:
    assert backend.fetch_question(Service.SOURCE) == ["source", "(objectClass=source)"]
    assert backend.fetched(Service.SOURCE, [[["a", "b"]], [[]], [["c"]]]) == ["a", "b", "c"]
    with pytest.raises(ConfigError) as caught:
        backend.fetch_question(Service.RELAYHOST)
    assert str(caught.value).endswith(
        "ldap.conf:14: relayhost_filter has a key, and a list has none; take out the key"
    )
