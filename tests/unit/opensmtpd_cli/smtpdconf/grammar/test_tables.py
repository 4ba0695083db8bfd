"""The directive ``table``; ``test_parser.py`` has what smtpd refuses."""

import pytest

from opensmtpd.errors import ConfigError
from opensmtpd.table.file import Row
from opensmtpd_cli.smtpdconf.configuration import Definition
from opensmtpd_cli.smtpdconf.grammar.tables import definition, fault, reserved, rows_between
from unit.support.smtpd_conf import tokens


def test_a_table_with_a_path() -> None:
    found = definition(tokens("table t sqlite:/etc/t.conf"))
    assert found == Definition("t", "/f", 1, 8, 26, False, "sqlite:/etc/t.conf", [])


def test_a_table_with_rows() -> None:
    found = definition(tokens('table "t" {\n A = "b, c" }'))
    assert found == Definition("t", "/f", 1, 10, 25, False, None, [Row(2, "a", "b, c")])


def test_rows_between_braces() -> None:
    brace, *words = tokens("{ A,\n\nb c")
    assert rows_between(words, brace) == [Row(1, "a", None), Row(3, "b", None), Row(3, "c", None)]


def test_no_rows_between_braces() -> None:
    with pytest.raises(ConfigError, match=r"^/f:1: a table without rows$"):
        rows_between([], tokens("{")[0])


def test_errors_say_where_the_word_stands() -> None:
    [_, word] = tokens("\nalias")
    assert str(fault("no", word, "yes")) == "/f:2: no; yes"
    assert str(reserved(word, "no")) == (
        "/f:2: alias is a word of smtpd.conf's own: no; "
        'put it in quotes, wherever it stands: "alias"'
    )
