"""Connection strings of libpq, taken apart: libpq itself is to resolve no name, for it waits.

Source: https://www.postgresql.org/docs/current/libpq-connect.html, and ``conninfo_parse`` and
``conninfo_uri_parse_options`` in ``fe-connect.c`` of PostgreSQL 17.
"""

import os
import re
from collections.abc import Mapping
from typing import NamedTuple

SOCKET_FOLDERS = ("/var/run/postgresql", "/run/postgresql", "/tmp")
"""Folders in which a libpq without ``host`` looks for the server's socket, by who has built it."""
ENVIRONMENT = {
    "host": "PGHOST",
    "hostaddr": "PGHOSTADDR",
    "port": "PGPORT",
    "dbname": "PGDATABASE",
    "service": "PGSERVICE",
    "passfile": "PGPASSFILE",
    "sslrootcert": "PGSSLROOTCERT",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
    "sslcrl": "PGSSLCRL",
    "sslcrldir": "PGSSLCRLDIR",
}
"""Variables that count where the string does not say an option."""
FILES = ("passfile", "sslrootcert", "sslcert", "sslkey", "sslcrl", "sslcrldir")
"""Options that name files: libpq reads them with each connection."""
OWN_FILES = ("~/.pgpass", "~/.postgresql", "~/.pg_service.conf", "/etc/postgresql-common")
SYSTEM_FILES = ("/etc/ssl", "/etc/passwd")
"""Files that its libraries read then."""
OWN = {"gssencmode": "disable", "client_encoding": "UTF8", "fallback_application_name": "opensmtpd"}
"""Options that are set unless the string does. To look for a ticket of Kerberos takes a time that
nothing bounds."""
PORT = "5432"


class PostgresPlace(NamedTuple):
    """A place where a server may be."""

    host: str
    """A name, the folder of a socket, or "" for what libpq takes."""
    hostaddr: str
    """A numeric address; "" where it is not known, or a socket."""
    port: str

    @property
    def local(self) -> bool:
        """Return whether it is a socket of this machine."""
        return not self.hostaddr and (not self.host or self.host[0] in "/@")


def parsed(text: str) -> dict[str, str]:
    """Return the options of a connection string.

    Raises ValueError, whose text has nothing of the string: a password may be anywhere in it.
    """
    scheme = re.match("postgres(ql)?://", text)
    found = _of_uri(text[scheme.end() :]) if scheme else dict(_words(text))
    if any("\0" in value for value in found.values()):
        raise ValueError("a NUL in it")
    return found


_PLACES = re.compile(r"postgres(?:ql)?://([^/?]*)([^?]*)")


def check_signs(text: str) -> None:
    """Raise ValueError for a URI whose password most likely has a sign that ends it.

    Of such a password libpq takes a part for a host, a port or a database, and these are logged.
    """
    found = _PLACES.match(text)
    if found is not None and ("@" in found[2] or found[1].count("@") > 1):
        raise ValueError("a second '@', or one behind a '/': in a password, write %40 and %2F")


_NAME = re.compile(r"([^=\s]+)\s*=\s*")
_QUOTED = re.compile(r"'((?:[^'\\]|\\.)*)'", re.DOTALL)
_PLAIN = re.compile(r"(?:[^\s\\]|\\.)*", re.DOTALL)


def _words(text: str) -> list[tuple[str, str]]:
    words, at = [], 0
    text = text.strip()
    while at < len(text):
        name = _NAME.match(text, at)
        if name is None:
            raise ValueError("a word without '='")
        pattern = _QUOTED if text.startswith("'", name.end()) else _PLAIN
        value = pattern.match(text, name.end())
        if value is None:
            raise ValueError("a quote that does not end")
        words.append(
            (name[1], re.sub(r"\\(.)", r"\1", value[value.lastindex or 0], flags=re.DOTALL))
        )
        rest = text[value.end() :]
        at = len(text) - len(rest.lstrip())
    return words


_URI = re.compile(
    r"(?:(?P<user>[^@/:]*)(?::(?P<password>[^@/]*))?@)?(?P<hosts>(?:\[[^]]*\]|[^/?])*)(?:/(?P<dbname>[^?]*))?"
    r"(?:\?(?P<parameters>.*))?",
    re.DOTALL,
)
_HOST = re.compile(r"(\[[^]]*\]|[^:]*)(?::(.*))?", re.DOTALL)


def _of_uri(text: str) -> dict[str, str]:
    found = _URI.fullmatch(text)
    if found is None:
        raise ValueError("no URI")
    options = {name: found[name] or "" for name in ("user", "password", "dbname")}
    places = [_HOST.fullmatch(word) for word in found["hosts"].split(",")]
    hosts = [place[1] for place in places if place]
    if len(hosts) != len(places):
        raise ValueError("a host in brackets with more behind it than ':PORT'")
    options["host"] = ",".join(host[1:-1] if host[:1] == "[" else host for host in hosts)
    options["port"] = ",".join(place[2] or "" for place in places if place)
    for pair in filter(None, (found["parameters"] or "").split("&")):
        name, equals, value = pair.partition("=")
        if not equals or "=" in value:
            raise ValueError("a parameter of the URI that is not NAME=VALUE")
        if (name, value) == ("ssl", "true"):
            name, value = "sslmode", "require"
        options[name] = value
    return {_decoded(name): _decoded(value) for name, value in options.items() if value}


def _decoded(text: str) -> str:
    if re.search("%(?![0-9A-Fa-f]{2})", text):
        raise ValueError("a '%' in the URI without two hexadecimal digits")
    stripped = text.strip(" ")
    if " " in stripped:
        raise ValueError("a space in the URI; write %20")
    raw = re.sub(rb"%(..)", lambda pair: bytes([int(pair[1], 16)]), _bytes(stripped))
    return raw.decode("utf-8", "surrogateescape")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def with_environment(given: Mapping[str, str]) -> dict[str, str]:
    """Return the options, and those of the environment where the string says nothing."""
    found = {name: os.environ.get(variable, "") for name, variable in ENVIRONMENT.items()}
    return {name: value for name, value in {**found, **given}.items() if value}


def targets(options: Mapping[str, str]) -> list[PostgresPlace]:
    """Return the places to try, in their order.

    Raises ValueError for lists that do not fit, and for a port that is no number.
    """
    lists = [options.get(name, "").split(",") for name in ("host", "hostaddr", "port")]
    count = max(len(lists[0]), len(lists[1]))
    for words in lists:
        if len(words) == 1:
            words *= count  # noqa: PLW2901  in place
        elif len(words) != count:
            raise ValueError("lists of hosts, addresses and ports that are not equally long")
    if not all(re.fullmatch("[0-9]*", port.strip()) for port in lists[2]):
        raise ValueError("a port that is no number")
    return [
        PostgresPlace(host, address, port or PORT)
        for host, address, port in zip(*lists, strict=True)
    ]


def name_of(options: Mapping[str, str]) -> str:
    """Return the server's name for the log."""
    if "service" in options and "host" not in options:
        return f"service {options['service']}"
    places = (each.hostaddr or each.host or "local" for each in targets(options))
    return f"{','.join(places)}/{options.get('dbname', '')}"


def sockets(options: Mapping[str, str]) -> tuple[str, ...]:
    """Return the unix sockets of the servers."""
    return tuple(
        f"{folder}/.s.PGSQL.{target.port}"
        for target in targets(options)
        if target.local and not target.host.startswith("@")
        for folder in ([target.host] if target.host else SOCKET_FOLDERS)
    )


def files(options: Mapping[str, str]) -> tuple[str, ...]:
    """Return the files and folders that libpq reads with each connection."""
    named = [options.get(name, "") for name in FILES]
    own = [os.path.expanduser(path) for path in OWN_FILES]
    paths = [*named, *own, os.environ.get("PGSERVICEFILE", ""), *SYSTEM_FILES]
    return tuple(path for path in paths if path.startswith("/") and os.path.exists(path))


def string(options: Mapping[str, str], target: PostgresPlace) -> bytes:
    """Return the connection string for one target."""
    place = {"host": target.host, "hostaddr": target.hostaddr, "port": target.port}
    used = {**OWN, **options, **place}
    return _bytes(" ".join(f"{name}={_quoted(value)}" for name, value in used.items()))


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
