"""Tables in a directory by the operator's command, inside a root, which has python3-ldap."""

import shlex
from pathlib import Path
from typing import NamedTuple

import pytest

from integration.support.ldap_directory import alias, domain, user
from lab.peers.databases.slapd import ADMIN, PASSWORD, SlapdServer
from lab.root import inside, plugin
from lab.root.namespace import view
from lab.support import ALONE, need_stage

pytestmark = ALONE
HASH = "$2b$10$GuTIbGNKyVrwxvGlvRFoxuRpTtUnK4dgrwjGN7AYA4JQgGGdsYnoa"
PLACE = "ldap:/etc/mail/directory.conf"
CONF = """\
url ldap://127.0.0.1
username {admin}
password_file /etc/mail/directory.password
basedn {base}
alias_filter (&(objectClass=nisMailAlias)(cn=%s))
alias_attributes rfc822MailMember
domain_filter (associatedDomain=%s)
credentials_filter (&(objectClass=posixAccount)(|(uid=%s)(mail=%s)))
credentials_attributes uid,description
userinfo_filter (&(objectClass=posixAccount)(uid=%s))
userinfo_attributes uidNumber,gidNumber,homeDirectory
mailaddr_filter (mail=%n@example.org)
"""


class Said(NamedTuple):
    """Exit status and output of the command."""

    status: int
    out: str
    err: str


class Inside:
    """The command, inside a view of the root."""

    def __init__(self, made: Path) -> None:
        self.etc = made / "etc/mail"
        self._view = made

    def __call__(self, *arguments: str, given: bytes = b"") -> Said:
        ended = inside.tried(self._view, "opensmtpd-plugins", *arguments, given=given)
        assert PASSWORD.encode() not in ended.stdout + ended.stderr
        return Said(ended.returncode, ended.stdout.decode(), ended.stderr.decode())

    def done(self, *arguments: str) -> str:
        said = self(*arguments)
        assert said.status == 0, said.err
        return said.out


@pytest.fixture(scope="session")
def with_ldap() -> Path:
    stage = need_stage("7.6")
    made = view(stage.root, "cli-ldap")
    plugin.install(made, stage.wheels)
    return made


@pytest.fixture
def command(with_ldap: Path, slapd: SlapdServer) -> Inside:
    base = slapd.suffix("operators")
    slapd.execute(
        user(base, "Alice", 1000, "alice@example.org", "sales@example.org", hash=HASH)
        + user(base, "bob", 1001, "bob@example.org")
        + alias(base, "info", "alice", "bob@example.net")
        + alias(base, "\u00fcn\u00ef", "alice")
        + domain(base, "example.org", "*.example.net")
    )
    made = Inside(with_ldap)
    made.etc.mkdir(exist_ok=True)
    (made.etc / "smtpd.conf").write_text('table names { "x" = "y" }\n')
    (made.etc / "directory.conf").write_text(CONF.format(admin=ADMIN, base=base))
    (made.etc / "directory.password").write_text(PASSWORD + "\n")
    (made.etc / "directory.password").chmod(0o600)
    return made


FILES = {
    "alias": "info: alice, bob@example.net\n\u00fcn\u00ef: alice\n",
    "credentials": "".join(
        f"{key}: Alice:{HASH}\n" for key in ("alice", "alice@example.org", "sales@example.org")
    ),
    "domain": "*.example.net\nexample.org\n",
    "userinfo": "alice: 1000:100:/home/Alice\nbob: 1001:100:/home/bob\n",
}
"""As ``export`` writes them. Bob has no hash, so that the table knows no credentials of his."""


def test_a_directory_as_files_and_as_a_database(command: Inside) -> None:
    one, other = command.etc / "one", command.etc / "other"
    for folder in (one, other, command.etc / "conf"):
        inside.done(command.etc.parent.parent, "rm", "-rf", f"/etc/mail/{folder.name}")
        folder.mkdir()
    lines = command.done("export", PLACE, "/etc/mail/one")
    assert _words(lines) == [["table", name, f"file:/etc/mail/one/{name}"] for name in FILES]
    assert {path.name: path.read_text() for path in one.iterdir()} == FILES
    database = "/etc/mail/conf/copy.sqlite"
    copied = command.done("import", PLACE, database)
    assert _words(copied) == [
        ["table", name, f"sqlite:/etc/mail/conf/{name}.conf"] for name in FILES
    ]
    command.done("export", database, "/etc/mail/other")
    assert {path.name: path.read_text() for path in other.iterdir()} == FILES


def _words(lines: str) -> list[list[str]]:
    return [shlex.split(line) for line in lines.splitlines()]


def test_lists(command: Inside) -> None:
    assert command.done("alias", "list", PLACE) == (
        "info\talice, bob@example.net\n\u00fcn\u00ef\talice\n"
    )
    assert command.done("domain", "list", PLACE).split() == ["*.example.net", "example.org"]
    assert command.done("user", "list", PLACE).splitlines()[0] == "alice\t1000\t100\t/home/Alice"


def test_nothing_is_written(command: Inside) -> None:
    for arguments in (
        ("alias", "add", PLACE, "x", "y"),
        ("alias", "remove", PLACE, "info"),
        ("user", "add", PLACE, "carol"),
        ("user", "passwd", PLACE, "alice"),
        ("import", "/etc/mail/smtpd.conf", PLACE),
    ):
        said = command(*arguments, given=b"a password\n")
        assert (said.status, said.out) == (1, "")
        assert "an LDAP directory is read only; change it with ldapmodify(1)" in said.err


def test_faults_of_the_directory(command: Inside, slapd: SlapdServer) -> None:
    conf = command.etc / "directory.conf"
    text = conf.read_text()
    conf.write_text(text.replace(ADMIN, "cn=nobody,dc=nodomain"))
    said = command("alias", "list", PLACE)
    assert said.status == 1
    assert "the login of cn=nobody,dc=nodomain is refused" in said.err
    conf.write_text(text.replace("ldap://127.0.0.1", "ldap://127.0.0.9"))
    said = command("alias", "list", PLACE)
    assert said.status == 1
    assert "/etc/mail/directory.conf: ldap://127.0.0.9" in said.err
    assert "Traceback" not in said.err
