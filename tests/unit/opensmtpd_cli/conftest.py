"""Where the swap to SQLite takes place."""

from pathlib import Path

import pytest

from opensmtpd_cli.plugin import filter_run
from opensmtpd_cli.system import libexec as directory
from opensmtpd_cli.system import users
from unit.support.swap import Program


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Program:
    """The program ``opensmtpd-plugins``."""
    return Program(capsys)


@pytest.fixture(autouse=True)
def no_smtpd(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether this machine has one must not matter."""
    monkeypatch.setattr(directory, "own", lambda: None)


@pytest.fixture
def mail(tmp_path: Path) -> Path:
    """A folder for smtpd.conf and table files."""
    (tmp_path / "mail").mkdir()
    return tmp_path / "mail"


@pytest.fixture
def db(tmp_path: Path) -> Path:
    """The name of a database, in a folder of its own."""
    (tmp_path / "db").mkdir()
    return tmp_path / "db" / "smtpd.sqlite"


@pytest.fixture
def libexec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where smtpd looks for its programs; they are run by who runs the tests."""
    monkeypatch.setattr(directory, "LIBEXEC", (str(tmp_path),))
    monkeypatch.setattr(users, "USERS", ())
    # Waited twice in each run of a filter, for what few filters do.
    monkeypatch.setattr(filter_run, "_LINGER", 0.01)
    return tmp_path
