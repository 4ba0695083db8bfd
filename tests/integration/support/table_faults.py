"""Ways to spoil the database of a running server; each returns how to put it back."""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.support import Lab

FOLDER = "/etc/mail/db"
DATABASE = f"{FOLDER}/smtpd.sqlite"


def path(lab: Lab) -> Path:
    return lab.guide.view / DATABASE[1:]


@contextmanager
def database(lab: Lab) -> Iterator[sqlite3.Connection]:
    """Open it to write; each statement is a transaction."""
    db = sqlite3.connect(path(lab), isolation_level=None)
    try:
        yield db
    finally:
        db.close()


Undo = Callable[[], object]


def remove(lab: Lab) -> Undo:
    away = path(lab).with_name("away")
    path(lab).rename(away)
    return lambda: away.rename(path(lab))


def truncate(lab: Lab) -> Undo:
    return overwrite(lab, b"")


def overwrite_with_garbage(lab: Lab) -> Undo:
    return overwrite(lab, os.urandom(40_000))


def overwrite_the_pages(lab: Lab) -> Undo:
    """The header still says that it is a database."""
    return overwrite(lab, path(lab).read_bytes()[:100] + os.urandom(40_000))


def overwrite(lab: Lab, data: bytes) -> Undo:
    good = path(lab).read_bytes()
    path(lab).write_bytes(data)
    return lambda: path(lab).write_bytes(good)


def replace_by_an_empty_one(lab: Lab) -> Undo:
    old, new = path(lab).with_name("old"), path(lab).with_name("new")
    new.touch()
    old.hardlink_to(path(lab))
    new.rename(path(lab))
    return lambda: old.rename(path(lab))


def replace_by_a_folder(lab: Lab) -> Undo:
    undo = remove(lab)
    path(lab).mkdir()

    def back() -> None:
        path(lab).rmdir()
        undo()

    return back


def forbid(lab: Lab) -> Undo:
    """A new file, for what is open stays open."""
    old, new = path(lab).with_name("old"), path(lab).with_name("new")
    new.write_bytes(path(lab).read_bytes())
    new.chmod(0o600)
    old.hardlink_to(path(lab))
    new.rename(path(lab))
    return lambda: old.rename(path(lab))


def rename_tables(lab: Lab) -> Undo:
    names = ("domains", "aliases", "users", "credentials")

    def rename(form: str, to: str) -> None:
        with database(lab) as db:
            for name in names:
                db.execute(f"ALTER TABLE {form.format(name)} RENAME TO {to.format(name)}")

    rename("{}", "{}_away")
    return lambda: rename("{}_away", "{}")


def drop_columns(lab: Lab) -> Undo:
    good = path(lab).read_bytes()
    with database(lab) as db:
        db.execute("ALTER TABLE domains RENAME COLUMN key TO name")
        db.execute("ALTER TABLE credentials RENAME COLUMN password TO hash")
    return lambda: path(lab).write_bytes(good)


SPOILERS = (
    remove,
    truncate,
    overwrite_with_garbage,
    overwrite_the_pages,
    replace_by_an_empty_one,
    replace_by_a_folder,
    forbid,
    rename_tables,
    drop_columns,
)


def replace_aliases(lab: Lab, sql: str) -> Undo:
    """Run a statement after the table ``aliases`` was renamed."""
    good = path(lab).read_bytes()
    with database(lab) as db:
        db.execute("ALTER TABLE aliases RENAME TO away")
        db.execute(sql)
    return lambda: path(lab).write_bytes(good)


def break_the_schema(lab: Lab) -> Undo:
    """The text of an entry is no SQL, nor UTF-8."""
    good = path(lab).read_bytes()
    with database(lab) as db:
        db.execute("CREATE VIEW broken AS SELECT 1")
        db.execute("PRAGMA writable_schema = 1")
        db.execute(
            "UPDATE sqlite_master SET sql = CAST(x'435245415445205649455720ff20ff20ff' AS TEXT)"
            " WHERE name = 'broken'"
        )
    return lambda: path(lab).write_bytes(good)
