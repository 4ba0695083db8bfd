"""The configuration file of table-sqlite, read as the C program of that name reads it.

Source: ``table_sqlite_update`` in ``table_sqlite.c`` 1.0.1.
"""

from collections.abc import Callable

from opensmtpd.backends.configuration import character, seconds, take, yes
from opensmtpd.backends.sql.config import Queries
from opensmtpd.errors import ConfigError

BUSY_MAX = 5
"""Seconds: all mail waits as long as a lookup waits for a lock."""


class Config(Queries):
    """The settings and statements of a configuration file."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.dbpath = ""
        self.dbpath_line = 0
        self.busy_timeout = 0.4
        """Seconds to wait for a database that somebody writes to."""
        self.delimiter = "+"
        self.force_auth = False
        self.sandbox = True

    def set(self, key: str, value: str, line: int) -> bool:
        """Take a line of the file."""
        if key == "dbpath":
            self.dbpath, self.dbpath_line = value, line
        elif key in _READERS:
            name, read_value = _READERS[key]
            setattr(self, name, read_value(value))
        else:
            return super().set(key, value, line)
        return True


def read(path: str) -> Config:
    """Read a configuration file. Raises ConfigError."""
    config = Config(path)
    take(path, config.set)
    if not config.dbpath:
        raise ConfigError("no dbpath", path=path, remedy="say 'dbpath FILE'")
    config.must_be_some("SELECT ... WHERE name = ?")
    return config


_READERS: dict[str, tuple[str, Callable[[str], object]]] = {
    "busy_timeout": ("busy_timeout", seconds(0, BUSY_MAX)),
    "sub_addr_delim": ("delimiter", character),
    "auth_before_7.9": ("force_auth", yes),
    "sandbox": ("sandbox", yes),
}
