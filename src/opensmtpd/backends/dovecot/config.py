"""The argument of table-dovecot: the socket of Dovecot's clients, or a configuration file."""

import re
from typing import Any

from opensmtpd.backends import key_file
from opensmtpd.backends.dovecot.connection import AUTH, USER
from opensmtpd.backends.network.backend import Backend
from opensmtpd.backends.network.connection import ServerQuestion, ServerReply
from opensmtpd.backends.network.settings import KEYS as COMMON
from opensmtpd.backends.network.settings import Settings
from opensmtpd.backends.strtonum import strtonum
from opensmtpd.errors import ConfigError, LocalError
from opensmtpd.needs import Needs
from opensmtpd.table import Service
from opensmtpd.table.limits import ID_MAX

USERS = frozenset([Service.USERINFO, Service.MAILADDR])
KEYS = ("auth", "userdb", "service", *COMMON)
TIMEOUT = 2.4
"""Seconds: Dovecot holds a refusal back for 2, if it is not told otherwise, and from 2.5 on the
engine may interrupt a table."""
_SERVICE = re.compile(r"[a-z0-9_-]{1,32}")


class Dovecot(Backend):
    """The sockets of a Dovecot."""

    connection = "opensmtpd.backends.dovecot.connection:DovecotConnection"
    authenticates = True

    def __init__(self, path: str) -> None:
        self.path = path
        # A user is one, or is not: Dovecot has its own rules for names.
        self.settings = Settings(matched=frozenset())
        self.settings.timeout = TIMEOUT
        self.auth = self.userdb = ""
        self.service = "smtp"

    def set(self, key: str, value: str, line: int) -> bool:
        """Take a line of the file, as a Setter of ``configuration.take``. Raises ValueError."""
        if key == "auth":
            self.auth = key_file.absolute(value)
        elif key == "userdb":
            self.userdb = key_file.absolute(value)
        elif key == "service":
            if not _SERVICE.fullmatch(value):
                raise ValueError("small letters, digits, - and _ belong here")
            self.service = value
        else:
            return False
        self.line = self.line or line
        return True

    def settle(self) -> None:
        """Say all that follows from the lines."""
        sockets = tuple(filter(None, (self.auth, self.userdb)))
        self.name = " ".join(sockets)
        self.needs = Needs(sockets=sockets)
        auth = frozenset([Service.AUTH]) if self.auth else frozenset()
        self.services = auth | USERS if self.userdb else auth

    def plain(self) -> Any:
        """Return the sockets and the service."""
        return [self.auth, self.userdb, self.service]

    def question(self, service: Service, key: str) -> ServerQuestion:
        """Return the question. Raises ConfigError for a service whose socket is not named."""
        if service is Service.AUTH:
            user, _, password = key.partition(":")
            return [AUTH, user, password]
        if not self.userdb or service not in USERS:
            raise ConfigError(f"no userdb for {service}", path=self.path)
        if service is Service.MAILADDR:
            return [USER, key, *self._without_tag(key)]
        return [USER, key]

    def _without_tag(self, address: str) -> list[str]:
        """Return the address without the tag of its user, if it has one."""
        user, at, domain = address.rpartition("@")
        bare, delimiter, _ = user.partition(self.settings.delimiter)
        return [f"{bare}{at}{domain}"] if bare and delimiter else []

    def value(self, service: Service, reply: ServerReply) -> str | None:
        """Return ``uid:gid:home``, or the user of an address. Raises LocalError without these."""
        if reply is None:
            return None
        if service is Service.MAILADDR:
            return str(reply["user"])
        uid, gid = (_number(reply, name) for name in ("uid", "gid"))
        home = reply.get("home", "")
        if not home:
            raise LocalError(f"Dovecot's userdb gives no home; {REMEDY}")
        return f"{uid}:{gid}:{home}"

    def found(self, service: Service, reply: ServerReply) -> bool:
        """Return whether the password is right, or there is such a user."""
        return reply is True if service is Service.AUTH else reply is not None


REMEDY = "have userdb set uid, gid and home"


def _number(row: dict[str, str], name: str) -> int:
    number = strtonum(row.get(name, ""), ID_MAX)
    if number is None:
        raise LocalError(f"Dovecot's userdb gives no {name} that is a number; {REMEDY}")
    return number


def read(path: str) -> Dovecot:
    """Read a configuration file, or take a socket as it is. Raises ConfigError.

    A path that leads nowhere is that of a socket whose Dovecot is not there yet.
    """
    found = Dovecot(path)
    if key_file.is_one(path):
        key_file.read(path, KEYS, found.set, found.settings.set)
        if not found.auth and not found.userdb:
            remedy = "say 'auth /PATH' for passwords, 'userdb /PATH' for users, or both"
            raise ConfigError("no socket of Dovecot's", path=path, remedy=remedy)
    else:
        found.auth = key_file.bare_socket(path)
    found.settle()
    return found
