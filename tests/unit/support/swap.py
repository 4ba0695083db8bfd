"""``opensmtpd-plugins`` in this process, and the configuration of the guide in a folder."""

import sqlite3
from pathlib import Path
from typing import NamedTuple

import pytest

from opensmtpd_cli.database import schema
from opensmtpd_cli.main import main

GUIDE = Path(__file__).parents[2] / "lab" / "shows" / "guide.conf"

TABLES = {
    "domains": "example.com\n*.Example.org\n",
    "aliases": "alice:\talice\nroot:\talice, alice@mail.example\n",
    "hosts": "192.168.1.1\n2001:db8::\n",
    "relayaddr": "10.0.0.0/8\n[::1]\n",
    "users": "alice:\talice@example.com\n",
}


class Said(NamedTuple):
    """Exit status and output of the program."""

    status: int
    out: str
    err: str


class Program:
    """Runs the program."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: object) -> Said:
        """Run it to its end."""
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments], prog_name="opensmtpd-plugins")
        out, err = self._capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return Said(ended.value.code, out, err)


def guide(folder: Path) -> Path:
    """Write the guide's smtpd.conf and its five tables into a folder."""
    for name, text in TABLES.items():
        (folder / name).write_text(text, encoding="utf-8")
    text = GUIDE.read_text(encoding="utf-8").replace("file:/etc/mail/", f"file:{folder}/")
    return smtpd_conf(folder, text)


def smtpd_conf(folder: Path, text: str) -> Path:
    """Write smtpd.conf into a folder."""
    path = folder / "smtpd.conf"
    path.write_text(text, encoding="utf-8", newline="\n")
    return path


def rows(database: Path, table: str) -> list[tuple[object, ...]]:
    """Return all rows of a table, by key."""
    db = schema.connect(str(database))
    try:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return db.execute(f"SELECT * FROM {schema.identifier(table)} ORDER BY key").fetchall()
    finally:
        db.close()


def database(path: Path, *entries: schema.CatalogueEntry) -> sqlite3.Connection:
    """Make a database with empty tables."""
    db = sqlite3.connect(path, isolation_level=None)
    schema.create(db, entries)
    return db


def listing(folder: Path) -> dict[str, bytes]:
    """Return all files in a folder, and what is in them."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
