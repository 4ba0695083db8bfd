"""The configuration file: the keys of the C program and ours, and what is wrong with one."""

from pathlib import Path

import pytest

from opensmtpd.backends.ldap import config
from opensmtpd.backends.ldap.backend import LdapBackend
from opensmtpd.backends.ldap.config import read
from opensmtpd.errors import ConfigError
from opensmtpd.needs import Needs
from opensmtpd.table import Service

LEAST = "url ldap://a\nbasedn dc=x\nalias_filter (cn=%s)\nalias_attributes mail\n"
OF_C = """\
# basic ldap config: url username password basedn
url: ldap://ldap.example.com
username: cn=smtpd,cn=sysaccounts,cn=etc,dc=example,dc=com
password: totalsecure
basedn: cn=users,cn=accounts,dc=example,dc=com

alias_filter: (&(objectclass=person)(mail=%s))
alias_attributes: uid
credentials_filter: (&(objectclass=posixaccount)(uid=%s))
credentials_attributes: uid, authPassword
domain_filter: (&(objectclass=dnsdomain)(cn=%s))
domain_attributes: cn
userinfo_filter\t(&(objectclass=posixaccount)(uid=%s))
userinfo_attributes uidNumber,gidNumber,homedir
mailaddr_filter: (&(objectclass=posixaccount)(mail=%s))
mailaddr_attributes: mail
mailaddrmap_filter: (&(objectclass=posixaccount)(uid=%s))
mailaddrmap_attributes: mail
netaddr_filter: (&(objectclass=host)(ipaddr=%s))
netaddr_attributes: ipaddr
"""
"""The example of table-ldap 1.0."""


def made(folder: Path, text: str | bytes) -> LdapBackend:
    """Return the configuration that a file with this text has."""
    path = folder / "ldap.conf"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    path.chmod(0o600)
    return read(str(path))


def fault(folder: Path, text: str | bytes) -> str:
    """Return the error, without the path."""
    with pytest.raises(ConfigError) as caught:
        made(folder, text)
    return str(caught.value).replace(str(folder / "ldap.conf"), "PATH")


def test_the_example_of_c(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    backend = made(tmp_path, OF_C)
    url, tls, name, password, base, line, attributes, filters = backend.plain()
    assert (url, name, password) == (
        "ldap://ldap.example.com:389",
        "cn=smtpd,cn=sysaccounts,cn=etc,dc=example,dc=com",
        "totalsecure",
    )
    assert (tls[:2], tls[3], base, line) == (
        [False, False], True, "cn=users,cn=accounts,dc=example,dc=com", 5
    )  # fmt: skip
    assert attributes == {
        "alias": ["uid"],
        "credentials": ["uid", "authPassword"],
        "domain": ["cn"],
        "userinfo": ["uidNumber", "gidNumber", "homedir"],
        "mailaddr": ["mail"],
        "mailaddrmap": ["mail"],
        "netaddr": ["ipaddr"],
    }
    assert filters[0] == ["(&(objectclass=person)(mail=x))", 7]
    assert len(filters) == 7
    assert backend.services == frozenset(Service) - {Service.AUTH}
    assert (backend.line, backend.name) == (2, "ldap://ldap.example.com:389")
    assert capfd.readouterr().err == ""


def test_all_services_may_have_a_filter(tmp_path: Path) -> None:
    lines = ["url ldap://a", "basedn dc=x"]
    for service in Service:
        lines.append(f"{service}_filter ({service}=%s)")
        wanted = {"credentials": "a,b", "userinfo": "a,b,c"}.get(service, "a")
        lines += [] if service is Service.AUTH else [f"{service}_attributes {wanted}"]
    backend = made(tmp_path, "\n".join(lines))
    assert backend.services == frozenset(Service)
    for service in Service:
        filled = "(auth=k)" if service is Service.AUTH else f"({service}=k)"
        assert backend.question(service, "k")[:2] == [service.value, filled]


# --- warnings, as in C --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("basedn dc=other", 'key-ignored key=basedn at=PATH:5 reason="it stands in line 2, too"'),
        ("password", 'key-ignored key=password at=PATH:5 reason="it has no value"'),
        ("colour blue", 'key-ignored key=colour at=PATH:5 reason="it is unknown"'),
        ("auth_attributes a", 'key-ignored key=auth_attributes at=PATH:5 reason="it is unknown"'),
    ],
)
def test_what_is_only_logged(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], line: str, said: str
) -> None:
    assert made(tmp_path, LEAST + line).plain()[4] == "dc=x"
    assert capfd.readouterr().err.replace(str(tmp_path / "ldap.conf"), "PATH") == said + "\n"


def test_a_password_that_others_can_read(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    made(tmp_path, LEAST + "password secret")
    assert capfd.readouterr().err == ""
    (tmp_path / "ldap.conf").chmod(0o644)
    read(str(tmp_path / "ldap.conf"))
    said = capfd.readouterr().err
    assert said.startswith(f"secret-readable path={tmp_path}/ldap.conf ")
    assert "secret " not in said.removeprefix("secret-readable")


# --- what it cannot be used with ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "PATH: no url; add a line, as 'url ldap://ldap.example.org'"),
        ("url ldap://a\n", "PATH: no basedn; add a line, as 'basedn dc=example,dc=org'"),
        (
            "url ldap://a\nbasedn dc=x\n",
            "PATH: no filter; say what to look up, for example 'alias_filter (uid=%s)'",
        ),
        (
            "url a\n" + LEAST,
            "PATH:1: bad value for url: no URL that begins with ldap://, ldaps:// or ldapi://",
        ),
        (
            LEAST + "domain_filter uid=%s\n",
            "PATH:5: bad value for domain_filter: a filter begins with '(', and this does not:"
            " 'uid=%s'",
        ),
        (
            LEAST + "userinfo_filter (uid=%s)\nuserinfo_attributes a,b\n",
            "PATH:6: userinfo_attributes takes 3 attributes, with commas between, and has 2;"
            " correct the line",
        ),
        (
            LEAST + "mailaddrmap_filter (uid=%s)\n",
            "PATH:5: mailaddrmap_attributes takes one attribute, and has none; correct the line",
        ),
        (
            LEAST + "auth_filter (uid=alice)\n",
            "PATH:5: auth_filter would find the same for all; write %s where the user belongs",
        ),
        (LEAST + "starttls maybe\n", "PATH:5: bad value for starttls: 'maybe' is neither yes"
         " nor no"),
        (
            LEAST.replace("ldap:", "ldaps:") + "starttls yes\n",
            "PATH:5: starttls is for ldap://, and not for ldaps://; drop one of the two",
        ),
        (LEAST + "ca_file ca.pem\n", "PATH:5: bad value for ca_file: a path begins with '/'"),
        (
            LEAST + "password_file s3cret\n",
            "PATH:5: bad value for password_file: a path begins with '/'",
        ),
        (
            LEAST + "password x\npassword_file /y\n",
            "PATH:6: there is a password in this file, and a password_file; drop one of the two",
        ),
        (LEAST + "timeout 9\n", "PATH:5: bad value for timeout: '9' is no number of seconds from"
         " 0.05 to 2"),
        (b"url ldap://a\nbasedn dc=\xff\n", "PATH:2: bad value for basedn: it is no UTF-8"),
    ],
)  # fmt: skip
def test_faults(tmp_path: Path, text: str | bytes, said: str) -> None:
    assert fault(tmp_path, text) == said


def test_files_that_are_missing(tmp_path: Path) -> None:
    for key in ("ca_file", "password_file"):
        said = fault(tmp_path, f"{LEAST}{key} {tmp_path}/none\n")
        assert said.startswith(f"{tmp_path}/none: cannot read it: No such file")


def test_no_fault_tells_a_password(tmp_path: Path) -> None:
    assert "hunter2" not in fault(tmp_path, LEAST + "password hunter2\npassword_file /none\n")
    assert "hunter2" not in fault(tmp_path, "password hunter2\nurl ldap://u:hunter2@a\n")


# --- what a connection gets -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "password"),
    [("secret\n", "secret"), ("secret", "secret"), (" a b \r\nmore\n", " a b ")],
)
def test_a_password_in_a_file_of_its_own(tmp_path: Path, content: str, password: str) -> None:
    path = tmp_path / "secret"
    path.write_text(content, newline="")
    path.chmod(0o600)
    backend = made(tmp_path, f"{LEAST}password_file {path}\n")
    assert backend.plain()[3] == password
    assert str(path) in backend.reads


@pytest.mark.parametrize(
    ("url", "more", "tls"),
    [
        ("ldap://a", "", [False, False, "CA", True]),
        ("ldap://a", "starttls yes", [True, True, "CA", True]),
        ("ldap://a", "starttls no", [False, False, "CA", True]),
        ("ldaps://a", "", [True, False, "CA", True]),
        ("ldaps://a", "tls_verify no", [True, False, "CA", False]),
    ],
)
def test_tls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, more: str, tls: list[object]
) -> None:
    (tmp_path / "system.pem").touch()
    system = str(tmp_path / "system.pem")
    monkeypatch.setattr(config, "AUTHORITIES", ("/none", system))
    text = LEAST.replace("ldap://a", url) + more + "\n"
    expected = [system if each == "CA" else each for each in tls]
    backend = made(tmp_path, text)
    assert backend.plain()[1] == expected
    assert backend.needs == Needs(reads=(system,) if tls[0] else (), network=True)
    (tmp_path / "own.pem").touch()
    backend = made(tmp_path, f"{text}ca_file {tmp_path}/own.pem\n")
    assert backend.plain()[1][2] == f"{tmp_path}/own.pem"
    assert f"{tmp_path}/own.pem" in backend.reads


def test_a_unix_socket(tmp_path: Path) -> None:
    backend = made(tmp_path, LEAST.replace("ldap://a", "ldapi://%2Frun%2Fslapd%2Fldapi"))
    assert backend.needs == Needs(sockets=("/run/slapd/ldapi",))
    assert backend.plain()[0] == "ldapi://%2Frun%2Fslapd%2Fldapi"


def test_keys_of_all_network_tables(tmp_path: Path) -> None:
    text = LEAST + "timeout 0.5\nstale 60\nmatch domain\nsub_addr_delim -\nauth_before_7.9 yes\n"
    settings = made(tmp_path, text).settings
    assert (settings.timeout, settings.stale, settings.delimiter) == (0.5, 60.0, "-")
    assert (settings.matched, settings.force_auth) == (frozenset([Service.DOMAIN]), True)


@pytest.mark.parametrize(("attributes", "names"), [
    ("uid,x", ["uid", "x"]), ("uid, x", ["uid", "x"]), (" uid ,\tx ", ["uid", "x"]),
])  # fmt: skip
def test_blanks_around_attributes(tmp_path: Path, attributes: str, names: list[str]) -> None:
    text = f"{LEAST}credentials_filter (uid=%s)\ncredentials_attributes {attributes}\n"
    assert made(tmp_path, text).plain()[6]["credentials"] == names


@pytest.mark.parametrize(("attributes", "names"), [("", []), ("a", ["a"]), ("a,b", ["a", "b"])])
def test_services_of_which_smtpd_only_asks_whether_take_any(
    tmp_path: Path, attributes: str, names: list[str]
) -> None:
    line = f"domain_attributes {attributes}\n" if attributes else ""
    backend = made(tmp_path, f"{LEAST}domain_filter (dc=%s)\n{line}")
    assert backend.plain()[6]["domain"] == names
