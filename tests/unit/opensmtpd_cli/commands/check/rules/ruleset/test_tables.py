"""Keys in tables, and tables of which nothing is known."""

from pathlib import Path

import pytest

from opensmtpd.table import Service
from opensmtpd.table.file import Row
from opensmtpd_cli.commands.check.rules.ruleset import tables
from opensmtpd_cli.commands.check.rules.ruleset.tables import Tables
from opensmtpd_cli.errors import Unsure
from unit.support.smtpd_conf import named, read


def reader(folder: Path, text: str) -> Tables:
    return Tables(read(folder, text))


def test_keys_by_the_meaning_of_their_service(tmp_path: Path) -> None:
    found = reader(tmp_path, 'table t { "10.0.0.0/8", "*.example.org", "@example.net", "^a" }\n')
    assert found.holds(named("t"), Service.NETADDR, "10.1.2.3")
    assert found.holds(named("t"), Service.DOMAIN, "mail.example.org")
    assert found.holds(named("t"), Service.MAILADDR, "al@example.net")
    assert found.holds(named("t"), Service.REGEX, "alice")
    assert not found.holds(named("t"), Service.STRING, "mail.example.org")


def test_tags_have_the_delimiter_of_the_configuration(tmp_path: Path) -> None:
    found = reader(tmp_path, 'smtp sub-addr-delim "-"\ntable t { "al@example.net" }\n')
    assert found.holds(named("t"), Service.MAILADDR, "al-tag@example.net")
    assert not found.holds(named("t"), Service.MAILADDR, "al+tag@example.net")


@pytest.mark.parametrize("target", ["sqlite:/etc/t.conf", "file:/nowhere/t", "db:/etc/t.db"])
def test_tables_that_cannot_be_read(tmp_path: Path, target: str) -> None:
    found = reader(tmp_path, f"table t {target}\n")
    assert (found.rows(named("t")), found.keys(named("t")), found.mapping(named("t"))) == (
        None, [], None,
    )  # fmt: skip
    with pytest.raises(Unsure):
        found.holds(named("t"), Service.STRING, "a")


def test_a_table_that_is_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "ROWS_MAX", 2)
    assert reader(tmp_path, "table t { a, b }\n").keys(named("t")) == ["a", "b"]
    assert reader(tmp_path, "table t { a, b, c }\n").rows(named("t")) is None


def test_an_expression_that_we_refuse(tmp_path: Path) -> None:
    long = "a" * 600
    found = reader(tmp_path, f'table t {{ "{long}", "^bob" }}\n')
    assert found.holds(named("t"), Service.REGEX, "bob")
    with pytest.raises(Unsure):
        found.holds(named("t"), Service.REGEX, "alice")


def test_of_rows_with_one_key_the_last_counts(tmp_path: Path) -> None:
    (tmp_path / "aliases").write_text("al: bob\nAl: eve\n")
    found = reader(tmp_path, f"table t file:{tmp_path}/aliases\n")
    assert found.mapping(named("t")) == {"al": "eve"}
    assert found.rows(named("t")) == (Row(1, "al", "bob"), Row(2, "al", "eve"))


def test_a_table_is_made_ready_once(tmp_path: Path) -> None:
    found = reader(tmp_path, "table t { a = b }\n")
    assert found.mapping(named("t")) is found.mapping(named("t"))  # else 10,000 times for 10,000
