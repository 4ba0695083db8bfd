"""smtpd's own user, and the files that its group may read."""

import grp
import os
import pwd
from pathlib import Path

import pytest

from opensmtpd_cli.database.schema import CatalogueEntry
from opensmtpd_cli.smtpdconf.row_kinds import RowKind
from opensmtpd_cli.system import users
from unit.support.swap import Program, database


def test_whom_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    names: list[str] = []

    def getpwnam(name: str) -> str:
        names.append(name)
        if name != "opensmtpd":
            raise KeyError(name)
        return "entry"

    monkeypatch.setattr(pwd, "getpwnam", getpwnam)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert users.smtpd_user() == "entry"  # type: ignore[comparison-overlap]
    assert names == ["_smtpd", "opensmtpd"]
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert users.smtpd_user() is None


def test_who_may_read_the_files(
    run: Program, mail: Path, db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database(db, CatalogueEntry("a", RowKind.LIST), CatalogueEntry("b", RowKind.LIST)).close()
    monkeypatch.setattr(users, "USERS", ("no-such-group",))
    run("export", db, mail)
    assert (mail / "a").stat().st_mode & 0o7777 == 0o600
    (mail / "a").unlink()
    (mail / "b").chmod(0o604)
    mine = grp.getgrgid(mail.stat().st_gid).gr_name
    monkeypatch.setattr(users, "USERS", ("no-such-group", mine))
    run("export", "--force", db, mail)
    assert (mail / "a").stat().st_mode & 0o7777 == 0o640
    assert (mail / "b").stat().st_mode & 0o7777 == 0o604
