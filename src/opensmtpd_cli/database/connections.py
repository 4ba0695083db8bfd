"""Connections to the database that a configuration file of a table names."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from opensmtpd.backends.configuration import take
from opensmtpd.backends.secrets import warn_if_readable
from opensmtpd.errors import ConfigError, Unavailable
from opensmtpd_cli.database.dialects import MYSQL, POSTGRES, Dialect
from opensmtpd_cli.system import acting

if TYPE_CHECKING:
    from opensmtpd.backends.redis.link import RedisLink

SECONDS = 10
"""To connect."""
LONG = 3600
"""Seconds, in which all is done with MySQL."""
_QUERIES = ("query_", "fetch_", "patterns_", "constant_", "match", "sub_addr_delim")
"""The beginnings of keys that say which rows there are, not where. (Those of LDAP end in words.)"""


class PlaceLines(NamedTuple):
    """The lines of a configuration file that say where the database is."""

    path: str
    values: dict[str, str]
    lines: list[str]


class ServerKind(NamedTuple):
    """A kind of servers. ``begin`` has the statements that begin to read, and to write."""

    dialect: Dialect
    connect: Callable[[PlaceLines], Any]
    errors: tuple[type[Exception], ...]
    begin: tuple[str, str]


def read(path: str) -> PlaceLines:
    """Read a configuration file, as ``acting.safely`` has it. Raises ConfigError, OSError."""
    values: dict[str, str] = {}
    lines = []

    def keep(key: str, value: str, _line: int) -> bool:
        if not key.startswith(_QUERIES):
            values[key] = value
            lines.append(f"{key} {value}")
        return True

    with acting.safely(path):
        take(path, keep)
    return PlaceLines(path, values, lines)


def redis_link(path: str) -> "RedisLink":
    """Return a link to the first of the servers that a file names. Raises ConfigError."""
    from opensmtpd.backends.redis import config  # noqa: PLC0415  for few
    from opensmtpd.backends.redis.link import RedisLink  # noqa: PLC0415
    from opensmtpd.backends.redis.place import RedisPlace  # noqa: PLC0415

    (first, *_), _ = config.read(path).plain()
    return RedisLink(RedisPlace(*first))


def of(kind: str) -> ServerKind:
    """Return the servers of a kind. Raises ConfigError where their library is not installed."""
    return _postgres() if kind == "postgres" else _mysql()


def text(error: Exception) -> str:
    """Return the text of a library's error, in one line, without the row that PostgreSQL adds."""
    primary = getattr(getattr(error, "diag", None), "message_primary", None)
    words = primary or (error.args[-1] if error.args else type(error).__name__)
    return " ".join(str(words).split())


def _postgres() -> ServerKind:
    try:
        import psycopg  # noqa: PLC0415  a library of few
    except ImportError:
        raise _lacking("psycopg", "postgres") from None

    from opensmtpd.backends.postgres import conninfo as options  # noqa: PLC0415  as above

    def connect(settings: PlaceLines) -> Any:
        conninfo = settings.values.get("conninfo")
        if not conninfo:
            remedy = "say 'conninfo host=... dbname=...'"
            raise ConfigError("no conninfo", path=settings.path, remedy=remedy)
        try:
            options.check_signs(conninfo)
            given = options.parsed(conninfo)
        except ValueError as error:
            raise ConfigError(f"bad value for conninfo: {error}", path=settings.path) from None
        if "password" in given:
            warn_if_readable(settings.path)
        return psycopg.connect(
            conninfo,
            autocommit=True,
            prepare_threshold=None,  # a pooler would keep what is prepared, for whoever comes next
            connect_timeout=SECONDS,
            client_encoding="utf8",
        )

    # The lock that replaces a table waits for its readers, and new readers wait behind it.
    begin = (
        "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        "BEGIN; SET LOCAL lock_timeout = '1s'",
    )
    return ServerKind(POSTGRES, connect, (psycopg.Error,), begin)


def _mysql() -> ServerKind:
    try:
        import pymysql  # noqa: PLC0415  a library of few
    except ImportError:
        raise _lacking("PyMySQL", "mysql") from None

    from opensmtpd.backends.mysql import login  # noqa: PLC0415  they are for the library
    from opensmtpd.backends.mysql.config import MysqlPlace  # noqa: PLC0415

    def connect(settings: PlaceLines) -> Any:
        place = MysqlPlace(settings.path)
        take(settings.path, place.set, lambda *_: True)
        place.add_files()
        return login.connect(place.login(SECONDS), LONG)

    begin = ("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY", "SET autocommit = 0")
    return ServerKind(MYSQL, connect, (pymysql.MySQLError, Unavailable), begin)


def _lacking(module: str, extra: str) -> ConfigError:
    remedy = f"pip install 'opensmtpd-plugins[{extra}]'"
    return ConfigError(f"this needs {module}", remedy=remedy)
