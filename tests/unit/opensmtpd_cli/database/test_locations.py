"""Databases by the names that an operator gives."""

from pathlib import Path

import pytest

from opensmtpd.table import Service
from opensmtpd_cli.database import locations
from opensmtpd_cli.database.locations import Location
from opensmtpd_cli.database.schema import CatalogueEntry
from opensmtpd_cli.smtpdconf.row_kinds import RowKind
from unit.support.account_commands import make

ALIASES = CatalogueEntry("aliases", RowKind.MAPPING, (Service.ALIAS,))


@pytest.mark.parametrize(
    ("text", "kind", "path"),
    [
        ("/var/mail.db", "sqlite", "/var/mail.db"),
        ("mail.db", "sqlite", "{cwd}/mail.db"),
        ("postgres:/etc/mail/pg.conf", "postgres", "/etc/mail/pg.conf"),
        ("mysql:my.conf", "mysql", "{cwd}/my.conf"),
        ("postgres:", "sqlite", "{cwd}/postgres:"),
        ("oracle:/x", "sqlite", "{cwd}/oracle:/x"),
    ],
)
def test_kind_and_path(
    text: str, kind: str, path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = path.format(cwd=tmp_path)
    place = locations.parse(text)
    assert place == Location(kind, path)
    assert place.on_server is (kind != "sqlite")
    assert place.name == (path if kind == "sqlite" else f"{kind}:{path}")
    assert place.target("/x.conf") == f"{kind}:/x.conf"


def test_a_file_that_is_a_database_and_one_that_is_none(tmp_path: Path) -> None:
    text = tmp_path / "smtpd.conf"
    text.write_text("table a { b }\n")
    assert locations.is_database(make(tmp_path / "mail.db"))
    assert not locations.is_database(str(text))
    assert not locations.is_database(str(tmp_path / "none"))
    assert locations.is_database("postgres:/none")


def test_a_configuration_for_each_place(tmp_path: Path) -> None:
    file = tmp_path / "pg.conf"
    file.write_text(
        "# comment\nconninfo host=db password=x\nquery_alias SELECT 1\ntimeout 2\nmatch none\n"
        "sub_addr_delim -\n"
    )
    assert locations.parse(f"postgres:{file}").configuration(ALIASES, "_") == (
        '# Table "aliases" of smtpd.conf, by opensmtpd-plugins. Used for: alias.\n'
        "conninfo host=db password=x\n"
        "timeout 2\n"
        "match domain mailaddr netaddr\n"
        "sub_addr_delim _\n"
        'query_alias SELECT "value" FROM "aliases" WHERE "key" = $1\n'
    )
    mysql = locations.parse(f"mysql:{file}").configuration(ALIASES)
    assert mysql.splitlines()[-1] == "query_alias SELECT `value` FROM `aliases` WHERE `key` = ?"
    assert "dbpath /a.db\n" in locations.parse("/a.db").configuration(ALIASES)
