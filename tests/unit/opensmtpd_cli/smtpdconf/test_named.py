"""Tables and filters of smtpd.conf by their names."""

from pathlib import Path

import pytest

from opensmtpd.errors import ConfigError
from opensmtpd_cli.smtpdconf.filter_line import FilterEntry
from opensmtpd_cli.smtpdconf.named import NamedTable, filter_entry, is_name, table
from opensmtpd_cli.smtpdconf.table_line import TableLine
from opensmtpd_cli.smtpdconf.table_uses import USES
from unit.support.smtpd_conf import read

CONF = """
table t sqlite:/etc/t.conf
table f "/etc/f"
table rows { a }
action a maildir alias <t>
proc p "filter-p -x" group g
filter one \\
    proc-exec "filter-one" user u
filter two proc p
filter three proc nosuch
filter all chain { one, two }
filter spam phase connect match !rdns junk
"""


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("aliases", True),
        ("filter-rdns", True),
        ("filter-rdns --verify", False),
        ("sqlite:/etc/t.conf", False),
        ("/etc/t", False),
        ("table t file:/etc/t", False),
        ("", False),
    ],
)
def test_names(text: str, name: bool) -> None:
    assert is_name(text) is name


def test_tables(tmp_path: Path) -> None:
    configuration = read(tmp_path, CONF)
    line = TableLine("t", "sqlite", "/etc/t.conf")
    assert table(configuration, "t") == NamedTable(line, [USES["action alias"]], "+")
    assert table(configuration, "f") == NamedTable(TableLine("f", "file", "/etc/f"), [])


def test_the_delimiter_of_tags(tmp_path: Path) -> None:
    configuration = read(tmp_path, f'{CONF}smtp sub-addr-delim "-"\n')
    assert table(configuration, "t").delimiter == "-"
    configuration = read(tmp_path, f'{CONF}smtp sub-addr-delim ""\n')  # which smtpd refuses
    assert table(configuration, "t").delimiter == "+"


def test_rows_that_stand_in_smtpd_conf(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r":4: the rows of table rows stand here: there is noth"):
        table(read(tmp_path, CONF), "rows")


def test_filters(tmp_path: Path) -> None:
    configuration = read(tmp_path, CONF)
    assert filter_entry(configuration, "one") == FilterEntry("one", "filter-one", "u")
    assert filter_entry(configuration, "two") == FilterEntry("two", "filter-p -x", "", "g")


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        (
            "all",
            ":11: all is a chain, filters in a row: there is no program to run; "
            "give the name of one: one, two",
        ),
        ("spam", ":12: a filter with a phase is a part of smtpd: there is no program to run"),
        ("three", ":10: there is no proc nosuch"),
    ],
)
def test_filters_without_a_program(tmp_path: Path, name: str, fault: str) -> None:
    with pytest.raises(ConfigError) as error:
        filter_entry(read(tmp_path, CONF), name)
    assert str(error.value) == f"{tmp_path}/smtpd.conf{fault}"
