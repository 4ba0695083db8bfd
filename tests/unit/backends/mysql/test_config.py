import os
import pwd
import ssl
import sys
from pathlib import Path

import pytest

from opensmtpd.backends.mysql.config import SOCKETS, MysqlBackend, read
from opensmtpd.backends.mysql.connection import MysqlQuery
from opensmtpd.backends.network import tls
from opensmtpd.errors import ConfigError
from opensmtpd.table import Service
from unit.support import certificates

QUERY = "query_alias SELECT v FROM a WHERE k = ?"


def of(folder: Path, *lines: str) -> MysqlBackend:
    """Return the configuration of some lines."""
    path = folder / "mysql.conf"
    path.write_text("\n".join((*lines, "")))
    path.chmod(0o600)
    return read(str(path))


def test_the_keys_of_the_program_in_c(tmp_path: Path) -> None:
    backend = of(
        tmp_path,
        "# our server",
        "host\tdb.example.org",
        "username: smtpd",
        "password  a b#c : d  ",
        "database mail",
        QUERY,
        "query_credentials:SELECT u, h FROM c WHERE k = ?",
        "fetch_source SELECT s FROM s",
        "fetch_source_expire 7",
        "fetch_source_refresh 8",
    )
    login = backend.login
    assert (login.sockets, login.host, login.port) == ((), "db.example.org", 3306)
    assert (login.user, login.password, login.database) == (b"smtpd", b"a b#c : d", b"mail")
    assert (login.charset, login.timeout, login.tls) == ("utf8mb4", 1.0, None)
    assert (backend.name, backend.line) == ("db.example.org:3306", 2)
    assert (backend.settings.expire, backend.settings.refresh) == (7, 8)
    assert backend.settings.matched == frozenset()
    assert backend.worker is None
    assert backend.needs.network
    assert backend.needs.sockets == ()
    assert backend.plain() == (
        login,
        {
            "query_alias": MysqlQuery("SELECT v FROM a WHERE k = ?", 6, 1, True, False),
            "query_credentials": MysqlQuery("SELECT u, h FROM c WHERE k = ?", 7, 2, True, False),
            "fetch_source": MysqlQuery("SELECT s FROM s", 8, 1, False, True),
        },
    )


def test_our_own_keys(tmp_path: Path) -> None:
    backend = of(
        tmp_path, "socket /run/my.sock", "charset latin1", "timeout 0.5", "match netaddr", QUERY
    )
    assert backend.login.sockets == ("/run/my.sock",)
    assert (backend.login.charset, backend.login.timeout) == ("latin1", 0.5)
    assert backend.settings.matched == {Service.NETADDR}
    assert backend.name == "/run/my.sock"
    assert backend.needs.sockets == ("/run/my.sock",)
    assert not backend.needs.network


@pytest.mark.parametrize(
    ("lines", "sockets", "host", "port"),
    [
        ([], SOCKETS, "localhost", 3306),
        (["host localhost"], SOCKETS, "localhost", 3306),
        (["port 3307"], (), "localhost", 3307),
        (["host localhost", "port 3307"], (), "localhost", 3307),
        (["host 127.0.0.1"], (), "127.0.0.1", 3306),
        (["host db", "socket /s"], ("/s",), "db", 3306),
    ],
)
def test_where_it_is(
    tmp_path: Path, lines: list[str], sockets: tuple[str, ...], host: str, port: int
) -> None:
    login = of(tmp_path, *lines, QUERY).login
    assert (login.sockets, login.host, login.port) == (sockets, host, port)


def test_nobody_is_named(tmp_path: Path) -> None:
    login = of(tmp_path, QUERY).login
    assert login.user.decode() == pwd.getpwuid(os.geteuid()).pw_name
    assert (login.password, login.database) == (b"", b"")


def test_one_answer_for_all_keys(tmp_path: Path) -> None:
    """Of a user's number it is what many want, of an alias it has to be said."""
    backend = of(
        tmp_path,
        QUERY,
        "query_userinfo SELECT 5000, 5000, '/var/vmail'",
        "query_domain SELECT 1",
        "constant_domain yes",
    )
    queries = backend.plain()[1]
    assert {key: query.constant for key, query in queries.items()} == {
        "query_alias": False,
        "query_userinfo": True,
        "query_domain": True,
    }


def test_auth_has_to_be_meant(tmp_path: Path) -> None:
    assert Service.AUTH not in of(tmp_path, QUERY).services
    more = of(tmp_path, "query_auth SELECT u, h FROM c WHERE k = ?")
    assert Service.AUTH in more.services


def test_values(tmp_path: Path) -> None:
    backend = of(tmp_path, QUERY)
    assert backend.question(Service.ALIAS, "k") == ["query_alias", "k"]
    assert backend.value(Service.ALIAS, [["a"], [None], [""], ["b"]]) == "a, b"
    assert backend.value(Service.CREDENTIALS, [["u", None]]) is None
    assert backend.value(Service.DOMAIN, []) is None
    assert backend.found(Service.DOMAIN, [[None]])


def test_a_password_in_another_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"s\xffcret\n")
    (tmp_path / "secret").chmod(0o600)
    backend = of(tmp_path, f"password_file {tmp_path}/secret", "host 127.0.0.1", QUERY)
    assert backend.login.password == b"s\xffcret"
    assert backend.reads == (f"{tmp_path}/secret",)


def test_a_my_cnf(tmp_path: Path) -> None:
    """What stands in the file itself counts more."""
    options = tmp_path / "my.cnf"
    options.write_text("[client]\nuser=other\npassword='x y'\nhost=db\nport=3307\n")
    options.chmod(0o600)
    login = of(tmp_path, "username smtpd", f"defaults_file {options}", QUERY).login
    assert (login.user, login.password, login.host, login.port) == (b"smtpd", b"x y", "db", 3307)


def test_a_my_cnf_that_is_wrong(tmp_path: Path) -> None:
    options = tmp_path / "my.cnf"
    options.write_text("[client]\nport=x\n")
    with pytest.raises(ConfigError) as caught:
        of(tmp_path, f"defaults_file {options}", QUERY)
    assert (caught.value.path, caught.value.line) == (str(options), 2)


@pytest.mark.parametrize("key", ["password", "options"])
def test_secrets_that_others_can_read(
    tmp_path: Path, key: str, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mysql.conf"
    options = tmp_path / "my.cnf"
    options.write_text("[client]\npassword=hush\n")
    options.chmod(0o644)
    path.write_text(
        f"{'password hush' if key == 'password' else f'defaults_file {options}'}\n{QUERY}\n"
    )
    path.chmod(0o644)
    read(str(path))
    said = capfd.readouterr().err
    assert said.startswith(f"secret-readable path={path if key == 'password' else options} ")
    assert "hush" not in said


@pytest.mark.parametrize(
    ("lines", "message", "line"),
    [
        ((QUERY, "host a", "host b"), "host stands in line 2, too", 3),
        ((QUERY, QUERY), "query_alias stands in line 1, too", 2),
        (("port 0", QUERY), "bad value for port: '0' is no port", 1),
        (("port 65536", QUERY), "bad value for port: '65536' is no port", 1),
        (("socket my.sock", QUERY), "bad value for socket: a path begins with '/'", 1),
        (("password_file s3cret", QUERY), "bad value for password_file: a path begins with '/'", 1),
        (("ssl maybe", QUERY), "bad value for ssl: 'maybe' is neither yes nor no", 1),
        (("ssl_verify x", QUERY), "bad value for ssl_verify: 'x' is none of yes, ca, no", 1),
        (("charset klingon", QUERY), "charset: 'klingon' is unknown", 1),
        (
            ("timeout 9", QUERY),
            "bad value for timeout: '9' is no number of seconds from 0.05 to 2",
            1,
        ),
        (("host a",), "no query", None),
        (("password_file /no", QUERY), "cannot read it: No such file or directory", None),
    ],
)
def test_what_is_wrong(
    tmp_path: Path, lines: tuple[str, ...], message: str, line: int | None
) -> None:
    with pytest.raises(ConfigError) as caught:
        of(tmp_path, *lines)
    assert (caught.value.message, caught.value.line) == (message, line)


# --- TLS ------------------------------------------------------------------------------------------


def context(folder: Path, *lines: str) -> ssl.SSLContext | None:
    return of(folder, "host 127.0.0.1", *lines, QUERY).login.tls


def test_tls_is_checked(tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_bytes(certificates.certificate("db"))
    for lines in (("ssl yes",), (f"ssl_ca {ca}",), ("ssl yes", f"ssl_ca {ca}")):
        found = context(tmp_path, *lines)
        assert found is not None
        assert found.check_hostname
        assert found.verify_mode is ssl.CERT_REQUIRED


def test_tls_is_checked_less(tmp_path: Path) -> None:
    named = context(tmp_path, "ssl_verify ca")
    assert named is not None
    assert (named.check_hostname, named.verify_mode) == (False, ssl.CERT_REQUIRED)
    open_ = context(tmp_path, "ssl_verify no")
    assert open_ is not None
    assert (open_.check_hostname, open_.verify_mode) == (False, ssl.CERT_NONE)


def test_certificates_are_read_with_each_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls, "system_authorities", lambda: ("/etc/ssl/certs",))
    ca = tmp_path / "ca.pem"
    ca.write_bytes(certificates.certificate("db"))
    assert of(tmp_path, "host db", f"ssl_ca {ca}", QUERY).reads == (str(ca),)
    assert of(tmp_path, "host db", "ssl yes", QUERY).reads == ("/etc/ssl/certs",)
    assert of(tmp_path, "ssl yes", QUERY).reads == ()


def test_without_tls(tmp_path: Path) -> None:
    assert context(tmp_path) is None
    assert context(tmp_path, "ssl no", "ssl_verify yes") is None
    assert context(tmp_path, "ssl yes", "socket /s") is None  # it does not leave the machine


def test_no_certificate(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nowhere"):
        context(tmp_path, "ssl_ca /nowhere")
    (tmp_path / "junk").write_text("junk")
    with pytest.raises(ConfigError, match="junk"):
        context(tmp_path, f"ssl_cert {tmp_path}/junk")


@pytest.mark.parametrize("line", ["ssl yes", "ssl_ca /etc/ssl/cert.pem"])
def test_tls_that_cannot_be_loaded_any_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    """In the sandbox, files of Python's own cannot be read."""
    monkeypatch.delattr("opensmtpd.backends.network.tls", raising=False)
    monkeypatch.setitem(sys.modules, "opensmtpd.backends.network.tls", None)
    with pytest.raises(ConfigError, match="TLS was not in use at the start; restart smtpd"):
        of(tmp_path, "host db.example.org", line, QUERY)
