"""The connection of a table: login, searches, passwords, faults; with a libldap of plain data."""

import time
from typing import Any

import pytest

from opensmtpd.backends.ldap import connection
from opensmtpd.backends.ldap.connection import LdapConnection, LdapPlain
from opensmtpd.backends.ldap.library import LibLdap
from opensmtpd.errors import ServerLate, ServerLost, ServerRefused
from unit.support.fake_ldap import FakeLdap, error

SECRET = "s3cr&t"
PLAIN = LdapPlain(
    url="ldap://a:389",
    tls=[False, False, "", True],
    name="cn=table",
    password="own",
    base="dc=base",
    base_line=2,
    attributes={"alias": ["mail"], "userinfo": ["uid", "gid", "home"], "domain": []},
    filters=[["(mail=x)", 5], ["(uid=x)", 7]],
)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeLdap:
    fake = FakeLdap()
    fake.passwords["cn=table"] = b"own"
    monkeypatch.setattr(connection, "library", lambda: LibLdap(fake))
    return fake


def soon() -> float:
    return time.monotonic() + 60


def connected(plain: LdapPlain = PLAIN) -> LdapConnection:
    """Return a connection that is open; its data came through msgpack."""
    made = LdapConnection([*plain])
    made.connect(soon())
    return made


def fails(fake: FakeLdap, name: str, kind: str, *, at: int = 1) -> None:
    """Have the call ``at`` of a name fail, the first being 1, and 0 for each."""
    fault, count = error(getattr(fake, kind), "told"), 0

    def spoil(called: str, given: Any) -> Any:
        nonlocal count
        count += called == name
        return fault if called == name and at in (0, count) else None

    fake.fault = spoil


# --- login --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "password", "sent"),
    [("cn=table", "own", b"own"), ("", "", b""), ("cn=table", "\udcff", b"\xff")],
)
def test_login(fake: FakeLdap, name: str, password: str, sent: bytes) -> None:
    fake.passwords[name] = sent
    connected(PLAIN._replace(name=name, password=password))
    assert fake.calls("simple_bind") == [[name, sent]]


@pytest.mark.parametrize("name", ["cn=table", ""])
def test_a_login_that_is_refused_means_that_the_server_is_lost(fake: FakeLdap, name: str) -> None:
    with pytest.raises(ServerLost) as caught:
        connected(PLAIN._replace(name=name, password=SECRET))
    assert str(caught.value) == f"ldap://a:389: the login of {name or 'nobody'} is refused"


def test_so_does_a_login_that_fails(fake: FakeLdap) -> None:
    fails(fake, "result4", "BUSY")
    with pytest.raises(ServerLost, match="ldap://a:389: BUSY"):
        connected()


def test_connecting_anew_closes_what_was_open(fake: FakeLdap) -> None:
    made = connected()
    made.connect(soon())
    made.close()
    made.close()
    assert len(fake.handles) == 2
    assert len(fake.calls("unbind_ext")) == 2


def test_nothing_is_asked_before_it_is_connected(fake: FakeLdap) -> None:
    made = LdapConnection(PLAIN)
    for call in (lambda: made.ask([["alias", "(a=b)"]], soon()), lambda: made.check(soon())):
        with pytest.raises(ServerLost, match="not connected"):
            call()


# --- searches -----------------------------------------------------------------------------------


def test_entries_with_the_attributes_of_the_service(fake: FakeLdap) -> None:
    fake.entries = {
        "(mail=a)": [("cn=a", {"Mail": [b"a@b", b"c@d"]}), (None, []), ("cn=b", {})],
        "(uid=a)": [("cn=a", {"home": [b"/"], "gid": [b"2"], "uid": [b"1"]})],
        "(dc=a)": [("dc=a", {})],
    }
    made = connected()
    assert made.ask([["alias", "(mail=a)"]], soon()) == [[[["a@b", "c@d"]], [[]]]]
    assert made.ask([["userinfo", "(uid=a)"]], soon()) == [[[["1"], ["2"], ["/"]]]]
    assert made.ask([["domain", "(dc=a)"]], soon()) == [[[[]]]]
    assert made.ask([["alias", "(mail=b)"]], soon()) == [[]]
    assert made.ask([], soon()) == []
    assert [each[3] for each in fake.calls("search_ext")] == [
        ["mail"], ["uid", "gid", "home"], ["1.1"], ["mail"]
    ]  # fmt: skip


def test_searches_are_sent_before_the_first_reply_is_awaited(fake: FakeLdap) -> None:
    fake.entries = {f"(mail={n})": [("x", {"mail": [b"%d" % n]})] for n in range(107)}
    made = connected()
    replies = made.ask([["alias", f"(mail={n})"] for n in range(107)], soon())
    assert replies == [[[[str(n)]]] for n in range(107)]
    asked, awaited = "search_ext", "result4"
    names = [name for name, *_ in fake.handles[0].called if name in (asked, awaited)]
    fifty = [*(50 * [asked]), *(50 * [awaited])]
    assert names == [awaited, *fifty, *fifty, *(7 * [asked]), *(7 * [awaited])]


def test_a_search_that_is_refused_leaves_no_reply_behind(fake: FakeLdap) -> None:
    fake.entries = {"(mail=a)": [("x", {"mail": [b"a"]})], "(mail=b)": [("x", {"mail": [b"b"]})]}
    made = connected()
    fails(fake, "result4", "BUSY", at=1)
    with pytest.raises(ServerRefused) as caught:
        made.ask([["alias", "(mail=x)"], ["alias", "(mail=a)"]], soon())
    assert type(caught.value) is ServerRefused
    assert str(caught.value) == "ldap://a:389: BUSY: told"
    assert made.ask([["alias", "(mail=b)"]], soon()) == [[[["b"]]]]
    assert len(fake.handles) == 1


@pytest.mark.parametrize(("kind", "raised"), [("SERVER_DOWN", ServerLost), ("TIMEOUT", ServerLate)])
@pytest.mark.parametrize("step", ["search_ext", "result4"])
def test_a_server_that_is_gone_or_late(
    fake: FakeLdap, step: str, kind: str, raised: type[Exception]
) -> None:
    made = connected()
    fails(fake, step, kind)
    with pytest.raises(raised):
        made.ask([["alias", "(mail=x)"]], soon())


# --- passwords ----------------------------------------------------------------------------------


@pytest.fixture
def users(fake: FakeLdap) -> FakeLdap:
    fake.entries = {
        "(uid=alice)": [("uid=alice", {}), (None, [])],
        "(uid=two)": [("uid=alice", {}), ("uid=bob", {})],
        "(uid=root)": [("", {})],
    }
    fake.passwords["uid=alice"] = SECRET.encode()
    return fake


def is_right(made: LdapConnection, query: str, password: str) -> Any:
    return made.ask([["auth", query, password]], soon())


def test_a_password_is_that_of_the_entry(users: FakeLdap) -> None:
    made = connected()
    assert is_right(made, "(uid=alice)", SECRET) == [True]
    assert is_right(made, "(uid=alice)", "other") == [False]
    assert is_right(made, "(uid=alice)", SECRET.upper()) == [False]
    assert is_right(made, "(uid=nobody)", SECRET) == [False]
    assert [each[3] for each in users.calls("search_ext")] == 4 * [["1.1"]]


def test_users_log_in_on_another_connection_than_that_for_searches(users: FakeLdap) -> None:
    made = connected()
    for _ in range(3):
        is_right(made, "(uid=alice)", SECRET)
    table, second = users.handles
    assert [given[1] for given in table.called if given[0] == "simple_bind"] == ["cn=table"]
    assert [given[1] for given in second.called if given[0] == "simple_bind"] == 3 * ["uid=alice"]
    assert not [given for given in second.called if given[0] == "search_ext"]
    made.close()
    assert len(users.calls("unbind_ext")) == 2


def test_an_empty_password_is_never_sent(users: FakeLdap) -> None:
    """The server would take it (RFC 4513 5.1.2), and so would this fake."""
    made = connected()
    users.passwords["uid=alice"] = b""
    assert is_right(made, "(uid=alice)", "") == [False]
    assert users.calls("simple_bind") == [["cn=table", b"own"]]
    assert users.calls("search_ext") == []


def test_an_entry_without_a_name_is_nobody(users: FakeLdap) -> None:
    """The root of a directory has an empty name: a bind with it is anonymous."""
    users.passwords[""] = SECRET.encode()
    assert is_right(connected(), "(uid=root)", SECRET) == [False]


def test_several_entries_are_an_error(users: FakeLdap) -> None:
    with pytest.raises(ServerRefused, match="2 entries for one user"):
        is_right(connected(), "(uid=two)", SECRET)
    assert len(users.handles) == 1


def test_a_connection_of_users_that_the_server_has_closed(users: FakeLdap) -> None:
    made = connected()
    assert is_right(made, "(uid=alice)", SECRET) == [True]
    fails(users, "simple_bind", "SERVER_DOWN")
    assert is_right(made, "(uid=alice)", SECRET) == [True]
    assert is_right(made, "(uid=alice)", "other") == [False]
    assert len(users.handles) == 3


@pytest.mark.parametrize(
    ("kind", "raised"), [("SERVER_DOWN", ServerRefused), ("TIMEOUT", ServerLate)]
)
def test_a_server_that_is_gone_while_it_checks(
    users: FakeLdap, kind: str, raised: type[Exception]
) -> None:
    made = connected()
    fails(users, "simple_bind", kind, at=0)
    with pytest.raises(raised):
        is_right(made, "(uid=alice)", SECRET)
    binds = [given for given in users.calls("simple_bind") if given[0] == "uid=alice"]
    assert len(binds) == 1  # each could count against the user
    users.fault = lambda name, given: None
    assert is_right(made, "(uid=alice)", SECRET) == [True]


@pytest.mark.parametrize("before", [0, 1])
def test_no_error_tells_the_password(users: FakeLdap, before: int) -> None:
    made = connected()
    for _ in range(before):  # the connection of users is there then
        assert is_right(made, "(uid=alice)", SECRET) == [True]
    fault = error(users.BUSY, f"so {SECRET}")  # type: ignore[attr-defined]
    bound = False

    def spoil(called: str, given: Any) -> Any:
        nonlocal bound
        bound = bound or called == "simple_bind"
        return fault if bound and called == "result4" else None

    users.fault = spoil
    with pytest.raises(ServerRefused) as caught:
        is_right(made, "(uid=alice)", SECRET)
    assert type(caught.value) is ServerRefused
    assert str(caught.value) == "ldap://a:389: BUSY"


# --- the check of a configuration -----------------------------------------------------------------


def test_no_fault(fake: FakeLdap) -> None:
    assert connected().check(soon()) == []
    asked = [(given[0], given[2], given[3], given[8]) for given in fake.calls("search_ext")]
    assert asked == [
        ("dc=base", "(objectClass=*)", ["1.1"], 1),
        ("dc=base", "(mail=x)", ["1.1"], 1),
        ("dc=base", "(uid=x)", ["1.1"], 1),
    ]


@pytest.mark.parametrize(
    ("at", "faults"),
    [
        (1, [["(objectClass=*) below dc=base: ldap://a:389: NO_SUCH_OBJECT: told", 2, ""]]),
        (2, [["(mail=x) below dc=base: ldap://a:389: NO_SUCH_OBJECT: told", 5, ""]]),
        (3, [["(uid=x) below dc=base: ldap://a:389: NO_SUCH_OBJECT: told", 7, ""]]),
    ],
)
def test_faults_have_the_line(fake: FakeLdap, at: int, faults: list[Any]) -> None:
    made = connected()
    fails(fake, "result4", "NO_SUCH_OBJECT", at=at)
    assert made.check(soon()) == faults
    assert made.check(soon()) == []


def test_more_entries_than_were_asked_for_are_no_fault(fake: FakeLdap) -> None:
    made = connected()
    fails(fake, "result4", "SIZELIMIT_EXCEEDED", at=0)
    assert made.check(soon()) == []
