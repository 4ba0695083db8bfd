"""The progress bar."""

from pathlib import Path

import pytest

from opensmtpd_cli.commands.migrate import import_
from unit.support.swap import Program, guide, rows


def test_the_progress_bar_changes_nothing(
    run: Program, mail: Path, db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_, "progress_wanted", lambda: True)
    monkeypatch.setattr(import_, "_LONG", 4)
    assert run("import", guide(mail), db).status == 0
    assert rows(db, "hosts") == [("192.168.1.1",), ("2001:db8::",)]
