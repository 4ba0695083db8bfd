"""The file: made, opened and judged. One that is damaged is moved aside, and state begins anew."""

import os
import sqlite3
import stat
from contextlib import suppress
from urllib.parse import quote

from opensmtpd.errors import ConfigError, Unavailable
from opensmtpd.log import log

SQLITE = (3, 35)
"""The first version of SQLite that knows RETURNING."""
WAIT = 0.5
"""Seconds that a lock of another process is waited for."""
CHECKED = 4 << 20
"""Bytes of a file of which all pages are checked when it is opened, at most: some 0.1 seconds."""
PAGE = 4096
PAGES_MIN = 32
APPLICATION, VERSION = 0x4F535354, 1
"""The ``application_id`` and the ``user_version`` of the file."""
TABLE = """
CREATE TABLE steps (
    key BLOB PRIMARY KEY, a INTEGER NOT NULL, b INTEGER NOT NULL, c INTEGER NOT NULL,
    expires INTEGER NOT NULL, value BLOB
) WITHOUT ROWID
"""
INDEX = "CREATE INDEX by_expiry ON steps (expires)"
DAMAGE = frozenset([sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB])
ASIDE = ".damaged"


class _Damaged(sqlite3.DatabaseError):
    """The file is no database of ours any more."""


def check_version() -> None:
    """Raise ConfigError for an SQLite that does not know RETURNING."""
    if sqlite3.sqlite_version_info < SQLITE:
        fault = f"state needs SQLite 3.35, and this is {sqlite3.sqlite_version}"
        raise ConfigError(fault, remedy="upgrade it")


def is_damage(error: BaseException) -> bool:
    """Return whether an exception says that the file is damaged."""
    code: int = getattr(error, "sqlite_errorcode", 0)
    return isinstance(error, _Damaged) or code & 0xFF in DAMAGE


def identity(path: str) -> tuple[int, int] | None:
    """Return what tells a file from all others; None where there is none."""
    try:
        found = os.stat(path, follow_symlinks=False)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def check_folder(path: str) -> None:
    """Raise ConfigError where no file can be made."""
    folder = os.path.dirname(path)
    if not os.path.isdir(folder) or not os.access(folder, os.W_OK | os.X_OK):
        remedy = "make it a folder that the filter's user may write to"
        raise ConfigError("no folder for the state", path=folder, remedy=remedy)


def check_owner(path: str) -> None:
    """Raise ConfigError for a file that others may have written, or that is no file.

    They could let anybody in, and a file of somebody else must not be moved aside. Raises OSError.
    """
    try:
        found = os.stat(path, follow_symlinks=False)
    except FileNotFoundError:
        return
    if not stat.S_ISREG(found.st_mode):
        raise ConfigError("is no regular file", path=path, remedy="name a file of the filter's own")
    if found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise ConfigError("others may have written it", path=path, remedy="remove it")


def opened(path: str, size: int) -> sqlite3.Connection:
    """Return the database at ``path``, which is made where it is missing.

    A damaged one is moved aside. Raises ConfigError for a file of somebody else, OSError and
    sqlite3.Error where it cannot be used now.
    """
    for last in (False, True):
        check_owner(path)
        found = identity(path)
        with suppress(FileExistsError):
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            os.close(os.open(path, flags, 0o600))
        try:
            return _connected(path, size)
        except sqlite3.Error as error:
            if last or not is_damage(error):
                raise
            move_aside(path, found, error)
    raise AssertionError


def in_memory(size: int) -> sqlite3.Connection:
    """Return a database of ``size`` bytes at most that has no file, and is lost when it closes."""
    db = sqlite3.connect(":memory:", isolation_level=None)
    db.execute("PRAGMA temp_store = MEMORY")
    db.execute(TABLE)
    db.execute(INDEX)
    _limit(db, size)
    return db


def _limit(db: sqlite3.Connection, size: int) -> None:
    db.execute(f"PRAGMA max_page_count = {max(size // PAGE, PAGES_MIN)}")


def existing(path: str, wait: float) -> sqlite3.Connection:
    """Return the database at ``path`` for another program than its filter, of the same user.

    It is neither made nor moved aside, and keeps its settings. ``wait`` is the seconds that a lock
    of another process is waited for. Raises ConfigError for a file that others may have written,
    OSError, and sqlite3.Error where it cannot be used, or is no state: ``is_damage``.
    """
    check_owner(path)
    db = _file(path, wait)
    try:
        _distrust(db)
        if _numbers(db) != (APPLICATION, VERSION):
            raise _Damaged("it is no state")
    except BaseException:
        db.close()
        raise
    return db


def _file(path: str, wait: float) -> sqlite3.Connection:
    uri = f"file:{quote(os.fsencode(path))}?mode=rw"
    return sqlite3.connect(uri, uri=True, isolation_level=None, timeout=wait)


def _connected(path: str, size: int) -> sqlite3.Connection:
    db = _file(path, WAIT)
    try:
        _prepare(db, path, size)
    except BaseException:
        db.close()
        raise
    return db


def _distrust(db: sqlite3.Connection) -> None:
    for pragma in ("trusted_schema = OFF", "cell_size_check = ON", "temp_store = MEMORY"):
        db.execute(f"PRAGMA {pragma}")


def _prepare(db: sqlite3.Connection, path: str, size: int) -> None:
    _distrust(db)
    _make(db, path)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = NORMAL")  # what a power cut takes is the last seconds alone
    db.execute(f"PRAGMA journal_size_limit = {min(size, 8 << 20)}")
    _limit(db, size)
    _judge(db)


def _make(db: sqlite3.Connection, path: str) -> None:
    """Make the table. Raises ConfigError for a database of somebody else, sqlite3.Error."""
    if _numbers(db) == (APPLICATION, VERSION):
        return
    db.execute("BEGIN IMMEDIATE")
    try:
        found = _numbers(db)
        tables = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if found[0] == APPLICATION and found[1] != VERSION:
            raise _Damaged(f"version {found[1]}")
        if tables and found[0] != APPLICATION:
            raise ConfigError("is another program's", path=path, remedy="name a new file")
        if not tables:
            db.execute(TABLE)
            db.execute(INDEX)
            db.execute(f"PRAGMA application_id = {APPLICATION}")
            db.execute(f"PRAGMA user_version = {VERSION}")
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def _numbers(db: sqlite3.Connection) -> tuple[int, int]:
    values = [
        db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")
    ]
    return values[0], values[1]


def _judge(db: sqlite3.Connection) -> None:
    """Raise sqlite3.Error for a database whose pages or table are not what they should be.

    The pages of a file of more than CHECKED bytes are not looked at: it may have 128 MiB, which
    take seconds, for which smtpd would wait at the start, and a step would fail. No handler of
    SQLite 3.40 can stop ``quick_check``: it is one instruction. What is damaged there is found
    where a step reads it, or never.
    """
    names = [row[1] for row in db.execute("PRAGMA table_info(steps)")]
    if names != ["key", "a", "b", "c", "expires", "value"]:
        raise _Damaged("its table is not ours")
    if db.execute("PRAGMA page_count").fetchone()[0] > CHECKED // PAGE:
        return
    if (found := db.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
        raise _Damaged(str(found).splitlines()[-1])


def move_aside(path: str, found: tuple[int, int] | None, reason: object) -> None:
    """Rename a damaged file, over one that was moved before. Raises OSError, Unavailable.

    ``found`` is its identity: where another has its name now, a new one of another process say,
    nothing is done. Its log goes with it: SQLite would put what is in there into the new file.
    """
    if identity(path) != found:
        return
    try:
        check_owner(path)
    except ConfigError as error:
        raise Unavailable(str(error)) from None
    aside = path + ASIDE
    with suppress(FileNotFoundError):
        os.replace(path + "-wal", aside + "-wal")
    with suppress(FileNotFoundError):
        os.unlink(path + "-shm")
    with suppress(FileNotFoundError):
        os.replace(path, aside)
        log("state-damaged", file=path, moved_to=aside, reason=reason)
