"""The rows of the tables of smtpd.conf; ``test_parser.py`` has the rest."""

from pathlib import Path

import pytest

from opensmtpd.errors import ConfigError
from opensmtpd.table.file import Row
from opensmtpd_cli.smtpdconf.configuration import rows
from unit.support.smtpd_conf import inline, named, read


def test_rows_that_stand_where_they_are_used(tmp_path: Path) -> None:
    assert rows(read(tmp_path, ""), inline("a", "b")) == (Row(1, "a", None), Row(1, "b", None))


def test_rows_of_a_table_with_a_name(tmp_path: Path) -> None:
    configuration = read(tmp_path, "table t {\n A = b\n}\n")
    assert rows(configuration, named("t")) == (Row(2, "a", "b"),)


@pytest.mark.parametrize("target", ["file:{}", "static:{}", '"{}"'])
def test_rows_of_a_file(tmp_path: Path, target: str) -> None:
    path = tmp_path / "rows"
    path.write_text("# why\nA: x, y\na z\n", encoding="ascii")
    configuration = read(tmp_path, f"table t {target.format(path)}\n")
    assert rows(configuration, named("t")) == (Row(2, "a", "x, y"), Row(3, "a", "z"))


def test_a_file_without_rows(tmp_path: Path) -> None:
    (tmp_path / "rows").write_bytes(b"")
    configuration = read(tmp_path, f"table t file:{tmp_path}/rows\n")
    assert rows(configuration, named("t")) == ()


@pytest.mark.parametrize(
    "table", ["table t sqlite:/x.conf", "table t db:/x.db", "table t getpwnam"]
)
def test_rows_that_a_program_or_a_database_keeps(tmp_path: Path, table: str) -> None:
    configuration = read(tmp_path, f"{table}\n")
    assert rows(configuration, named("t")) is None
    assert rows(configuration, named("other")) is None


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    configuration = read(tmp_path, f"table t file:{tmp_path}/none\n")
    with pytest.raises(ConfigError, match="none: "):
        rows(configuration, named("t"))
