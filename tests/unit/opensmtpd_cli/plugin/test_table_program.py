"""The programs behind table lines."""

from pathlib import Path

import pytest

from opensmtpd.errors import ConfigError
from opensmtpd_cli.plugin.table_program import find
from opensmtpd_cli.smtpdconf.table_line import TableLine
from opensmtpd_cli.system import libexec


def test_the_first_of_the_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = [tmp_path / name for name in "abc"]
    for folder in folders:
        folder.mkdir()
    monkeypatch.setattr(libexec, "LIBEXEC", tuple(map(str, folders)))
    (folders[1] / "table-x").touch()
    (folders[2] / "table-x").touch()
    assert find(TableLine("t", "x", None)) == f"{tmp_path}/b/table-x"


def test_beside_our_own_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "table-x").touch(0o755)
    monkeypatch.setattr("sys.executable", f"{tmp_path}/python")
    assert find(TableLine("t", "x", None)) == f"{tmp_path}/table-x"


@pytest.mark.parametrize("kind", ["db", "getpwnam"])
def test_what_is_built_in(kind: str) -> None:
    with pytest.raises(
        ConfigError, match=f"^{kind} is a part of smtpd: there is no program to ask$"
    ):
        find(TableLine("t", kind, "/x"))
