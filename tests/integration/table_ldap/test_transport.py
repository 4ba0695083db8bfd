"""Sockets and TLS: a server whose certificate is not the right one is never asked."""

from pathlib import Path

import pytest

from integration.support.ldap_directory import OURS, alias, emptied, put, settings, starter
from lab.peers.databases import tls
from lab.peers.databases.server import TLS
from lab.peers.databases.slapd import SlapdServer
from lab.peers.table_client import TableClient
from lab.root import inside
from lab.support import ALONE

pytestmark = ALONE
SEARCH = "alias_filter (cn=%s)\nalias_attributes rfc822MailMember\n"
# For "localhost", libldap looks for this machine's own name in the certificate.
STARTTLS, LDAPS = ("ldap://127.0.0.1", "starttls yes\n"), ("ldaps://127.0.0.1", "")
BOTH = pytest.mark.parametrize(("url", "more"), [STARTTLS, LDAPS], ids=["starttls", "ldaps"])


@pytest.fixture
def base(slapd: SlapdServer, ldap_view: Path) -> str:
    (ldap_view / TLS).mkdir(exist_ok=True)
    for name, path in (("ca", slapd.ca), ("stranger", slapd.stranger_ca)):
        (ldap_view / TLS / f"{name}.pem").write_bytes(path.read_bytes())
    (ldap_view / "etc/hosts").write_text("127.0.0.1 localhost directory.example other-name\n")
    return emptied(slapd, "transport", lambda base: alias(base, "one", "alice"))


def asked(view: Path, base: str, url: str, more: str) -> tuple[bytes, str]:
    """Return the answer to a lookup, and the log."""
    path = put(view, "transport", settings(base, SEARCH + more, url))
    with starter(view, OURS, path)() as table:
        return table.lookup("alias", b"one"), table.log


def checked(view: Path, base: str, url: str, more: str) -> str:
    """Return what ``-n`` says."""
    path = put(view, "transport", settings(base, SEARCH + more, url))
    ended = inside.tried(view, f"/usr/libexec/opensmtpd/{OURS}", "-n", path)
    assert ended.returncode in (0, 1)
    return ended.stderr.decode() if ended.returncode else ""


@BOTH
def test_the_right_certificate(ldap_view: Path, base: str, url: str, more: str) -> None:
    trusted = f"{more}ca_file /{TLS}/ca.pem\n"
    assert asked(ldap_view, base, url, trusted) == (b"found|alice", "")
    assert checked(ldap_view, base, url, trusted) == ""


@BOTH
@pytest.mark.parametrize("shown", [name for name in tls.CERTIFICATES if name != "right"])
def test_a_wrong_certificate(
    ldap_view: Path, base: str, slapd: SlapdServer, url: str, more: str, shown: str
) -> None:
    slapd.present(shown)
    trusted = f"{more}ca_file /{TLS}/ca.pem\n"
    answer, log = asked(ldap_view, base, url, trusted)
    assert answer.startswith(b"error|")
    assert "server-away" in log
    assert "transport.conf:1: " in checked(ldap_view, base, url, trusted)
    assert asked(ldap_view, base, url, f"{trusted}tls_verify no\n") == (b"found|alice", "")


@BOTH
@pytest.mark.parametrize("authority", [f"ca_file /{TLS}/stranger.pem\n", ""])
def test_an_authority_that_has_not_signed_it(
    ldap_view: Path, base: str, url: str, more: str, authority: str
) -> None:
    answer, _ = asked(ldap_view, base, url, more + authority)
    assert answer.startswith(b"error|")


def test_without_tls_the_server_may_show_what_it_likes(
    ldap_view: Path, base: str, slapd: SlapdServer
) -> None:
    slapd.present("stranger")
    assert asked(ldap_view, base, "ldap://localhost", "") == (b"found|alice", "")


@pytest.mark.parametrize("url", ["ldap://127.0.0.1", "ldap://localhost:389", "ldap://other-name"])
def test_names_and_addresses(ldap_view: Path, base: str, url: str) -> None:
    assert asked(ldap_view, base, url, "") == (b"found|alice", "")


def test_a_unix_socket(ldap_view: Path, base: str, slapd: SlapdServer) -> None:
    where = slapd.share(ldap_view)
    url = "ldapi://" + where.replace("/", "%2F")
    assert asked(ldap_view, base, url, "") == (b"found|alice", "")
    path = put(ldap_view, "transport", settings(base, SEARCH, url))
    with starter(ldap_view, OURS, path)() as table:
        heals(table, slapd)


def heals(table: TableClient, slapd: SlapdServer) -> None:
    """See that the table finds the server again."""
    assert table.lookup("alias", b"one") == b"found|alice"
    slapd.restart()
    while (answer := table.lookup("alias", b"one")).startswith(b"error"):
        pass
    assert answer == b"found|alice"


def test_a_name_in_the_certificate(ldap_view: Path, base: str) -> None:
    """The file of hosts gives both names the address of the server; one is in the certificate."""
    trusted = f"ca_file /{TLS}/ca.pem\n"
    for name, right in (("directory.example", True), ("other-name", False)):
        answer, _ = asked(ldap_view, base, f"ldaps://{name}", trusted)
        assert (answer == b"found|alice") is right


@BOTH
def test_tls_again_after_a_restart(
    ldap_view: Path, base: str, slapd: SlapdServer, url: str, more: str
) -> None:
    trusted = f"{more}ca_file /{TLS}/ca.pem\n"
    path = put(ldap_view, "transport", settings(base, SEARCH + trusted, url))
    with starter(ldap_view, OURS, path)() as table:
        heals(table, slapd)


def test_a_host_that_has_no_address(ldap_view: Path, base: str) -> None:
    answer, log = asked(ldap_view, base, "ldap://nowhere.invalid", "")
    assert answer.startswith(b"error|")
    assert "server-away" in log


@pytest.mark.parametrize("wrong", ["username cn=nobody", "password other"])
def test_a_login_that_is_refused(ldap_view: Path, base: str, wrong: str) -> None:
    key = wrong.partition(" ")[0]
    lines = [line for line in settings(base, SEARCH).splitlines() if not line.startswith(key)]
    path = put(ldap_view, "transport", "\n".join([*lines, wrong, ""]))
    with starter(ldap_view, OURS, path)() as table:
        assert table.lookup("alias", b"one").startswith(b"error|")
        assert "is refused" in table.log
        assert "other" not in table.log
    ended = inside.tried(ldap_view, f"/usr/libexec/opensmtpd/{OURS}", "-n", path)
    assert ended.returncode == 1
    assert b"transport.conf:1: " in ended.stderr
