"""The configuration file of table-sqlite, read as the C program of that name reads it.

One ``key value`` a line; the key ends at the first space, tab or colon; lines that begin with ``#``
and unknown keys are passed over. Source: ``table_sqlite_update`` in ``table_sqlite.c`` 1.0.1.
"""

import re
from collections.abc import Callable, Iterable, Iterator

from opensmtpd.backends.strtonum import strtonum
from opensmtpd.errors import ConfigError
from opensmtpd.files import reading
from opensmtpd.log import log
from opensmtpd.table import Service, to_str

INT_MAX = 2**31 - 1
BUSY_MAX = 5
"""Seconds: all mail waits as long as a lookup waits for a lock."""

COLUMNS = {
    **{f"query_{service}": 1 for service in Service},
    "query_credentials": 2,
    "query_auth": 2,
    "query_userinfo": 3,
    "fetch_source": 1,
    "fetch_relayhost": 1,
    **{f"patterns_{name}": 1 for name in ("domain", "netaddr", "mailaddr", "regex")},
}
"""Keys whose values are SQL, and the number of columns that each must give."""

KEYED = {
    f"constant_{service}": service.value
    for service in Service
    if service not in (Service.USERINFO, Service.ADDRNAME, Service.RELAYHOST, Service.SOURCE)
}
"""Keys that allow a query to have one answer for all keys, and their services.

The answer of these services decides whom smtpd lets in, and whose mail goes where: the same for
everybody is most often a mistake. The other services only say how mail is delivered or sent, and
one user, name, relay or address for all is what many want.
"""


class Statement:
    """A line of SQL: its key, its text, and its number."""

    def __init__(self, key: str, sql: str, line: int) -> None:
        self.key, self.sql, self.line = key, sql, line
        self.parameters: int | None = None
        """The number of ``?``; None until the database was asked."""
        self.named = False
        """True where they are ``:name`` instead, and this Python's sqlite3 must be told."""


class Config:
    """The settings and statements of a configuration file."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.dbpath = ""
        self.dbpath_line = 0
        self.statements: dict[str, Statement] = {}
        self.expire = 60
        """Seconds until the rows of ``fetch_source`` are read again."""
        self.refresh = 1000
        """Calls until they are."""
        self.busy_timeout = 0.4
        """Seconds to wait for a database that somebody writes to."""
        self.delimiter = "+"
        self.force_auth = False
        self.sandbox = True
        self.constant: set[str] = set()
        """Services whose query may have one answer for all keys."""


def read(path: str) -> Config:
    """Read a configuration file. Raises ConfigError."""
    config = Config(path)
    with reading(path) as file:
        for number, key, value in _lines(file):
            _set(config, number, key, value)
    if not config.dbpath:
        raise ConfigError("no dbpath", path=path, remedy="say 'dbpath FILE'")
    if not config.statements:
        remedy = "say what to look up, for example 'query_alias SELECT ... WHERE name = ?'"
        raise ConfigError("no query", path=path, remedy=remedy)
    return config


def _lines(file: Iterable[bytes]) -> Iterator[tuple[int, str, str]]:
    for number, raw in enumerate(file, 1):
        # C's strings end at a NUL.
        line = to_str(raw.partition(b"\0")[0]).strip(_SPACE)
        if not line or line.startswith("#"):
            continue
        key, value = _SEPARATED.fullmatch(line).groups()  # type: ignore[union-attr]  # matches all
        yield number, key, value


_SPACE = " \t\n\v\f\r"
"""isspace(3)."""
_SEPARATED = re.compile(r"([^ \t:]*)(?:[ \t:](?:[ \t\v\f\r]|:(?=[ \t\v\f\r]))*)?(.*)", re.DOTALL)


def _set(config: Config, number: int, key: str, value: str) -> None:
    where = f"{config.path}:{number}"
    if not value:
        log("key-ignored", key=key, at=where, reason="it has no value")
    elif key in COLUMNS:
        old = config.statements.get(key)
        if old and key.startswith("query_"):  # of the others the last one counts, as in C
            log("key-ignored", key=key, at=where, reason=f"it stands in line {old.line}, too")
            return
        _must_be_text(value, config.path, number)
        config.statements[key] = Statement(key, value, number)
    elif key == "dbpath":
        config.dbpath, config.dbpath_line = value, number
    elif key in KEYED or key in _NUMBERS:
        try:
            _set_option(config, key, value)
        except ValueError as error:
            message = f"bad value for {key}: {error}"
            raise ConfigError(message, path=config.path, line=number) from None
    else:
        log("key-ignored", key=key, at=where, reason="it is unknown")


def _set_option(config: Config, key: str, value: str) -> None:
    if key not in KEYED:
        name, read_value = _NUMBERS[key]
        setattr(config, name, read_value(value))
    elif _yes(value):
        config.constant.add(KEYED[key])
    else:
        config.constant.discard(KEYED[key])


def _must_be_text(sql: str, path: str, line: int) -> None:
    try:
        sql.encode()
    except UnicodeEncodeError:
        raise ConfigError("no UTF-8", path=path, line=line, remedy="write it in UTF-8") from None


def _whole(text: str) -> int:
    number = strtonum(text, INT_MAX)
    if number is None:
        raise ValueError(f"{text!r:.40} is no number from 0 to {INT_MAX}")
    return number


def _seconds(text: str) -> float:
    if not re.fullmatch(r"[0-9]{1,4}(\.[0-9]{1,6})?", text) or float(text) > BUSY_MAX:
        raise ValueError(f"{text!r:.40} is no number of seconds from 0 to {BUSY_MAX}")
    return float(text)


def _delimiter(text: str) -> str:
    if len(text) != 1:
        raise ValueError(f"{text!r:.40} is not one character")
    return text


def _yes(text: str) -> bool:
    if text not in ("yes", "no"):
        raise ValueError(f"{text!r:.40} is neither yes nor no")
    return text == "yes"


_NUMBERS: dict[str, tuple[str, Callable[[str], object]]] = {
    "fetch_source_expire": ("expire", _whole),
    "fetch_source_refresh": ("refresh", _whole),
    "busy_timeout": ("busy_timeout", _seconds),
    "sub_addr_delim": ("delimiter", _delimiter),
    "auth_before_7.9": ("force_auth", _yes),
    "sandbox": ("sandbox", _yes),
}
