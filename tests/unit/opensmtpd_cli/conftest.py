"""Fixtures of the tests of ``opensmtpd-plugins``: the program, folders, databases, patience."""

import grp
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import opensmtpd_cli.system.libexec
from opensmtpd_cli.plugin import filter_run, talk
from opensmtpd_cli.plugin.filter_run import Run
from opensmtpd_cli.system import smtpd_binary, users
from opensmtpd_cli.system import smtpd_conf as smtpd_conf_path
from unit.support import small_tables
from unit.support.account_commands import TABLES, make
from unit.support.swap import Program, guide, smtpd_conf

NO_CONF = "/nowhere/smtpd.conf"
"""The path of a smtpd.conf that is not there."""


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Program:
    """The program ``opensmtpd-plugins``."""
    return Program(capsys)


@pytest.fixture(autouse=True)
def no_smtpd(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the tests not depend on an smtpd of this machine, nor on its smtpd.conf."""
    monkeypatch.setattr(smtpd_binary, "paths", lambda: [])
    monkeypatch.setattr(smtpd_conf_path, "PATHS", (NO_CONF,))


@pytest.fixture
def mail(tmp_path: Path) -> Path:
    """A folder for smtpd.conf and table files."""
    (tmp_path / "mail").mkdir()
    return tmp_path / "mail"


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that everybody may enter, as pytest's are not."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


@pytest.fixture
def db(tmp_path: Path) -> Path:
    """The name of a database, in a folder of its own."""
    (tmp_path / "db").mkdir()
    return tmp_path / "db" / "smtpd.sqlite"


@pytest.fixture
def libexec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory where smtpd looks for its plugins; they run as the user of the tests."""
    monkeypatch.setattr(opensmtpd_cli.system.libexec, "LIBEXEC", (str(tmp_path),))
    monkeypatch.setattr(users, "USERS", ())
    # Each run of a filter waits so long twice, for what few filters do.
    monkeypatch.setattr(filter_run, "_LINGER", 0.01)
    return tmp_path


@pytest.fixture
def old(run: Program, mail: Path, db: Path) -> Path:
    """A database and configuration file that are there, and smtpd.conf for other ones."""
    conf = smtpd_conf(mail, "table users { old }\ntable hosts { x }\n")
    assert run("import", conf, db).status == 0
    return guide(mail)


@pytest.fixture
def mine(db: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Have the group that new files get be that of smtpd's user, and return its name."""
    name = grp.getgrgid(db.parent.stat().st_gid).gr_name
    monkeypatch.setattr(users, "USERS", ("no-such-group", name))
    return name


@pytest.fixture
def database(tmp_path: Path) -> str:
    """A database with four empty tables."""
    return make(tmp_path / "mail.db", *TABLES)


@pytest.fixture
def quick_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hash passwords in no time: ``$x$`` and the password backwards."""
    monkeypatch.setattr(
        "opensmtpd.table.passwords.encrypt", lambda password: f"$x${password[::-1]}"
    )


@pytest.fixture
def same_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give all requests to tables the same id."""
    monkeypatch.setattr("secrets.token_hex", lambda _: small_tables.ID)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for the end of plugins that end by themselves, as long as a busy machine takes."""
    monkeypatch.setattr(talk, "_GRACE", 60.0)


@pytest.fixture
def graceless(patient: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait for the end of plugins that do not end by themselves."""
    monkeypatch.setattr(talk, "_GRACE", 0.1)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for a filter's answers 0.1 s; for the start of the program as long as it takes."""
    start = Run.start

    def patched(self: Run) -> None:
        start(self)
        self._timeout = 0.1

    monkeypatch.setattr(Run, "start", patched)
