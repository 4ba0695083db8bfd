"""The configuration file of table-mysql: that of the program in C, and keys of our own.

Source: ``config_load`` and ``config_connect`` in ``table_mysql.c`` 1.2.1.
"""

import os
import pwd
import re
from functools import cache
from typing import TYPE_CHECKING, Any

from opensmtpd.backends.configuration import absolute, once, take, yes
from opensmtpd.backends.mysql import library, options_file
from opensmtpd.backends.network.settings import Settings
from opensmtpd.backends.network.tls_loading import loaded_tls
from opensmtpd.backends.secrets import read_password, warn_if_readable
from opensmtpd.backends.sql.backend import SqlBackend
from opensmtpd.backends.sql.config import COLUMNS, KEYED, Queries
from opensmtpd.errors import ConfigError
from opensmtpd.needs import Needs
from opensmtpd.table import Service, to_bytes, to_str

if TYPE_CHECKING:
    import ssl

    from opensmtpd.backends.mysql.login import MysqlLogin

PORT = 3306
SOCKETS = (
    "/run/mysqld/mysqld.sock",
    "/var/run/mysqld/mysqld.sock",
    "/var/run/mysql/mysql.sock",
    "/var/lib/mysql/mysql.sock",
    "/tmp/mysql.sock",
)
"""Of Debian, of other Linuxes, OpenBSD, Red Hat, and of what MySQL itself ships."""
EXAMPLE = "SELECT ... WHERE name = ?"


class MysqlPlace:
    """The keys that say where the server is, and who logs in."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.values: dict[str, str] = {}
        self.lines: dict[str, int] = {}

    def set(self, key: str, value: str, line: int) -> bool:
        """Take a line, as a Setter. Raises ValueError, whose text has nothing of a password."""
        if key not in _READERS:
            return False
        self.values[key] = _READERS[key](value)
        self.lines[key] = line
        return True

    def add_files(self) -> None:
        """Take what the files that are named say besides. Raises ConfigError."""
        if "password" in self.lines:
            warn_if_readable(self.path)
        if "password_file" in self.values:
            self.values["password"] = to_str(read_password(self.values["password_file"]))
        if "defaults_file" in self.values:
            self._add_options(self.values["defaults_file"])

    def _add_options(self, path: str) -> None:
        for key, text, line in options_file.read(path):
            if key == "password":
                warn_if_readable(path)
            try:
                self.values.setdefault(key, _READERS[key](text))
            except ValueError as error:
                fault = f"bad value for {key}: {error}"
                raise ConfigError(fault, path=path, line=line) from None

    @property
    def sockets(self) -> tuple[str, ...]:
        """Return the paths of unix sockets, none for TCP."""
        if "socket" in self.values:
            return (self.values["socket"],)
        local = self.values.get("host", "localhost") == "localhost"
        return SOCKETS if local and "port" not in self.values else ()

    @property
    def encrypted(self) -> bool:
        """Tell whether TLS is spoken: not over unix sockets."""
        named = any(key in self.values for key in ("ssl_ca", "ssl_cert", "ssl_verify"))
        wanted = self.values.get("ssl", "yes" if named else "no") == "yes"
        return wanted and not self.sockets

    @property
    def name(self) -> str:
        """Return the server, for the log."""
        if self.sockets:
            return self.values.get("socket", "localhost")
        return f"{self.values.get('host', 'localhost')}:{self.values.get('port', PORT)}"

    def login(self, timeout: float) -> "MysqlLogin":
        """Return all that the connection needs. Raises ConfigError."""
        from opensmtpd.backends.mysql.login import MysqlLogin, knows_charset  # noqa: PLC0415  it imports PyMySQL

        values = self.values
        charset = values.get("charset", "utf8mb4")
        if not knows_charset(charset):
            fault, remedy = f"charset: {charset!r:.40} is unknown", "say 'charset utf8mb4'"
            line = self.lines.get("charset")
            raise ConfigError(fault, path=self.path, line=line, remedy=remedy)
        return MysqlLogin(
            self.sockets,
            values.get("host", "localhost"),
            int(values.get("port", PORT)),
            to_bytes(values.get("username") or _own_name()),
            to_bytes(values.get("password", "")),
            to_bytes(values.get("database", "")),
            charset,
            timeout,
            self._context() if self.encrypted else None,
        )

    def _context(self) -> "ssl.SSLContext":
        """Return how to encrypt. Raises ConfigError."""
        values = self.values
        files = (values.get("ssl_ca", ""), values.get("ssl_cert", ""), values.get("ssl_key", ""))
        context: ssl.SSLContext = loaded_tls().context(*files)
        verify = values.get("ssl_verify", "yes")
        context.check_hostname = verify == "yes"
        if verify == "no":
            context.verify_mode = type(context.verify_mode).CERT_NONE
        # Those that MySQL makes for itself are not as RFC 5280 wants them.
        context.verify_flags &= ~type(context.verify_flags).VERIFY_X509_STRICT
        return context

    @property
    def reads(self) -> tuple[str, ...]:
        """Return the files besides the configuration that are read in the sandbox."""
        keys = ("defaults_file", "password_file", "ssl_ca", "ssl_cert", "ssl_key")
        files = tuple(self.values[key] for key in keys if key in self.values)
        if not self.encrypted or "ssl_ca" in self.values:
            return files
        authorities: tuple[str, ...] = loaded_tls().system_authorities()
        return files + authorities


class MysqlBackend(SqlBackend):
    """A configuration of table-mysql."""

    connection = "opensmtpd.backends.mysql.connection:MysqlConnection"

    def __init__(self, place: MysqlPlace, queries: Queries, settings: Settings) -> None:
        self.path, self.settings = place.path, settings
        self.line = place.lines.get("socket") or place.lines.get("host")
        self.name = place.name
        self.services = queries.services
        self.reads = place.reads
        self.needs = Needs(network=not place.sockets, sockets=place.sockets)
        self.queries = queries
        self.login = place.login(settings.timeout)

    def plain(self) -> Any:
        """Return what the connection needs: it is in this process."""
        from opensmtpd.backends.mysql.connection import MysqlQuery  # noqa: PLC0415  it imports PyMySQL

        constant = {
            service.value for service in Service if f"constant_{service}" not in KEYED
        } | self.queries.constant
        queries = {}
        for key, statement in self.queries.statements.items():
            verb, _, service = key.partition("_")
            queries[key] = MysqlQuery(
                statement.sql, statement.line, COLUMNS[key], verb == "query", service in constant
            )
        return self.login, queries


def read(path: str) -> MysqlBackend:
    """Read a configuration file. Raises ConfigError, also where PyMySQL is not installed."""
    place, queries = MysqlPlace(path), Queries(path)
    settings = Settings(matched=frozenset())  # one question after the other: 259 take too long
    take(path, once(path, {}), place.set, settings.set, queries.set)
    place.add_files()
    queries.must_be_some(EXAMPLE)
    library.load(path, in_clear=not place.sockets and not place.encrypted)
    return MysqlBackend(place, queries, settings)


@cache
def _own_name() -> str:
    """Return the user that this process runs as: in the sandbox it cannot be found out."""
    return pwd.getpwuid(os.geteuid()).pw_name


def _text(text: str) -> str:
    return text


def _port(text: str) -> str:
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 0 < int(text) < 65536:
        raise ValueError(f"{text!r:.40} is no port")
    return text


def _yes(text: str) -> str:
    yes(text)
    return text


def _verify(text: str) -> str:
    if text not in ("yes", "ca", "no"):
        raise ValueError(f"{text!r:.40} is none of yes, ca, no")
    return text


_READERS = {
    "host": _text,
    "port": _port,
    "socket": absolute,
    "username": _text,
    "password": _text,
    "database": _text,
    "password_file": absolute,
    "defaults_file": absolute,
    "charset": _text,
    "ssl": _yes,
    "ssl_ca": absolute,
    "ssl_cert": absolute,
    "ssl_key": absolute,
    "ssl_verify": _verify,
}
"""Keys, and what reads their values. Raises ValueError."""
