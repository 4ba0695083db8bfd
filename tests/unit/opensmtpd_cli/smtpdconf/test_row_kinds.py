"""The kinds of rows: the words that the database stores and messages quote."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from opensmtpd_cli.database import schema
from opensmtpd_cli.smtpdconf.row_kinds import RowKind
from unit.support.swap import database


def test_the_words() -> None:
    assert [f"{kind}" for kind in RowKind] == ["list", "mapping", "credentials", "userinfo"]
    assert RowKind("userinfo") is RowKind.USERINFO
    with pytest.raises(ValueError, match="'set' is not a valid RowKind"):
        RowKind("set")


@pytest.mark.parametrize("kind", RowKind)
def test_a_database_knows_each(tmp_path: Path, kind: RowKind) -> None:
    path = tmp_path / "db"
    with closing(database(path, schema.CatalogueEntry("t", kind))) as db:
        assert db.execute("SELECT kind FROM smtpd_tables").fetchall() == [(str(kind),)]
        with pytest.raises(sqlite3.IntegrityError, match="CHECK constraint failed"):
            db.execute("UPDATE smtpd_tables SET kind = 'set'")
