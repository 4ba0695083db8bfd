"""table-ldap as a program, with a libldap of plain data in its worker."""

import subprocess
import sys
from pathlib import Path

import pytest

from unit.support.lookups import answer, check, fetch, hello, lookup
from unit.support.processes import PATIENCE
from unit.support.table_child import TableChild

CONF = """\
url ldap://directory.example
username cn=table
password tables-own
basedn dc=example
alias_filter (mail=%s)
alias_attributes uid
domain_filter (dc=%s)
source_filter (cn=sources)
source_attributes address
auth_filter (uid=%s)
"""
FAKE = """\
import sys, time
sys.path.insert(0, {tests!r})
from unit.support.fake_ldap import FakeLdap

fake = FakeLdap()
fake.entries = {{
    "(mail=a@example.org)": [("uid=a", {{"uid": [b"alice", b"bob"]}})],
    "(dc=example.org)": [("dc=example.org", {{}})],
    "(dc=\\\\2a.example.net)": [("dc=w", {{}})],
    "(cn=sources)": [("cn=a", {{"address": [b"192.0.2.2", b"192.0.2.1"]}})],
    "(uid=alice)": [("uid=alice", {{}})],
}}
fake.passwords = {{"cn=table": b"tables-own", "uid=alice": b"Secr3t"}}

def fault(name, given):
    if name == "search_ext" and "hang" in given[2]:
        time.sleep(3600)
    if name == "search_ext" and "crash" in given[2]:
        import os
        os.abort()

fake.fault = fault
sys.modules[__name__] = fake
"""
"""The module ``_ldap`` of the worker: it hangs and dies as told."""
MAIN = "from opensmtpd_tables import ldap\nldap.main()\n"


class Served(TableChild):
    """Serves the configuration; the worker finds the module of FAKE."""

    def __init__(self, folder: Path, conf: str = CONF, *flags: str) -> None:
        tests = str(Path(__file__).parents[2])
        (folder / "_ldap.py").write_text(FAKE.format(tests=tests))
        (folder / "ldap.conf").write_text(conf)
        (folder / "ldap.conf").chmod(0o600)
        first = f"import sys\nsys.path.insert(0, {str(folder)!r})\n"
        super().__init__(folder, first, *flags, str(folder / "ldap.conf"), main=MAIN)


def test_what_is_served(tmp_path: Path) -> None:
    with Served(tmp_path) as child:
        assert child.hello().count(b"register|") == 14
        child.send(
            lookup(b"a@example.org"),
            lookup(b"*"),
            check(b"example.org", b"domain"),
            check(b"a.example.net", b"domain"),
            check(b"other.example", b"domain"),
            fetch(b"source"),
            fetch(b"source"),
        )
        assert child.lines(7) == [
            answer(b"found|alice, bob"),
            answer(b"not-found"),
            answer(b"found", b"check"),
            answer(b"found", b"check"),
            answer(b"not-found", b"check"),
            answer(b"found|192.0.2.1", b"fetch"),
            answer(b"found|192.0.2.2", b"fetch"),
        ]
        child.send(lookup(b"alice", b"credentials"))
        [line] = child.lines()
        assert line.startswith(answer(b"error|")[:-1])
        assert b"ldap.conf: no credentials_filter" in line
        status, _, log = child.end()
    assert (status, log.count("\n")) == (0, 1)
    assert log.startswith("lookup-failed table=aliases service=credentials")


def test_passwords(tmp_path: Path) -> None:
    with Served(tmp_path) as child:
        assert b"register|auth\n" in child.hello()
        keys = (b"alice:Secr3t", b"ALICE:Secr3t", b"alice:secr3t", b"alice:", b"alice", b"bob:x")
        child.send(*(check(key, b"auth") for key in keys))
        found = [line == answer(b"found", b"check") for line in child.lines(len(keys))]
        assert found == [True, True, False, False, False, False]
        child.send(lookup(b"alice:Secr3t", b"auth"), check(b"crash:Secr3t-2", b"auth"))
        for line in child.lines(2):
            assert b"error|" in line
            assert b"cr3t" not in line
        status, _, log = child.end()
    assert status == 0
    assert "cr3t" not in log
    assert "tables-own" not in log


def test_smtpd_before_7_9_is_not_offered_auth(tmp_path: Path) -> None:
    for more, offered in (("", False), ("auth_before_7.9 yes\n", True)):
        with Served(tmp_path, CONF + more) as child:
            child.send(hello(b"7.8.0"))
            assert (b"register|auth\n" in child.until(b"register|ready\n")) is offered
            assert ("auth-refused" in child.end()[2]) is not offered


@pytest.mark.parametrize("key", [b"hang", b"crash"])
def test_a_libldap_that_hangs_or_dies_is_one_error(tmp_path: Path, key: bytes) -> None:
    """Nothing in libldap looks at the time while it asks for a name, or agrees on TLS."""
    with Served(tmp_path, CONF + "timeout 0.5\n") as child:
        child.hello()
        child.send(lookup(key))
        [line] = child.lines()
        assert line.startswith(answer(b"error|")[:-1])
        line = b""
        while line != answer(b"found|alice, bob"):
            child.send(lookup(b"a@example.org"))
            [line] = child.lines()
        assert child.end()[0] == 0


def run(folder: Path, *argv: str, first: str = "") -> tuple[int, str]:
    """Run the program; return its status, and what it says."""
    program = f"import sys\n{first}\nsys.argv[0] = 'table-ldap'\n{MAIN}"
    done = subprocess.run(
        [sys.executable, "-c", program, *argv], stdin=subprocess.DEVNULL, capture_output=True,
        text=True, timeout=PATIENCE, check=False, cwd=folder,
    )  # fmt: skip
    return done.returncode, done.stderr


def test_python_ldap_is_missing(tmp_path: Path) -> None:
    (tmp_path / "ldap.conf").write_text(CONF)
    (tmp_path / "ldap.conf").chmod(0o600)
    (tmp_path / "_ldap.py").write_text("raise ImportError\n")
    first = f"sys.path.insert(0, {str(tmp_path)!r})"
    for flags in ([], ["-n"]):
        status, said = run(tmp_path, *flags, str(tmp_path / "ldap.conf"), first=first)
        assert status == 1
        assert said == (
            "table-ldap: asking an LDAP server needs python-ldap;"
            " pip install 'opensmtpd-plugins[ldap]'\n"
        )


def test_a_configuration_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "ldap.conf").write_text(CONF + "netaddr_filter cn=%s\n")
    status, said = run(tmp_path, str(tmp_path / "ldap.conf"))
    assert status == 1
    assert said == (
        f"table-ldap: {tmp_path}/ldap.conf:11: bad value for netaddr_filter: a filter begins with"
        " '(', and this does not: 'cn=%s'\n"
    )


def test_help() -> None:
    done = subprocess.run(
        [sys.executable, "-c", f"import sys\n{MAIN}", "--help"],
        capture_output=True, text=True, check=True, timeout=PATIENCE,
    )  # fmt: skip
    assert "table users ldap:/etc/mail/ldap.conf" in done.stdout
    assert "alias_filter (&(objectClass=inetOrgPerson)(mail=%s))" in done.stdout
