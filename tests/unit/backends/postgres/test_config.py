from collections.abc import Sequence
from pathlib import Path

import pytest

from opensmtpd.backends.postgres import conninfo
from opensmtpd.backends.postgres.config import PostgresBackend
from opensmtpd.errors import ConfigError
from opensmtpd.table import Service

QUERY = "query_alias SELECT value FROM aliases WHERE key = $1"


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in conninfo.ENVIRONMENT.values():
        monkeypatch.delenv(name, raising=False)


def read(folder: Path, *lines: str) -> PostgresBackend:
    path = folder / "postgres.conf"
    path.write_text("".join(f"{line}\n" for line in lines))
    path.chmod(0o600)
    return PostgresBackend(str(path))


def test_a_file_of_the_program_in_c(tmp_path: Path) -> None:
    backend = read(
        tmp_path,
        "# A comment",
        "conninfo\thost='db.example.org' user=mail  password='it\\'s' dbname=mail",
        QUERY,
        "query_userinfo: SELECT uid, gid, home FROM users WHERE name = $1",
        "fetch_source SELECT address FROM sources",
        "fetch_source_expire 5",
    )
    assert backend.plain() == {
        "options": {
            "host": "db.example.org", "user": "mail", "password": "it's", "dbname": "mail",
        },
        "prepare": True,
        "statements": [
            ["query_alias", "SELECT value FROM aliases WHERE key = $1", 3, 1, False],
            ["query_userinfo", "SELECT uid, gid, home FROM users WHERE name = $1", 4, 3, True],
            ["fetch_source", "SELECT address FROM sources", 5, 1, True],
        ],
    }  # fmt: skip
    assert backend.name == "db.example.org/mail"
    assert backend.line == 2
    assert backend.needs.network
    assert backend.needs.sockets == ()
    assert backend.settings.expire == 5
    assert backend.settings.timeout == 1.0
    assert Service.AUTH not in backend.services
    assert backend.question(Service.ALIAS, "k") == ["query_alias", "k"]
    with pytest.raises(ConfigError, match=r"postgres\.conf: no query_domain"):
        backend.question(Service.DOMAIN, "k")


def test_a_socket(tmp_path: Path) -> None:
    backend = read(tmp_path, "conninfo host=/run/pg dbname=mail", QUERY)
    assert not backend.needs.network
    assert backend.needs.sockets == ("/run/pg/.s.PGSQL.5432",)


def test_a_service_may_be_anywhere(tmp_path: Path) -> None:
    assert read(tmp_path, "conninfo service=mail", QUERY).needs.network


def test_our_keys(tmp_path: Path) -> None:
    backend = read(
        tmp_path, "conninfo dbname=mail", "query_auth SELECT name, hash FROM u WHERE name = $1",
        "query_domain SELECT 'x'", "constant_domain yes", "prepare no", "timeout 0.5", "match none",
        "stale 60", "sandbox no",
    )  # fmt: skip
    plain = backend.plain()
    assert plain["prepare"] is False
    assert [each[4] for each in plain["statements"]] == [False, True]
    assert Service.AUTH in backend.services
    assert (backend.settings.timeout, backend.settings.stale) == (0.5, 60.0)
    assert backend.settings.matched == frozenset()


@pytest.mark.parametrize(
    ("lines", "error"),
    [
        ([QUERY], r": no conninfo; say 'conninfo host=HOST dbname=DATABASE user=USER'"),
        (["conninfo dbname=d"], r": no query; say what to look up, for example 'query_alias"),
        (["conninfo host", QUERY], r":1: bad value for conninfo: a word without '='"),
        (["conninfo postgres://m:se/cret@h/d", QUERY], r":1: bad value for conninfo: a second '@'"),
        (["conninfo host=a port=b", QUERY], r":1: bad value for conninfo: a port that is no numbe"),
        (["conninfo host=a,b port=1,2,3", QUERY], r":1: bad value for conninfo: lists of hosts"),
        ([QUERY, "conninfo password='s3cret", QUERY], r":2: bad value for conninfo: a quote that"),
        (["conninfo dbname=d", QUERY, "prepare maybe"], r":3: bad value for prepare: 'maybe' is"),
        (["conninfo dbname=d", QUERY, "timeout 9"], r":3: bad value for timeout"),
    ],
)  # fmt: skip
def test_what_cannot_be_used(tmp_path: Path, lines: Sequence[str], error: str) -> None:
    with pytest.raises(ConfigError, match=rf"postgres\.conf{error}") as raised:
        read(tmp_path, *lines)
    assert "s3cret" not in str(raised.value)


def test_an_environment_that_does_not_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPORT", "1,2,3")
    with pytest.raises(ConfigError, match=r"postgres\.conf:1: conninfo: lists of hosts"):
        read(tmp_path, "conninfo host=a,b", QUERY)


def test_a_password_that_everybody_can_read(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "postgres.conf"
    path.write_text(f"conninfo host=a password=s3cret\n{QUERY}\n")
    path.chmod(0o644)
    PostgresBackend(str(path))
    log = capfd.readouterr().err
    assert "secret-readable" in log
    assert "s3cret" not in log
    path.write_text(f"conninfo host=a\n{QUERY}\n")
    PostgresBackend(str(path))
    assert capfd.readouterr().err == ""
