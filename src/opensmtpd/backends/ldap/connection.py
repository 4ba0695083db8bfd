"""The connection of a table to its directory."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from opensmtpd.backends.ldap.directory import NOTHING, Directory, LdapRefused, TlsRules
from opensmtpd.backends.ldap.entries import entry
from opensmtpd.backends.ldap.library import library
from opensmtpd.backends.network.connection import Fault, ServerQuestion, ServerReply
from opensmtpd.errors import ServerLost, ServerRefused
from opensmtpd.table import to_bytes

BIND = "auth"
"""The first word of a question about a password; that of another one is its service."""


AT_ONCE = 50
"""Searches that are under way, at most.

OpenLDAP closes a connection with more than 100 (``conn_max_pending`` in slapd.conf(5)).
"""


class LdapPlain(NamedTuple):
    """The plain data of a connection, as ``LdapBackend.plain`` makes it and a worker gets it."""

    url: str
    tls: Sequence[Any]
    """The fields of a TlsRules."""
    name: str
    """The name that the table logs in with, a DN, and its password; both may be empty."""
    password: str
    base: str
    base_line: int
    attributes: dict[str, list[str]]
    """The attributes that are asked for, by service."""
    filters: Sequence[Sequence[Any]]
    """To be tried out: filters for some key, each with the number of its line."""


class LdapConnection:
    """Searches on one connection, and checks passwords on another one, which it makes when asked.

    A question is ``[SERVICE, FILTER]``, whose reply are entries; or ``[BIND, FILTER, PASSWORD]``,
    whose reply is whether the one entry found has that password.
    """

    def __init__(self, data: Any) -> None:
        """``data`` is a LdapPlain, or a list of its fields."""
        self._plain = LdapPlain(*data)
        self._tls = TlsRules(*self._plain.tls)
        self._directory: Directory | None = None
        self._users: Directory | None = None

    def connect(self, until: float) -> None:
        """Connect and log in. Raises ServerLost, ServerLate."""
        self.close()
        plain = self._plain
        try:
            self._directory = self._new(until)
            if not self._directory.bind(plain.name, to_bytes(plain.password), until):
                raise ServerLost(f"{plain.url}: the login of {plain.name or 'nobody'} is refused")
        except LdapRefused as error:  # of no use to ask the same server at once, with each key
            raise ServerLost(str(error)) from None

    def _new(self, until: float) -> Directory:
        return Directory(library(), self._plain.url, self._tls, until)

    def ask(self, questions: Sequence[ServerQuestion], until: float) -> list[ServerReply]:
        """Return entries, or whether a password is right. Raises ServerLost, -Late, -LdapRefused.

        AT_ONCE searches are sent before the first result is awaited.
        """
        if questions and questions[0][0] == BIND:
            return [self._is_right(query, password, until) for _, query, password in questions]
        replies: list[ServerReply] = []
        for first in range(0, len(questions), AT_ONCE):
            replies += self._searched(questions[first : first + AT_ONCE], until)
        return replies

    def _searched(self, questions: Sequence[ServerQuestion], until: float) -> list[ServerReply]:
        directory, wanted = self._open(), self._plain.attributes
        asked = []
        for service, query in questions:
            attributes = wanted.get(service) or NOTHING
            asked.append((directory.search(self._plain.base, query, attributes), attributes))
        replies: list[ServerReply] = []
        refused: ServerRefused | None = None
        for number, attributes in asked:
            try:  # of each search the end is awaited, or it would be kept for ever
                found = directory.found(number, until)
                replies.append([entry(values, attributes) for _, values in found])
            except LdapRefused as error:
                refused = refused or ServerRefused(str(error))
        if refused is not None:
            raise refused
        return replies

    def _open(self) -> Directory:
        if self._directory is None:
            raise ServerLost(f"{self._plain.url}: not connected")
        return self._directory

    # --- passwords ------------------------------------------------------------------------------

    def _is_right(self, query: str, password: str, until: float) -> bool:
        if not password:  # the server would take it from everybody
            return False
        try:
            number = self._open().search(self._plain.base, query, NOTHING)
            found = self._open().found(number, until)
            if len(found) > 1:
                raise ServerRefused(f"{len(found)} entries for one user: auth_filter takes in more")
            return bool(found) and self._bind(found[0][0], to_bytes(password), until)
        except LdapRefused as error:
            raise ServerRefused(str(error)) from None

    def _bind(self, name: str, password: bytes, until: float) -> bool:
        """Log in as a user, on a connection that nothing is looked up on.

        Raises ServerRefused where the server hangs up at the login alone: it is not away, and is
        not to be given the same password again.
        """
        if not name or not password:
            return False
        if self._users is not None:
            try:
                return self._users.bind(name, password, until)
            except ServerLost:  # the server has closed it meanwhile
                self._close_users()
        self._users = self._new(until)
        try:
            return self._users.bind(name, password, until)
        except ServerLost as error:
            self._close_users()
            raise ServerRefused(str(error)) from None
        except BaseException:
            self._close_users()
            raise

    def _close_users(self) -> None:
        users, self._users = self._users, None
        if users is not None:
            users.close()

    # --- the rest -------------------------------------------------------------------------------

    def check(self, until: float) -> list[Fault]:
        """Return a fault for a base that is not there, or for each filter that is refused."""
        plain = self._plain
        base = self._faults("(objectClass=*)", plain.base_line, until)
        return base or [
            fault for query, line in plain.filters for fault in self._faults(query, line, until)
        ]

    def _faults(self, query: str, line: int, until: float) -> list[Fault]:
        directory = self._open()
        try:
            directory.found(directory.search(self._plain.base, query, NOTHING, 1), until)
        except LdapRefused as refused:
            if not isinstance(refused.error, library().ldap.SIZELIMIT_EXCEEDED):
                return [[f"{query} below {self._plain.base}: {refused}", line, ""]]
        return []

    def close(self) -> None:
        """Close both connections."""
        directory, self._directory = self._directory, None
        if directory is not None:
            directory.close()
        self._close_users()
