"""The schema in the dialects of the servers."""

import pytest

from opensmtpd.errors import ConfigError
from opensmtpd.table import Service
from opensmtpd_cli.database.dialects import DIALECTS, MYSQL, POSTGRES, Dialect
from opensmtpd_cli.database.schema import CatalogueEntry
from opensmtpd_cli.smtpdconf.row_kinds import RowKind

both = pytest.mark.parametrize("dialect", [POSTGRES, MYSQL], ids=["postgres", "mysql"])


def test_names_of_any_kind_are_identifiers() -> None:
    assert POSTGRES.identifier('a"b`c') == '"a""b`c"'
    assert MYSQL.identifier('a"b`c') == '`a"b``c`'


def test_a_table_of_each_kind() -> None:
    def made(dialect: Dialect, kind: RowKind) -> str:
        (statement,) = dialect.new_table(CatalogueEntry("t", kind, ()), "t")
        return " ".join(statement.split())

    assert made(POSTGRES, RowKind.LIST) == (
        'CREATE TABLE "t" ( "key" text COLLATE "C" NOT NULL PRIMARY KEY )'
    )
    assert made(POSTGRES, RowKind.CREDENTIALS) == (
        'CREATE TABLE "t" ( "key" text COLLATE "C" NOT NULL PRIMARY KEY,'
        ' "user" text NOT NULL, "password" text NOT NULL )'
    )
    assert made(MYSQL, RowKind.MAPPING) == (
        "CREATE TABLE `t` ( `key` VARCHAR(768) NOT NULL PRIMARY KEY,"
        " `value` VARCHAR(2047) NOT NULL ) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
    )
    assert "`uid` BIGINT NOT NULL CHECK (uid BETWEEN 0 AND 4294967295)" in made(
        MYSQL, RowKind.USERINFO
    )


@both
def test_a_name_that_no_server_has(dialect: Dialect) -> None:
    entry = CatalogueEntry("x" * (dialect.name_max + 1), RowKind.LIST, ())
    with pytest.raises(ConfigError, match=r"longer than one of .* can be; rename it"):
        dialect.new_table(entry, entry.name)
    assert dialect.new_table(entry._replace(name="x" * dialect.name_max), "new")
    with pytest.raises(ConfigError, match="its name is no UTF-8; rename it"):
        dialect.new_table(entry._replace(name="\udcff"), "new")


@both
def test_rows_that_no_server_can_hold(dialect: Dialect) -> None:
    entry = CatalogueEntry("aliases", RowKind.MAPPING, (Service.ALIAS,))
    dialect.judge(entry, ("ü" * dialect.key_max, "x"))
    for row, reason in (
        (("k" * (dialect.key_max + 1), "x"), rf"characters; {dialect.key_max} are possible"),
        (("k", "\udcff"), "bytes that are no UTF-8"),
        (("k\udcff", "x"), "bytes that are no UTF-8"),
        (("k", "a\0b"), "bytes that are no UTF-8"),
    ):
        with pytest.raises(ConfigError, match=reason) as refused:
            dialect.judge(entry, row)
        str(refused.value).encode()  # it can be printed


def test_mysql_takes_no_blank_at_the_end_of_a_key() -> None:
    """For its collations, ``a`` and ``a `` are the same key."""
    entry = CatalogueEntry("domains", RowKind.LIST, ())
    with pytest.raises(ConfigError, match="MySQL cannot hold it: a key with a blank at its end"):
        MYSQL.judge(entry, ("a ",))
    POSTGRES.judge(entry, ("a ",))


def test_they_have_the_names_of_the_tables_of_smtpd_conf() -> None:
    assert DIALECTS == {"postgres": POSTGRES, "mysql": MYSQL}
    assert (POSTGRES.undoes, MYSQL.undoes) == (True, False)
