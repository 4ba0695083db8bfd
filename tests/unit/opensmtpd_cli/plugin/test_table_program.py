"""The programs behind table lines."""

from pathlib import Path

import pytest

from opensmtpd.errors import ConfigError
from opensmtpd_cli.plugin import table_program
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


@pytest.mark.usefixtures("libexec")
def test_a_program_of_ours_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ConfigError) as error:
        table_program.place("table-sqlite")
    assert str(error.value).endswith(
        "; install the package opensmtpd-table-sqlite-py, or run opensmtpd-plugins install"
    )
    with pytest.raises(ConfigError, match="no program table-sqlit; did you mean table-sqlite"):
        table_program.place("table-sqlit")


def test_the_packages_have_the_programs() -> None:
    packages = Path(__file__).parents[4] / "packaging" / "debian"
    found = {
        line.split()[0].rpartition("/")[2]: path.stem
        for path in packages.glob("opensmtpd-*-py.install")
        for line in path.read_text().splitlines()
        if line.startswith("usr/bin/")
    }
    assert found == table_program.OURS
