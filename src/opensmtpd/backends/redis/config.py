"""The configuration file of table-redis, read as the C program of that name reads it.

Source: ``config_load`` and ``config_connect`` in ``table_redis.c`` 1.0.1.
"""

from collections.abc import Callable
from typing import Any

from opensmtpd.backends.configuration import absolute, once, take, yes
from opensmtpd.backends.network.settings import Settings
from opensmtpd.backends.redis.backend import RedisBackend
from opensmtpd.backends.redis.place import RedisPlace
from opensmtpd.backends.redis.query import Query
from opensmtpd.backends.redis.url import DATABASE_MAX, PORT, PORT_MAX, number, place
from opensmtpd.backends.secrets import read_password, warn_if_readable
from opensmtpd.backends.sql.config import KEYED
from opensmtpd.errors import ConfigError
from opensmtpd.table import Service, to_str

SLAVE_PORT = 6380
NO_SLAVE = "NULL"
"""The default of the C program, which looks this host up and calls it."""
UNIX = "unix:"

DEFAULTS = {
    f"query_{name}": f"GET {name}:%s"
    for name in (
        *("alias", "domain", "credentials", "netaddr"),
        *("userinfo", "source", "mailaddr", "addrname"),
    )
}
"""The queries of the C program where the file has none."""

ASKED = frozenset(f"query_{service}" for service in Service)
LISTED = frozenset(
    ["fetch_source", "fetch_relayhost"]
    + [f"patterns_{name}" for name in ("domain", "netaddr", "mailaddr", "regex")]
)
"""Keys whose queries have no place for a key."""


def read(path: str) -> RedisBackend:
    """Read a configuration file. Raises ConfigError."""
    return _File(path).backend()


class _File:
    """The lines of a file."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._lines: dict[str, int] = {}
        self._values: dict[str, Any] = {}
        self._queries: dict[str, Query] = {}
        self._constant: set[str] = set()
        self._settings = Settings()
        # A key that stands there twice is an error in C, too.
        take(path, once(path, self._lines), self._settings.set, self._set)

    def _set(self, key: str, value: str, line: int) -> bool:
        if key in ASKED or key in LISTED:
            self._queries[key] = query = Query(value, line)
            if query.keyed and key in LISTED:
                raise ValueError("a list has no key: leave out %s")
        elif key in KEYED:
            if yes(value):
                self._constant.add(KEYED[key])
        elif key in _READERS:
            self._values[key] = _READERS[key](value)
        else:
            return False
        return True

    def backend(self) -> RedisBackend:
        """Return what the lines say. Raises ConfigError."""
        queries = {name: Query(text) for name, text in DEFAULTS.items()} | self._queries
        self._must_use_the_key(queries)
        self._must_not_stand_beside("password_file", "password")
        default = self._default()
        places = self._places(default)
        if not any(place.tls for place in places):
            for key in ("tls_ca", "tls_cert", "tls_key"):
                if key in self._values:
                    raise self._fault(key, f"{key} without TLS", "say 'tls yes'")
        if "password" in self._values or any(p.password != default.password for p in places):
            warn_if_readable(self._path)
        line = self._lines.get("url", self._lines.get("master"))
        files = [
            self._values.get(key) for key in ("password_file", "tls_ca", "tls_cert", "tls_key")
        ]
        reads = tuple(filter(None, files))
        return RedisBackend(self._path, line, self._settings, places, queries, reads)

    def _default(self) -> RedisPlace:
        """Return what all places have in common."""
        get = self._values.get
        file = get("password_file")
        return RedisPlace(
            user=get("user", ""),
            password=to_str(read_password(file)) if file else get("password", ""),
            database=get("database", 0),
            tls=get("tls", False),
            authorities=get("tls_ca", ""),
            certificate=get("tls_cert", ""),
            key=get("tls_key", ""),
        )

    def _places(self, default: RedisPlace) -> list[RedisPlace]:
        """Return the servers, the best first."""
        get = self._values.get
        for key in ("master", "master_port", "slave", "slave_port"):
            self._must_not_stand_beside(key, "url")
        try:
            if "url" in self._values:
                return [place(url, default) for url in get("url", "").split()]
        except ValueError as error:
            raise self._fault("url", f"bad value for url: {error}", "") from None
        places = [_place(get("master", "127.0.0.1"), get("master_port", PORT), default)]
        slave = get("slave", NO_SLAVE)
        if slave != NO_SLAVE:
            places.append(_place(slave, get("slave_port", SLAVE_PORT), default))
        return places

    def _must_not_stand_beside(self, key: str, other: str) -> None:
        if key in self._values and other in self._values:
            fault = f"{key} and {other}, of which one is enough"
            raise self._fault(
                key, fault, f"leave out one; {other} stands in line {self._lines[other]}"
            )

    def _must_use_the_key(self, queries: dict[str, Query]) -> None:
        for key, service in KEYED.items():
            query = queries.get(f"query_{service}")
            if query is not None and not query.keyed and service not in self._constant:
                fault = f"query_{service} gives one answer for all keys"
                remedy = f"write %s where the key belongs, or say '{key} yes'"
                raise self._fault(f"query_{service}", fault, remedy)

    def _fault(self, key: str, fault: str, remedy: str) -> ConfigError:
        return ConfigError(fault, path=self._path, line=self._lines[key], remedy=remedy)


def _place(host: str, port: int, default: RedisPlace) -> RedisPlace:
    """Return a server as ``master`` and ``slave`` name it."""
    if host.startswith(UNIX):
        return default._replace(path=host.removeprefix(UNIX), tls=False)
    return default._replace(host=host, port=port)


def _below(maximum: int) -> Callable[[str], int]:
    return lambda text: number(text, maximum)


_READERS: dict[str, Callable[[str], Any]] = {
    **dict.fromkeys(("url", "master", "slave", "user", "password"), str),
    **dict.fromkeys(("password_file", "tls_ca", "tls_cert", "tls_key"), absolute),
    **dict.fromkeys(("master_port", "slave_port"), _below(PORT_MAX)),
    "database": _below(DATABASE_MAX),
    "tls": yes,
}
"""Keys of servers, and the functions that read their values."""
