"""The progress bar of ``import``."""

from pathlib import Path

import pytest

from opensmtpd_cli.commands.migrate import import_
from opensmtpd_cli.commands.migrate.progress import bar
from unit.support.swap import Program, guide, rows


def test_the_progress_bar_changes_nothing(
    run: Program, mail: Path, db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_, "progress_wanted", lambda: True)
    monkeypatch.setattr(import_, "_LONG", 4)
    assert run("import", guide(mail), db).status == 0
    assert rows(db, "hosts") == [("192.168.1.1",), ("2001:db8::",)]


def test_the_bar_is_on_stderr_and_counts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    with bar("Reading tables", 200) as advance:
        advance(50)
        advance(100)
    out, err = capsys.readouterr()
    assert out == ""
    assert "Reading tables" in err
    assert " 75%" in err
