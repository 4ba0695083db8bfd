"""The programs of tables, in configurations; and who can read passwords."""

import os
import sqlite3
from pathlib import Path

import pytest

from opensmtpd_cli.commands.check.programs import tables
from opensmtpd_cli.commands.check.server import Checker
from opensmtpd_cli.system import libexec, users
from unit.support.checked import found_by, server
from unit.support.swap import smtpd_conf

pytestmark = pytest.mark.usefixtures("graceless")

OURS = """\
import sys
if 0:
    from opensmtpd_tables.x import main
if sys.argv[1] != "-n": sys.exit("not asked for")
sys.exit("table-x: %s:3: no such column: val; look again" % sys.argv[2])
"""
OTHER = """\
import sys
while sys.stdin.readline() != "config|ready\\n": pass
print("register|%s", "register|ready", sep="\\n", flush=True)
sys.stdin.read()
"""
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root starts programs as others")
with_python = pytest.mark.skipif(not os.path.exists("/usr/bin/python3"), reason="no python3")


@pytest.fixture
def programs(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory of smtpd's programs, with a file for a table."""
    monkeypatch.setattr(libexec, "LIBEXEC", (str(place),))
    monkeypatch.setattr(users, "USERS", ("daemon",))
    (place / "conf").touch(0o644)
    return place


def program(folder: Path, code: str, name: str = "table-x") -> None:
    (folder / name).write_text(f"#!/usr/bin/python3 -IS\n{code}")
    (folder / name).chmod(0o755)


def said(folder: Path, checker: Checker = tables.table_programs, text: str = "") -> list[str]:
    text = text or f"table t x:{folder}/conf\n"
    return [each.code for each in found_by(checker, folder, text)]


def test_a_program_that_is_nowhere(programs: Path) -> None:
    assert said(programs) == ["table-program-missing"]
    (programs / "table-x").touch(0o644)
    assert said(programs) == ["table-not-executable"]


def test_ours_on_an_smtpd_that_cannot_run_it(programs: Path) -> None:
    path = smtpd_conf(programs, f"table t x:{programs}/conf\n")
    old = server(path)._replace(version=(6, 8, 0))
    program(programs, OURS)
    assert [each.code for each in tables.table_programs(old)] == ["table-smtpd-old"]
    program(programs, OTHER % "alias")
    (found,) = tables.table_programs(old._replace(root=False))
    assert found.code == "not-root"


@as_root
def test_anothers_on_an_old_smtpd_is_not_started(programs: Path) -> None:
    path = smtpd_conf(programs, f"table t x:{programs}/conf\n")
    program(programs, OTHER % "alias")
    (found,) = tables.table_programs(server(path)._replace(version=(6, 8, 0)))
    assert (found.code, found.severity) == ("table-not-started", "unseen")


@as_root
@with_python
def test_ours_says_what_is_wrong(programs: Path) -> None:
    program(programs, OURS)
    (found,) = found_by(tables.table_programs, programs, f"table t x:{programs}/conf\n")
    assert (found.path, found.line) == (f"{programs}/conf", 3)
    assert (found.fault, found.remedy) == ("table t: no such column: val", "look again")


@as_root
@with_python
@pytest.mark.parametrize(("service", "codes"), [("alias", []), ("nonsense", ["table-ends"])])
def test_a_program_of_somebody_else(programs: Path, service: str, codes: list[str]) -> None:
    program(programs, OTHER % service)
    assert said(programs) == codes


@as_root
def test_a_database_that_smtpds_user_cannot_read(programs: Path) -> None:
    program(programs, OURS, "table-sqlite")
    sqlite3.connect(programs / "db").close()
    (programs / "db").write_bytes(b"")
    (programs / "db").chmod(0o600)
    (programs / "conf").write_text(f"dbpath /nowhere\ndbpath {programs}/db\n")
    (found,) = found_by(tables.table_programs, programs, f"table t sqlite:{programs}/conf\n")
    assert found.fault == f"table t runs as user daemon, which cannot read {programs}/db"


LOGIN = "listen on lo0 port 587 tls-require pki x auth <t>\n"


@pytest.mark.parametrize(
    ("table", "file"),
    [
        ("table t file:{}/conf\n", "conf"),
        ("table t passwd:{}/conf\n", "conf"),
        ("table t flat:{}/conf\n", "conf"),
        ("table t sqlite:{}/sqlite.conf\n", "db"),
    ],
)
def test_passwords_that_everybody_can_read(programs: Path, table: str, file: str) -> None:
    (programs / "sqlite.conf").write_text(f"dbpath {programs}/db\n")
    (programs / "db").touch(0o644)
    text = table.format(programs)
    assert said(programs, tables.passwords, text + LOGIN) == ["secret-readable"]
    assert said(programs, tables.passwords, text + "match from src <t> reject\n") == []
    (programs / file).chmod(0o640)
    assert said(programs, tables.passwords, text + LOGIN) == []
    (programs / file).chmod(0o642)
    assert said(programs, tables.passwords, text + LOGIN) == ["secret-writable"]


def test_passwords_in_smtpd_conf(programs: Path) -> None:
    text = 'table t { alice = "$2b$" }\n' + LOGIN
    assert said(programs, tables.passwords, text) == ["secret-readable"]


def test_the_password_for_the_server_of_a_table(programs: Path) -> None:
    (programs / "conf").write_text("host localhost\npassword secret\n")
    text = f"table t ldap:{programs}/conf\n"
    assert said(programs, tables.passwords, text) == ["secret-readable"]
    (programs / "conf").chmod(0o640)
    assert said(programs, tables.passwords, text) == []


@as_root
@with_python
def test_a_recorded_table_is_looked_at_behind_its_recorder(
    programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    (programs / "record").write_text(f"table x:{programs}/conf\ncapture {programs}/capture\n")
    program(programs, "import sys; sys.exit('no licence')")
    text = f"table t record:{programs}/record\n"
    (programs / "table-record").write_text("#!/bin/sh\nexit 0\nimport opensmtpd\n")
    (programs / "table-record").chmod(0o755)
    assert said(programs, text=text) == ["table-ends"]
    (programs / "conf").write_text("password secret\n")
    (found,) = found_by(tables.passwords, programs, text)
    assert (found.code, found.fault) == (
        "secret-readable",
        "every user of this machine can read the password for the server of table t in "
        f"{programs}/conf",
    )
