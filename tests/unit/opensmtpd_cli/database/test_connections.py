"""Files that say how to connect to a server."""

import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from opensmtpd.errors import ConfigError
from opensmtpd_cli.database import connections, locations
from opensmtpd_cli.database.connections import PlaceLines


def test_lines_that_say_where_and_no_others(tmp_path: Path) -> None:
    file = tmp_path / "pg.conf"
    file.write_text(
        "# conninfo host=old\n\n  conninfo\thost=a dbname=b  \nconninfo host=second\n"
        "query_alias SELECT 1\nfetch_source SELECT 2\npatterns_regex SELECT 3\n"
        "constant_alias yes\nmatch none\nsub_addr_delim -\nquery_domain:SELECT 4\ntimeout: 1\n"
    )
    settings = connections.read(str(file))
    assert settings.values == {"conninfo": "host=second", "timeout": "1"}  # as the table has it
    assert settings.lines == ["conninfo host=a dbname=b", "conninfo host=second", "timeout 1"]


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        connections.read(str(tmp_path / "none"))


def test_a_file_without_a_place(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"/x: no conninfo; say 'conninfo host=... dbname=...'"):
        connections.of("postgres").connect(PlaceLines("/x", {}, []))


def test_a_conninfo_that_is_none_is_not_shown() -> None:
    with pytest.raises(ConfigError, match="/x: bad value for conninfo") as refused:
        connections.of("postgres").connect(
            PlaceLines("/x", {"conninfo": "password=top secret"}, [])
        )
    assert "secret" not in str(refused.value)


def test_a_file_with_a_password_that_all_can_read(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "pg.conf"
    for mode, warned in ((0o644, True), (0o640, False)):
        file.write_text("conninfo host=/nowhere password=secret\n")
        file.chmod(mode)
        server = connections.of("postgres")
        with pytest.raises(server.errors):
            server.connect(connections.read(str(file)))
        assert ("secret-readable" in capfd.readouterr().err) is warned


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_root_reads_the_file_of_another_as_he_could(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("conninfo password=root's\n")
    secret.chmod(0o600)
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "pg.conf").symlink_to(secret)
    (theirs / "my.conf").write_text(f"password_file {secret}\n")
    for path in (tmp_path.parent.parent, tmp_path.parent, tmp_path):
        path.chmod(0o755)
    for path in (theirs, *theirs.iterdir()):
        os.chown(path, 65534, 65534, follow_symlinks=False)
    with pytest.raises(ConfigError, match=r"pg.conf is a symbolic link of user .* not followed"):
        connections.read(f"{theirs}/pg.conf")
    with (
        pytest.raises(ConfigError, match="secret: cannot read it: Permission denied"),
        locations.opened(f"mysql:{theirs}/my.conf"),
    ):
        pass


@pytest.mark.parametrize(
    ("kind", "module", "needed"),
    [("postgres", "psycopg", "psycopg"), ("mysql", "pymysql", "PyMySQL")],
)
def test_a_library_that_is_not_there(
    kind: str, module: str, needed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    reason = rf"this needs {needed}; pip install 'opensmtpd-plugins\[{kind}\]'"
    with pytest.raises(ConfigError, match=reason):
        connections.of(kind)


def test_errors_in_one_line() -> None:
    assert connections.text(ValueError("one\ntwo  three\n")) == "one two three"
    assert connections.text(ValueError(1045, "denied")) == "denied"
    assert connections.text(ValueError()) == "ValueError"


def test_an_error_of_postgres_without_the_row() -> None:
    error = ValueError("value is wrong\nDETAIL: Failing row contains (alice, $2b$10$hash)")
    error.diag = SimpleNamespace(message_primary="value is wrong")  # type: ignore[attr-defined]
    assert connections.text(error) == "value is wrong"
