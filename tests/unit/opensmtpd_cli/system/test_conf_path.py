"""Where smtpd.conf is."""

from pathlib import Path

import pytest

from opensmtpd_cli.system import conf_path


def test_the_first_that_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = str(tmp_path / "mail.conf"), str(tmp_path / "etc.conf")
    monkeypatch.setattr(conf_path, "PATHS", (first, second))
    assert conf_path.usual_path() == first
    Path(second).touch()
    assert conf_path.usual_path() == second
    Path(first).touch()
    assert conf_path.usual_path() == first
