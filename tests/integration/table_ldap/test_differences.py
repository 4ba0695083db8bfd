"""Where table-ldap and the C original differ, and why: both are held to what they do.

The manual page lists the same under CAVEATS.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.support.ldap_directory import (
    OURS,
    SEARCHES,
    THEIRS,
    Values,
    alias,
    domain,
    emptied,
    host,
    ldif,
    put,
    settings,
    starter,
    user,
)
from lab.peers.databases.slapd import SUFFIX, SlapdServer
from lab.peers.table_client import Died, Illegal, TableClient
from lab.support import ALONE

pytestmark = ALONE
SIGSEGV = 139
"""The status of a program that a signal has ended, as the shell of ``IGNORING`` tells it."""
LONG = "a" * 31
ENTRIES = (
    lambda base: alias(base, "one", "alice", "bob"),
    lambda base: alias(base, "none"),
    lambda base: user(base, "utf8", 1002, hash="jürgen"),
    lambda base: alias(base, LONG, "alice"),
    lambda base: alias(base, LONG + "a", "alice"),
    lambda base: user(base, "lines", 1003, hash="one\ntwo"),
    lambda base: user(base, "nul", 1004, hash="one\0two"),
    lambda base: group(base, "first", "sales", "alice"),
    lambda base: group(base, "second", "sales", "bob"),
    lambda base: user(base, "alice", 1000, "alice@example.org", "a@example.org", hash="h"),
    lambda base: user(base, "nohash", 1001, "nohash@example.org"),
    lambda base: user(base, "negative", -1, "negative@example.org"),
    lambda base: domain(base, "example.org", "*.example.net"),
    lambda base: host(base, "192.0.2.0/24"),
    lambda base: host(base, "2001:db8::/32"),
)


def group(base: str, name: str, *names: str) -> str:
    """Return an alias of several names; the last one is its member."""
    *names_, member = names
    classes, members = ["nisMailAlias"], [f"{member}@{name}"]
    attributes = {"objectClass": classes, "cn": [name, *names_], "rfc822MailMember": members}
    return ldif(f"cn={name},{base}", attributes)


@pytest.fixture
def base(slapd: SlapdServer) -> str:
    return emptied(slapd, "differences", *ENTRIES)


@pytest.fixture
def conf(ldap_view: Path, base: str) -> str:
    return put(ldap_view, "differences", settings(base))


@pytest.fixture
def both(ldap_view: Path, conf: str) -> Iterator[tuple[TableClient, TableClient]]:
    """Return the C program and ours."""
    with starter(ldap_view, THEIRS, conf)() as one, starter(ldap_view, OURS, conf)() as other:
        yield one, other


def error(answer: bytes) -> bytes:
    return b"error" if answer.startswith(b"error") else answer


LOOKUPS = (
    ("alias", "sales", b"found|bob@second", b"found|alice@first, bob@second"),
    ("mailaddrmap", "alice", b"found|alice@example.org",
     b"found|alice@example.org, a@example.org"),
    ("alias", "none", b"error", b"not-found"),
    ("credentials", "nohash", b"error", b"not-found"),
    ("alias", LONG, b"found|alice", b"found|alice"),
    ("alias", LONG + "a", b"error", b"found|alice"),
    ("credentials", "utf8", b"found|utf8:j?rgen", "found|utf8:jürgen".encode()),
    ("credentials", "nul", b"found|nul:one", b"error"),
    ("userinfo", "negative", b"found|-1:100:/home/negative", b"error"),
    ("netaddr", "192.0.2.0/24", b"error", b"found|192.0.2.0/24"),
)  # fmt: skip
"""Service and key, the answer of the C program, and ours."""


def test_lookups(both: tuple[TableClient, TableClient]) -> None:
    one, other = both
    for service, key, theirs, ours in LOOKUPS:
        assert error(one.lookup(service, key.encode())) == theirs, key
        assert error(other.lookup(service, key.encode())) == ours, key


CHECKS = (
    ("alias", "none", b"error", b"found"),
    ("domain", "a.example.net", b"not-found", b"found"),
    ("netaddr", "192.0.2.7", b"not-found", b"found"),
    ("netaddr", "2001:db8::7", b"not-found", b"found"),
    ("netaddr", "2001:db9::7", b"not-found", b"not-found"),
    ("mailaddr", "alice+tag@example.org", b"not-found", b"found"),
)
"""Service and key, the answer of the C program, and ours."""


def test_checks(both: tuple[TableClient, TableClient]) -> None:
    one, other = both
    for service, key, theirs, ours in CHECKS:
        assert error(one.check(service, key.encode())) == theirs, key
        assert error(other.check(service, key.encode())) == ours, key


def test_a_line_feed_ends_smtpd(both: tuple[TableClient, TableClient]) -> None:
    one, other = both
    assert other.lookup("credentials", b"lines") == b"error|the value holds a line end or a NUL"
    assert one.lookup("credentials", b"lines") == b"found|lines:one"
    with pytest.raises(Illegal, match="two"):
        one.lookup("alias", b"one")


@pytest.mark.parametrize("attributes", ["uid, description", "uid,  description"])
def test_blanks_behind_a_comma(ldap_view: Path, base: str, attributes: str) -> None:
    text = settings(base, SEARCHES.replace("uid,description", attributes))
    path = put(ldap_view, "blanks", text)
    with starter(ldap_view, THEIRS, path)() as one, starter(ldap_view, OURS, path)() as other:
        assert one.lookup("credentials", b"alice") == b"error"
        assert other.lookup("credentials", b"alice") == b"found|alice:h"


def test_nobody_may_log_in_as_nobody(ldap_view: Path, base: str) -> None:
    lines = settings(base).splitlines()
    text = "\n".join(line for line in lines if not line.startswith(("username", "password")))
    path = put(ldap_view, "anonymous", text)
    with pytest.raises(Died):
        starter(ldap_view, THEIRS, path)()
    with starter(ldap_view, OURS, path)() as other:
        assert other.lookup("alias", b"one") == b"found|alice, bob"
        # OpenLDAP bears 100 searches of nobody at a time, and closes the connection at more.
        assert other.check("netaddr", b"2001:db8::7") == b"found"
        assert other.check("netaddr", b"2001:db9::7") == b"not-found"
        assert other.log == ""


def test_a_base_that_is_not_there(ldap_view: Path) -> None:
    """An answer that the server refuses would be 550 for each recipient."""
    path = put(ldap_view, "nowhere", settings(f"ou=nowhere,{SUFFIX}"))
    with starter(ldap_view, THEIRS, path)() as one, starter(ldap_view, OURS, path)() as other:
        assert one.lookup("alias", b"one") == b"not-found"
        assert error(other.lookup("alias", b"one")) == b"error"
        assert "configuration-unusable" in other.log
        assert "nowhere.conf:4: " in other.log


def test_references_are_left_out(ldap_view: Path, slapd: SlapdServer) -> None:
    where: dict[str, Values] = {
        "objectClass": ["referral", "extensibleObject"],
        "ref": ["ldap://elsewhere.example/dc=x"],
    }
    base = emptied(slapd, "references", ENTRIES[0])
    slapd.execute(ldif(f"ou=elsewhere,{base}", where))
    path = put(ldap_view, "references", settings(base))
    with starter(ldap_view, THEIRS, path)() as one, starter(ldap_view, OURS, path)() as other:
        assert one.lookup("alias", b"one") == b"error"
        assert other.lookup("alias", b"one") == b"found|alice, bob"


def test_missing_attributes(ldap_view: Path, base: str) -> None:
    text = settings(base, SEARCHES.replace("alias_attributes rfc822MailMember\n", ""))
    path = put(ldap_view, "missing", text)
    with starter(ldap_view, THEIRS, path)() as one:
        with pytest.raises(Died) as died:
            one.lookup("alias", b"one")
        assert died.value.args[0] in (SIGSEGV, SIGSEGV - 128, 128 - SIGSEGV)
    with pytest.raises(Died) as died:
        starter(ldap_view, OURS, path)()
    assert died.value.args == (1,)


def test_lists(ldap_view: Path, slapd: SlapdServer, base: str) -> None:
    slapd.execute(host(base, "198.51.100.2", "198.51.100.1"))
    more = "source_filter (ipHostNumber=198.51.100.1)\nsource_attributes ipHostNumber\n"
    path = put(ldap_view, "lists", settings(base, SEARCHES + more))
    with starter(ldap_view, THEIRS, path)() as one, starter(ldap_view, OURS, path)() as other:
        assert one.fetch("source") == b"error"
        expected = [b"found|198.51.100.1", b"found|198.51.100.2", b"found|198.51.100.1"]
        assert [other.fetch("source") for _ in range(3)] == expected
        assert error(other.fetch("relayhost")) == b"error"


def test_updates(ldap_view: Path, slapd: SlapdServer, base: str, conf: str) -> None:
    with starter(ldap_view, THEIRS, conf)() as one, starter(ldap_view, OURS, conf)() as other:
        put(ldap_view, "differences", settings(base, "alias_filter (cn=%s)\nalias_attributes cn\n"))
        assert one.update() == other.update() == b"ok"
        assert one.lookup("alias", b"one") == b"found|alice, bob"
        assert other.lookup("alias", b"one") == b"found|one"
        put(ldap_view, "differences", settings(base, "alias_filter cn=%s\nalias_attributes cn\n"))
        assert one.update() == b"ok"
        assert other.update().startswith(b"error|")
        assert other.lookup("alias", b"one") == b"found|one"
