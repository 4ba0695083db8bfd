"""The requests of a front to the worker that reads databases in WAL mode, and its errors.

A request is ``[name, number, sharing, *arguments]``. ``number`` stands for a configuration, which
the front sends when a worker says that it does not know it: a new worker, or after an update. A
type of error crosses by its name.
"""

from typing import Any

from opensmtpd.backends.sql.config import Statement
from opensmtpd.backends.sqlite.config import Config
from opensmtpd.errors import Unavailable

USE, END, ROW, ROWS, ALL, MORE, VERSION, FAULTS, VERSIONED = range(9)
"""Requests: take a configuration; the end of a snapshot; the methods of a Database, of which ALL is
answered in parts; a row in a list with the version that was read behind it."""
PART = 1 << 17
"""Characters of the cells in a part, or a little more, but in the last one: a frame has room for
four times as many bytes."""
ALONE, FIRST, LATER = range(3)
"""The place of a request in a snapshot: in none, its first one, or a later one."""


class NotInWal(Unavailable):
    """The database is in rollback mode, or cannot be opened: the front is to look at it."""


class UnknownConfig(Unavailable):
    """The worker has not been sent this configuration."""


def plain(config: Config) -> list[Any]:
    """Return what a worker needs of a configuration, as plain data."""
    statements = [[each.key, each.sql, each.line] for each in config.statements.values()]
    return [config.path, config.dbpath, config.busy_timeout, sorted(config.constant), statements]


def config_of(data: list[Any]) -> Config:
    """Return the configuration that ``plain`` was called with, as far as a worker needs it."""
    config = Config(data[0])
    config.dbpath, config.busy_timeout = data[1:3]
    config.constant = set(data[3])
    config.statements = {each[0]: Statement(*each) for each in data[4]}
    return config
