"""examples/table_csv.py: rows are found in any case, and a broken file changes nothing."""

from pathlib import Path

import pytest

from opensmtpd import options
from opensmtpd.errors import ConfigError
from opensmtpd.testing import ask
from table_csv import Csv


def table(path: Path) -> Csv:
    return Csv(options.table_parser("table-csv", "").parse_args([str(path)]))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "aliases.csv"
    file.write_text('Sales,alice,bob\nalone\n\n"help",carol\n')
    return file


def test_rows_are_looked_up(path: Path) -> None:
    csv = table(path)
    assert ask(csv, "lookup", "alias", "sales") == ("found", "alice, bob")
    assert ask(csv, "lookup", "alias", "HELP") == ("found", "carol")
    assert ask(csv, "check", "alias", "sales").result == "found"
    assert ask(csv, "lookup", "alias", "alone").result == "not-found"


def test_update_reads_the_file_again_or_keeps_the_old_rows(path: Path) -> None:
    csv = table(path)
    path.write_text("sales,dave\n")
    assert ask(csv, "update").result == "ok"
    assert ask(csv, "lookup", "alias", "sales") == ("found", "dave")
    path.write_bytes(b"sales,\xff\n")
    assert ask(csv, "update").result == "error"
    assert ask(csv, "lookup", "alias", "sales") == ("found", "dave")


def test_without_the_file_it_does_not_start(tmp_path: Path) -> None:
    path = tmp_path / "missing.csv"
    with pytest.raises(ConfigError, match="missing") as caught:
        table(path)
    assert str(caught.value) == f"{path}: No such file or directory"
