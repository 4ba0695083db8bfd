"""The password policy of the server (ppolicy), and a key that is not what a filter was made for."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.support.ldap_directory import OURS, emptied, ldif, put, settings, starter, user
from lab.peers.databases.slapd import SlapdServer
from lab.support import ALONE

pytestmark = ALONE
CONFIG = "cn=module{0},cn=config"
OVERLAY = "olcOverlay={0}ppolicy,olcDatabase={1}mdb,cn=config"
POLICY = {
    "objectClass": ["device", "pwdPolicy"],
    "cn": ["policy"],
    "pwdAttribute": ["userPassword"],
    "pwdMustChange": ["TRUE"],
    "pwdLockout": ["TRUE"],
    "pwdMaxFailure": ["2"],
    "pwdMaxAge": ["1"],
    "pwdGraceAuthNLimit": ["2"],
}
"""Each password has expired after a second, and lets its user in twice then."""


@pytest.fixture
def base(slapd: SlapdServer) -> Iterator[str]:
    slapd.execute(
        f"dn: {CONFIG}\nchangetype: modify\nadd: olcModuleLoad\nolcModuleLoad: ppolicy\n\n"
    )
    base = emptied(slapd, "policy")
    overlay = {
        "objectClass": ["olcOverlayConfig", "olcPPolicyConfig"],
        "olcOverlay": ["ppolicy"],
        "olcPPolicyDefault": [f"cn=policy,{base}"],
    }
    slapd.execute(ldif(OVERLAY, overlay))
    slapd.execute(ldif(f"cn=policy,{base}", POLICY))
    for number, name in enumerate(("reset", "grace", "locked", "alice")):
        slapd.execute(user(base, name, number, f"{name}@example.org", password="secret"))
    yield base
    slapd.execute(f"dn: {OVERLAY}\nchangetype: delete\n\n")


def test_passwords_that_are_to_be_changed(slapd: SlapdServer, ldap_view: Path, base: str) -> None:
    """The server takes them, so that they count; an expired one as often as it lets it."""
    reset = f"uid=reset,{base}"
    slapd.execute(f"dn: {reset}\nchangetype: modify\nreplace: pwdReset\npwdReset: TRUE\n\n")
    path = put(ldap_view, "policy", settings(base, "auth_filter (uid=%s)\n"))
    with starter(ldap_view, OURS, path)() as table:
        assert table.check("auth", b"reset:secret") == b"found"
        answers = []
        for _ in range(3):
            time.sleep(2.1)  # two of one second would count as one
            answers.append(table.check("auth", b"grace:secret"))
        assert answers == [b"found", b"found", b"not-found"]
        assert [table.check("auth", b"locked:no") for _ in range(2)] == 2 * [b"not-found"]
        assert table.check("auth", b"locked:secret") == b"not-found"
        assert table.check("auth", b"alice:secret") == b"found"
        assert table.log == ""


def test_a_key_without_a_domain_finds_nobody(slapd: SlapdServer, ldap_view: Path) -> None:
    base = emptied(
        slapd, "parts", lambda base: user(base, "alice", 1, "alice@example.org", password="secret")
    )
    searches = "auth_filter (mail=*%d)\nmailaddr_filter (mail=%n*)\ndomain_filter (mail=*%d)\n"
    path = put(ldap_view, "parts", settings(base, searches))
    with starter(ldap_view, OURS, path)() as table:
        assert table.check("domain", b"x@example.org") == b"found"
        assert table.check("mailaddr", b"al@x") == b"found"
        assert table.check("auth", b"x@example.org:secret") == b"found"
        for key in (b"", b"x", b"x@"):
            assert table.check("domain", key) == b"not-found"
            assert table.check("auth", key + b":secret") == b"not-found"
        assert table.check("mailaddr", b"@example.org") == b"not-found"
