"""The guide's tables, its users and their passwords in a directory, on smtpd 7.6 and 7.9.

7.9 asks the table to check passwords, and that binds; 7.6 asks for hashes.
"""

from base64 import b64encode
from collections.abc import Iterator
from functools import cache

import pytest

from integration.support.guide_rows import hashed, pairs
from integration.support.ldap_directory import alias, domain, host, ldif, settings, user
from integration.support.network_scenes import (
    TITLES,
    nothing_is_lost,
    outages,
    starts_without,
    until,
    use_all_tables,
    well,
)
from integration.support.table_scenes import SCENES
from lab.peers import mail
from lab.peers.databases.slapd import SUFFIX, SlapdServer
from lab.shows import moves
from lab.shows.guide import PASSWORD, Guide
from lab.support import Lab, on_both

BASE = f"ou=guide,{SUFFIX}"
CONF = settings(
    BASE,
    """\
alias_filter (&(objectClass=nisMailAlias)(cn=%s))
alias_attributes rfc822MailMember
domain_filter (associatedDomain=%s)
netaddr_filter (&(cn=host *)(ipHostNumber=%s))
mailaddrmap_filter (&(objectClass=posixAccount)(uid=%s))
mailaddrmap_attributes mail
credentials_filter (&(objectClass=posixAccount)(uid=%s))
credentials_attributes uid, description
auth_filter (&(objectClass=posixAccount)(uid=%s))
userinfo_filter (&(objectClass=posixAccount)(uid=%s))
userinfo_attributes uidNumber, gidNumber, homeDirectory
source_filter (cn=sources)
source_attributes ipHostNumber
""",
)
MIXED = "Mixed Case: 'it' | ü €"
"""A password that is in one of two places: the directory's own, or the attribute of hashes."""


def prepare(guide: Guide) -> None:
    use_all_tables(guide, "ldap", CONF)


def _entries(guide: Guide, smtpd: str) -> str:
    """Return the guide's files and users as entries."""
    etc = guide.view / "etc/mail"
    made = [alias(BASE, *each) for each in pairs(etc / "aliases")]
    made += [domain(BASE, each) for each in (etc / "domains").read_text().split()]
    made += [host(BASE, each) for each in (etc / "relayaddr").read_text().split()]
    classes = ["device", "ipHost"]
    sources = {"objectClass": classes, "cn": ["sources"], "ipHostNumber": moves.SOURCES[smtpd]}
    made.append(ldif(f"cn=sources,{BASE}", sources))
    senders = dict(pairs(etc / "users"))
    made.append(user(BASE, "bound", 1, password=MIXED))
    made.append(user(BASE, "hashed", 2, hash=hashed(guide, MIXED)))
    return "".join([*made, *_people(guide, senders)])


def _people(guide: Guide, senders: dict[str, str]) -> Iterator[str]:
    for line in (guide.view / "etc/passwd").read_text().splitlines():
        name, _, uid, gid, _, home, _ = line.split(":")
        if name not in senders:
            continue
        attributes = {
            "objectClass": ["inetOrgPerson", "posixAccount"],
            "uid": [name],
            "cn": [name],
            "sn": [name],
            "uidNumber": [uid],
            "gidNumber": [gid],
            "homeDirectory": [home],
            "mail": [senders[name]],
            "description": [hashed(guide, PASSWORD)],
            "userPassword": [PASSWORD],
        }
        yield ldif(f"uid={name},{BASE}", attributes)


@cache
def _fill(slapd: SlapdServer, guide: Guide, smtpd: str) -> None:
    slapd.suffix("guide")
    slapd.execute(_entries(guide, smtpd))


@pytest.fixture
def served(running: Lab, slapd: SlapdServer) -> SlapdServer:
    """The server with the entries; smtpd may have started before it."""
    _fill(slapd, running.guide, running.smtpd)
    until(lambda: well(running))
    return slapd


both, once = on_both("table-ldap", prepare)


@once
@pytest.mark.parametrize("title", TITLES)
def test_outcome(served: SlapdServer, lab: Lab, title: str) -> None:
    scene, outcome = SCENES[title]
    assert scene(lab) == outcome


@both
@pytest.mark.parametrize(("name", "smtpd"), [("bound", "7.9"), ("hashed", "7.6")])
def test_who_judges_a_password(served: SlapdServer, lab: Lab, name: str, smtpd: str) -> None:
    right = 235 if lab.smtpd == smtpd else 535
    for password, expected in ((MIXED, right), (MIXED.lower(), 535), ("", 501)):
        with mail.connect(port=587) as client:
            client.starttls(context=mail.trusting(lab.guide))
            client.ehlo()
            plain = b64encode(f"\0{name}\0{password}".encode()).decode()
            code, _ = client.docmd("AUTH", f"PLAIN {plain}")
        assert code == expected


@both
def test_outages(served: SlapdServer, lab: Lab) -> None:
    outages(lab, served)


@once
def test_nothing_is_lost(served: SlapdServer, lab: Lab) -> None:
    nothing_is_lost(lab, served, [served.kill9, served.restart])


@both
def test_it_starts_without(served: SlapdServer, running: Lab) -> None:
    starts_without(running, served)
