"""The configuration file of table-sqlite: the C program's grammar, and what we add to it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from opensmtpd.backends.sql.config import COLUMNS
from opensmtpd.backends.sqlite.config import Config, read
from opensmtpd.errors import ConfigError
from opensmtpd.table import Service

Read = Callable[[str | bytes], Config]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sqlite.conf"


@pytest.fixture
def parse(path: Path) -> Read:
    def parse(text: str | bytes) -> Config:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read(str(path))

    return parse


GOOD = "dbpath /x.db\nquery_alias SELECT 1\n"


# --- what stands there ----------------------------------------------------------------------------

MANUAL = """\
# the example of table-sqlite(5)
dbpath			/etc/mail/smtp.sqlite

query_alias		SELECT destination FROM virtuals WHERE email=?
  query_credentials: SELECT email, password FROM credentials WHERE email=?
query_domain\tSELECT domain FROM domains WHERE domain=?;
fetch_source_expire 30
fetch_source_refresh: 20
"""


def test_the_manuals_example(parse: Read, path: Path) -> None:
    config = parse(MANUAL)
    assert (config.path, config.dbpath, config.dbpath_line) == (
        str(path),
        "/etc/mail/smtp.sqlite",
        2,
    )
    assert [(each.key, each.sql, each.line) for each in config.statements.values()] == [
        ("query_alias", "SELECT destination FROM virtuals WHERE email=?", 4),
        ("query_credentials", "SELECT email, password FROM credentials WHERE email=?", 5),
        ("query_domain", "SELECT domain FROM domains WHERE domain=?;", 6),
    ]
    assert (config.expire, config.refresh) == (30, 20)
    assert all(each.parameters is None for each in config.statements.values())


def test_what_does_not_stand_there_is_the_default(parse: Read) -> None:
    config = parse(GOOD)
    assert (config.expire, config.refresh, config.busy_timeout) == (60, 1000, 0.4)
    assert (config.delimiter, config.force_auth) == ("+", False)


def test_every_key_with_sql_is_known(parse: Read) -> None:
    config = parse("dbpath x\n" + "".join(f"{key} SELECT '{key}'\n" for key in COLUMNS))
    assert {key: each.sql for key, each in config.statements.items()} == {
        key: f"SELECT '{key}'" for key in COLUMNS
    }
    assert {f"query_{service}" for service in Service} < set(COLUMNS)
    assert COLUMNS["query_credentials"] == COLUMNS["query_auth"] == 2
    assert COLUMNS["query_userinfo"] == 3
    assert sum(COLUMNS.values()) == len(COLUMNS) + 4


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("dbpath /a b", "/a b"),
        ("dbpath\t/a", "/a"),
        ("dbpath:/a", "/a"),
        ("dbpath: /a", "/a"),
        ("dbpath : /a", "/a"),
        ("dbpath :/a", ":/a"),
        ("dbpath ::  /a", "::  /a"),
        ("dbpath: : : /a", "/a"),
        ("dbpath \v\f\r/a", "/a"),
        ("  \v dbpath /a \t\r", "/a"),
        ("dbpath 'a' \"b\" \\", "'a' \"b\" \\"),
        ("dbpath /a # no comment", "/a # no comment"),
    ],
)
def test_where_keys_end_and_values_begin(parse: Read, line: str, value: str) -> None:
    assert parse(f"{line}\nquery_alias x").dbpath == value


@pytest.mark.parametrize("line", ["#dbpath /b", " \t# dbpath /b", "", " \v\f\r\t"])
def test_comments_and_blank_lines(parse: Read, line: str, logged: list[str]) -> None:
    assert parse(f"dbpath /a\n{line}\n{line}\nquery_alias x").dbpath == "/a"
    assert logged == []


@pytest.mark.parametrize(
    "key", ["bogus", "Dbpath", "DBPATH", "query_", "dbpath\v/b", "query_killer"]
)
def test_unknown_keys_are_passed_over_and_logged(
    parse: Read, key: str, logged: list[str], path: Path
) -> None:
    assert parse(f"{GOOD}{key} x").dbpath == "/x.db"
    [line] = logged
    assert line.startswith("key-ignored key=")
    assert line.endswith(f'at={path}:3 reason="it is unknown"') or "no value" in line


@pytest.mark.parametrize("line", ["dbpath", "dbpath:", "query_domain \t", "bogus", ":"])
def test_a_key_without_a_value_is_passed_over_and_logged(
    parse: Read, line: str, logged: list[str], path: Path
) -> None:
    config = parse(GOOD + line)
    assert (config.dbpath, list(config.statements)) == ("/x.db", ["query_alias"])
    [logline] = logged
    assert logline.endswith(f'at={path}:3 reason="it has no value"')


def test_of_two_queries_the_first_counts(parse: Read, logged: list[str], path: Path) -> None:
    config = parse(f"{GOOD}query_alias SELECT 2\n")
    assert config.statements["query_alias"].sql == "SELECT 1"
    assert logged == [f'key-ignored key=query_alias at={path}:3 reason="it stands in line 2, too"']


def test_of_everything_else_the_last_one_counts(parse: Read) -> None:
    config = parse(
        f"{GOOD}dbpath /y.db\nfetch_source a\nfetch_source b\n"
        "fetch_source_expire 1\nfetch_source_expire 2\n"
    )
    assert (config.dbpath, config.dbpath_line) == ("/y.db", 3)
    assert (config.statements["fetch_source"].sql, config.statements["fetch_source"].line) == (
        "b",
        5,
    )
    assert config.expire == 2


def test_the_last_line_needs_no_end(parse: Read) -> None:
    assert parse(GOOD.rstrip("\n")).statements["query_alias"].sql == "SELECT 1"
    assert parse(GOOD.replace("\n", "\r\n")).statements["query_alias"].sql == "SELECT 1"


def test_other_line_ends_are_none(parse: Read) -> None:
    sql = "SELECT 1 \x1c\x85\u2028 --"
    assert parse(f"dbpath /x\nquery_alias {sql}\n").statements["query_alias"].sql == sql


def test_a_path_may_have_any_bytes(parse: Read) -> None:
    config = parse(b"dbpath /\xe9.db\nquery_alias SELECT '\xc3\xa9'\n# \xff\n")
    assert config.dbpath == "/\udce9.db"
    assert config.statements["query_alias"].sql == "SELECT '\xe9'"


def test_sql_is_utf_8(parse: Read, path: Path) -> None:
    """C passes on what it finds; Python's sqlite3 cannot."""
    with pytest.raises(ConfigError) as caught:
        parse(b"dbpath /x.db\nquery_alias SELECT '\xe9'\n")
    assert str(caught.value) == f"{path}:2: no UTF-8; write it in UTF-8"


def test_what_follows_a_nul_on_a_line_is_cut(parse: Read) -> None:
    config = parse("dbpath /x\0y\nquery_alias SELECT 1 \0, 2\n\0query_domain SELECT 1\n")
    assert config.dbpath == "/x"
    assert [each.sql for each in config.statements.values()] == ["SELECT 1"]


# --- numbers and the like -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("7", 7),
        ("007", 7),
        ("2147483647", 2147483647),
        ("+60", 60),
        ("0" * 30 + "60", 60),
    ],
)
def test_numbers_as_strtonum_takes_them(parse: Read, text: str, number: int) -> None:
    config = parse(f"{GOOD}fetch_source_expire {text}\nfetch_source_refresh {text}\n")
    assert (config.expire, config.refresh) == (number, number)


@pytest.mark.parametrize("key", ["fetch_source_expire", "fetch_source_refresh"])
@pytest.mark.parametrize(
    "text", ["-1", "2147483648", "9" * 30, "1.5", "60s", "1 2", "soon", "\u0663", "0x10", "1_0"]
)
def test_numbers_that_are_none(parse: Read, key: str, text: str, path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(f"{GOOD}{key} {text}\n")
    assert str(caught.value).startswith(f"{path}:3: bad value for {key}: ")


@pytest.mark.parametrize(
    ("line", "name", "value"),
    [
        ("busy_timeout 0", "busy_timeout", 0.0),
        ("busy_timeout 0.25", "busy_timeout", 0.25),
        ("busy_timeout 5", "busy_timeout", 5.0),
        ("sub_addr_delim -", "delimiter", "-"),
        ("sub_addr_delim \xe9", "delimiter", "\xe9"),
        ("auth_before_7.9 yes", "force_auth", True),
        ("auth_before_7.9 no", "force_auth", False),
    ],
)
def test_what_we_add(parse: Read, line: str, name: str, value: object) -> None:
    assert getattr(parse(GOOD + line), name) == value


@pytest.mark.parametrize(
    "line",
    [
        "busy_timeout -1",
        "busy_timeout 61",
        "busy_timeout 9999",
        "busy_timeout nan",
        "busy_timeout inf",
        "busy_timeout 1e1",
        "busy_timeout 1.",
        "sub_addr_delim ++",
        "auth_before_7.9 true",
        "auth_before_7.9 YES",
    ],
)
def test_what_we_add_and_cannot_be_used(parse: Read, line: str, path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(GOOD + line)
    key = line.partition(" ")[0]
    assert str(caught.value).startswith(f"{path}:3: bad value for {key}: '")


# --- what cannot be used --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no dbpath; say 'dbpath FILE'"),
        ("query_alias SELECT 1", "no dbpath; say 'dbpath FILE'"),
        ("dbpath:\nquery_alias SELECT 1", "no dbpath; say 'dbpath FILE'"),
        (
            "dbpath /x\nquery_bogus SELECT 1\nbusy_timeout 1",
            "no query; say what to look up, for example 'query_alias SELECT ... WHERE name = ?'",
        ),
    ],
)
def test_files_that_say_too_little(parse: Read, text: str, reason: str, path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text)
    assert str(caught.value) == f"{path}: {reason}"


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    for path, reason in (
        (tmp_path / "none", "cannot read it: No such file or directory"),
        (tmp_path, "a directory, not a regular file"),
    ):
        with pytest.raises(ConfigError) as caught:
            read(str(path))
        assert (caught.value.path, caught.value.message) == (str(path), reason)
