"""Log in to a server: PyMySQL knows the handshake, and the ways to prove a password."""

import codecs
import os
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple

from pymysql import err
from pymysql.charset import charset_by_name
from pymysql.connections import Connection
from pymysql.constants import CLIENT

from opensmtpd.backends.mysql.channel import MysqlChannel
from opensmtpd.backends.mysql.wire import Wire
from opensmtpd.backends.network.stream import connected
from opensmtpd.errors import ConfigError, ServerLost, ServerRefused, Unavailable

_IN_CLEAR = (b"mysql_clear_password", b"dialog", b"mysql_old_password")
"""Ways that show the password to the server, and to whoever stands in its place."""
_SETTINGS = (
    "SET SESSION autocommit = 1, lock_wait_timeout = {whole}",
    "SET SESSION TRANSACTION READ ONLY",
)
_LIMITS = (
    "SET SESSION max_statement_time = {seconds}",
    "SET SESSION max_execution_time = {millis}",
)
"""The time of a statement, for MariaDB and for MySQL: each knows one of them."""


class MysqlLogin(NamedTuple):
    """A server, and what it is told."""

    sockets: tuple[str, ...]
    """Paths of unix sockets, of which the first one that is there is used; none: TCP."""
    host: str
    port: int
    user: bytes
    password: bytes
    database: bytes
    charset: str
    timeout: float
    """Seconds of a statement, after which the server is to give it up."""
    tls: "ssl.SSLContext | None"
    """Over TCP, log in with TLS only; None: without."""


def log_in(login: MysqlLogin, until: float) -> tuple[Wire, object]:
    """Connect and log in, to read only. Raises ServerLost, ServerLate, ServerRefused.

    The second object has to live as long as the wire.
    """
    channel, client = _logged_in(login, until)
    wire = Wire(channel)
    try:
        _set_up(wire, login, client.server_version)  # type: ignore[attr-defined]  # of the greeting
    except BaseException:
        channel.close()
        raise
    return wire, client


def connect(login: MysqlLogin, seconds: float) -> "Connection[Any]":
    """Return PyMySQL's own connection, which may write, and which ends after so many seconds.

    The login may take ``login.timeout``. Raises ServerLost, ServerLate; so do its methods, besides
    what PyMySQL raises.
    """
    channel, client = _logged_in(login, monotonic() + login.timeout)
    channel.until = monotonic() + seconds
    return client


def _logged_in(login: MysqlLogin, until: float) -> tuple[MysqlChannel, "_Client"]:
    channel = MysqlChannel(connected(_place(login), until), until)
    try:
        client = _Client(login)
        client.connect(sock=channel)  # type: ignore[arg-type]  # what is used of a socket
    except BaseException as error:
        channel.close()
        raise _kind(error) from None
    return channel, client


def _kind(error: BaseException) -> BaseException:
    """Return the exception for one that a login raised."""
    if isinstance(error, Unavailable) or not isinstance(error, Exception):
        return error
    return ServerLost(_words(error))


def _place(login: MysqlLogin) -> str | tuple[str, int]:
    for path in login.sockets:
        if os.path.exists(path):
            return path
    return login.sockets[0] if login.sockets else (login.host, login.port)


if TYPE_CHECKING:
    import ssl

    _Base = Connection[Any]
else:  # PyMySQL's own class takes no type
    _Base = Connection


class _Client(_Base):
    """PyMySQL's connection, which encrypts as we say, over our channel."""

    def __init__(self, login: MysqlLogin) -> None:
        super().__init__(
            user=login.user,
            password=login.password,
            host=login.host,
            database=login.database or None,
            charset=login.charset,
            autocommit=None,
            ssl_disabled=True,
            defer_connect=True,
            program_name="table-mysql",
        )
        self._login = login
        self._secure = bool(login.sockets)

    def _request_authentication(self) -> None:
        """Ask for TLS where it is wanted.

        PyMySQL before 1.2 goes on in clear where a server, or whoever stands in its place, offers
        none.
        """
        if self._login.tls is not None:
            if not self.server_capabilities & CLIENT.SSL:  # type: ignore[attr-defined]  # of the greeting
                raise ServerLost("the server offers no TLS")
            self.ssl, self.ctx = True, self
            self.client_flag |= CLIENT.SSL
        super()._request_authentication()  # type: ignore[misc]  # the stubs do not have it

    def wrap_socket(self, channel: MysqlChannel, server_hostname: str) -> MysqlChannel:
        """Encrypt: called as the method of an SSLContext."""
        assert self._login.tls is not None
        channel.start_tls(self._login.tls, server_hostname)
        return channel

    def _process_auth(self, name: bytes, *more: Any) -> Any:
        """Prove the password in the way that the server wants; versions differ in the arguments."""
        if name in _IN_CLEAR and not self._secure:
            raise ServerLost("the server asks for the password in clear: say 'ssl yes'")
        return super()._process_auth(name, *more)  # type: ignore[misc]  # the stubs do not have it


def knows_charset(name: str) -> bool:
    """Return whether PyMySQL knows a set of characters, and have Python load it.

    Raises ConfigError in a sandbox, where one cannot be loaded that was not in use before.
    """
    try:
        charset = charset_by_name(name)
        if charset is None:
            return False
        codecs.lookup(charset.encoding)
    except (KeyError, LookupError):  # a KeyError before 1.1
        return False
    except OSError:
        fault, remedy = f"charset {name} was not in use at the start", "restart smtpd"
        raise ConfigError(fault, remedy=remedy) from None
    return True


def _set_up(wire: Wire, login: MysqlLogin, version: str) -> None:
    """Have the session read only, and its statements end with ours."""
    limits = {
        "whole": max(1, round(login.timeout)),
        "seconds": login.timeout,
        "millis": round(login.timeout * 1000),
    }
    for setting in _SETTINGS:
        wire.done(setting.format(**limits))
    is_mariadb = "mariadb" in version.lower()
    with suppress(ServerRefused):  # an old server, or a proxy, does not know it
        wire.done(_LIMITS[not is_mariadb].format(**limits))


def _words(error: Exception) -> str:
    """Return why a login failed. PyMySQL's own words have no password."""
    if isinstance(error, RuntimeError) and "cryptography" in str(error):
        return (
            "the account's password (caching_sha2_password or sha256_password) can be sent over a"
            " unix socket, over TLS ('ssl yes'), or with the package cryptography"
        )
    if isinstance(error, err.MySQLError) and len(error.args) == 2:
        return f"error {error.args[0]}: {error.args[1]!s:.300}"
    if isinstance(error, err.MySQLError | RuntimeError):
        return f"{error!s:.300}"
    return f"no answer of MySQL ({type(error).__name__})"
