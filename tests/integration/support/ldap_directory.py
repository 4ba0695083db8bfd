"""A directory with users, aliases and domains, and configurations of table-ldap for it."""

import os
import shutil
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path

from integration.support.manual_machine import Machine
from lab.chaos.processes import tree
from lab.peers.databases.slapd import ADMIN, PASSWORD, URL, SlapdServer
from lab.peers.table_client import TableClient, in_view

OURS, THEIRS = "table-ldap", "table-ldap.c-original"
SERVICES = ("alias", "domain", "credentials", "netaddr", "userinfo", "mailaddr", "mailaddrmap")
"""Services that the C program knows filters for."""
SEARCHES = """\
alias_filter (&(objectClass=nisMailAlias)(cn=%s))
alias_attributes rfc822MailMember
domain_filter (&(objectClass=domainRelatedObject)(associatedDomain=%s))
domain_attributes associatedDomain
credentials_filter (&(objectClass=posixAccount)(uid=%s))
credentials_attributes uid,description
netaddr_filter (&(objectClass=ipHost)(ipHostNumber=%s))
netaddr_attributes ipHostNumber
userinfo_filter (&(objectClass=posixAccount)(uid=%s))
userinfo_attributes uidNumber,gidNumber,homeDirectory
mailaddr_filter (&(objectClass=inetOrgPerson)(mail=%s))
mailaddr_attributes mail
mailaddrmap_filter (&(objectClass=inetOrgPerson)(uid=%s))
mailaddrmap_attributes mail
"""

Values = Iterable[str | bytes]


def ldif(dn: str, attributes: Mapping[str, Values]) -> str:
    """Return an entry; values may be any bytes."""
    lines = [f"dn:: {b64encode(dn.encode()).decode()}"]
    for name, values in attributes.items():
        for value in values:
            raw = value.encode() if isinstance(value, str) else value
            lines.append(f"{name}:: {b64encode(raw).decode()}")
    return "\n".join([*lines, "", ""])


def escaped(value: str) -> str:
    """Return a value for a DN (RFC 4514), each byte of it as two digits."""
    return "".join(f"\\{byte:02x}" for byte in value.encode())


def alias(base: str, name: str, *members: str | bytes) -> str:
    """Return an alias."""
    classes = ["nisMailAlias"]
    attributes = {"objectClass": classes, "cn": [name], "rfc822MailMember": members}
    return ldif(f"cn={escaped(name)},{base}", attributes)


def user(base: str, name: str, number: int, *mail: str, hash: str = "", password: str = "") -> str:
    """Return a user with addresses, a hash for credentials, and a password for a bind."""
    attributes: dict[str, Values] = {
        "objectClass": ["inetOrgPerson", "posixAccount"],
        "uid": [name],
        "cn": [f"{name} of example.org"],
        "sn": ["Example"],
        "uidNumber": [str(number)],
        "gidNumber": ["100"],
        "homeDirectory": [f"/home/{name}"],
        "mail": mail,
        "description": [hash] if hash else [],
        "userPassword": [password] if password else [],
    }
    return ldif(f"uid={escaped(name)},{base}", attributes)


def domain(base: str, *names: str) -> str:
    """Return an entry with domains."""
    classes = ["device", "domainRelatedObject"]
    name = f"domain {names[0]}"
    attributes = {"objectClass": classes, "cn": [name], "associatedDomain": names}
    return ldif(f"cn={escaped(name)},{base}", attributes)


def host(base: str, *addresses: str) -> str:
    """Return an entry with addresses or networks."""
    classes, name = ["device", "ipHost"], f"host {addresses[0]}"
    attributes = {"objectClass": classes, "cn": [name], "ipHostNumber": addresses}
    return ldif(f"cn={escaped(name)},{base}", attributes)


def settings(base: str, searches: str = SEARCHES, url: str = "ldap://127.0.0.1") -> str:
    """Return a configuration, by which the table logs in as the administrator."""
    login = f"url {url}\nusername {ADMIN}\npassword {PASSWORD}\nbasedn {base}\n"
    return login + searches


def put(view: Path, name: str, text: str) -> str:
    """Write a configuration that smtpd's user alone can read into a view; return its path there."""
    (view / "etc/mail").mkdir(exist_ok=True)
    path = view / "etc/mail" / f"{name}.conf"
    path.write_text(text)
    groups = (line.split(":") for line in (view / "etc/group").read_text().splitlines())
    [group] = [int(number) for user, _, number, *_ in groups if user == "opensmtpd"]
    os.chown(path, 0, group)
    path.chmod(0o640)
    return f"/etc/mail/{name}.conf"


def starter(view: Path, program: str, path: str, **more: str) -> Callable[[], TableClient]:
    """Return what starts a program of a view with a configuration."""
    return partial(TableClient, in_view(view, program), path, **more)


def worker(table: TableClient) -> int:
    """Return the process that has libldap."""
    names = {pid: Path(f"/proc/{pid}/cmdline").read_bytes() for pid in tree(table.process.pid)}
    [found] = [pid for pid, name in names.items() if name.strip(b" \0") == b"table-ldap: ldap"]
    return found


def emptied(slapd: SlapdServer, name: str, *entries: Callable[[str], str]) -> str:
    """Make a part of the directory with these entries; return its DN."""
    base = slapd.suffix(name)
    slapd.execute("".join(make(base) for make in entries))
    return base


EXAMPLE = "dc=example,dc=org"
FOLDER = "/var/lib/ldap-example"


def example(slapd: SlapdServer, machine: Machine) -> None:
    """Let the manual's example have its directory, which is empty, and root add to it."""
    slapd.share(machine.view)
    if not (machine.view / "usr/bin/ldapadd").exists():
        _lend_ldapadd(slapd.view, machine.view)
    found = slapd.search("cn=config", f"(olcSuffix={EXAMPLE})", "dn")
    if not found.strip():
        slapd.run("install", "-d", "-o", slapd.user, FOLDER)
        root = "gidNumber=0+uidNumber=0,cn=peercred,cn=external,cn=auth"
        database: dict[str, Values] = {
            "objectClass": ["olcDatabaseConfig", "olcMdbConfig"],
            "olcDatabase": ["mdb"],
            "olcSuffix": [EXAMPLE],
            "olcDbDirectory": [FOLDER],
            "olcRootDN": [root],
            "olcAccess": ["to * by * read"],
        }
        slapd.execute(ldif("olcDatabase=mdb,cn=config", database))
    else:
        slapd.run("ldapdelete", "-rQY", "EXTERNAL", "-H", URL, EXAMPLE)
    classes = ["organization", "dcObject"]
    slapd.execute(ldif(EXAMPLE, {"objectClass": classes, "dc": ["example"], "o": ["Example"]}))


def _lend_ldapadd(view: Path, other: Path) -> None:
    """Have another view run the ldapadd of a view, which is for other libraries than it has."""
    folder = other / "opt/ldapadd"
    folder.mkdir()
    for name in ("usr/bin/ldapadd", "usr/lib/*/libldap.so.2", "usr/lib/*/liblber.so.2"):
        found = next(view.glob(name))
        shutil.copy(found, folder / found.name)
    script = '#!/bin/sh\nLD_LIBRARY_PATH=/opt/ldapadd exec /opt/ldapadd/ldapadd "$@"\n'
    (other / "usr/bin/ldapadd").write_text(script)
    (other / "usr/bin/ldapadd").chmod(0o755)
