"""The argument of table-socketmap: a socket, as the C program has it, or a configuration file."""

from typing import Any

from opensmtpd.backends import key_file
from opensmtpd.backends.network.backend import Backend
from opensmtpd.backends.network.connection import ServerQuestion, ServerReply
from opensmtpd.backends.network.settings import KEYS as COMMON
from opensmtpd.backends.network.settings import Settings
from opensmtpd.backends.socketmap.codec import FORMS
from opensmtpd.errors import ConfigError
from opensmtpd.needs import Needs
from opensmtpd.table import Service

PLAIN_SERVICES = frozenset(Service) - {Service.AUTH}
MAPS = {f"map_{service}": service for service in Service}
LISTS = {f"fetch_{service}": service for service in (Service.SOURCE, Service.RELAYHOST)}
KEYS = ("socket", "host", "port", "protocol", "map", *MAPS, *LISTS, *COMMON)
PORT_MAX = 65535


class Socketmap(Backend):
    """A server, and the maps of its that are asked."""

    connection = "opensmtpd.backends.socketmap.connection:SocketmapConnection"

    def __init__(self, path: str) -> None:
        self.path = path
        # A server knows networks and wildcards by itself, or not at all.
        self.settings = Settings(matched=frozenset())
        self.form = "netstring"
        self.socket = self.host = ""
        self.port = 0
        self.map = ""
        """Empty for the name of the table in smtpd.conf."""
        self.maps: dict[Service, str] = {}
        self.lists: dict[Service, str] = {}

    def set(self, key: str, value: str, line: int) -> bool:
        """Take a line of the file, as a Setter of ``configuration.take``. Raises ValueError."""
        if key in MAPS or key == "map":
            if " " in value:
                raise ValueError("a map's name has no blank")
            if key == "map":
                self.map = value
            else:
                self.maps[MAPS[key]] = value
        elif key in LISTS:
            self.lists[LISTS[key]] = value
        elif key == "protocol":
            if value not in FORMS:
                raise ValueError(f"{value!r:.40} is none of {', '.join(FORMS)}")
            self.form = value
        elif key == "socket":
            self.socket = key_file.absolute(value)
        elif key == "host":
            self.host = value
        elif key == "port":
            self.port = _port(value)
        else:
            return False
        return True

    def settle(self) -> None:
        """Say all that follows from the lines."""
        self.name = self.socket or f"{self.host}:{self.port}"
        self.services = frozenset(Service) if Service.AUTH in self.maps else PLAIN_SERVICES
        self.needs = Needs(sockets=(self.socket,)) if self.socket else Needs(network=True)

    def plain(self) -> Any:
        """Return the form on the wire and the place."""
        return [self.form, self.socket or [self.host, self.port]]

    def question(self, service: Service, key: str) -> ServerQuestion:
        """Return the map and the key."""
        return [self.maps.get(service) or self.map or self.settings.table, key]

    def value(self, service: Service, reply: ServerReply) -> str | None:
        """Return the value as the server gave it; an empty one is no row."""
        value: str | None = reply
        return value or None

    def found(self, service: Service, reply: ServerReply) -> bool:
        """Return whether there is a row, an empty one included."""
        return reply is not None

    def fetch_question(self, service: Service) -> ServerQuestion:
        """Return the map and the key of the list. Raises ConfigError."""
        key = self.lists.get(service)
        if key is None:
            raise ConfigError(f"no fetch_{service}", path=self.path)
        return self.question(service, key)

    def fetched(self, service: Service, reply: ServerReply) -> list[str]:
        """Return the values of a list, which have commas in between."""
        return [part for each in (reply or "").split(",") if (part := each.strip())]


def read(path: str) -> Socketmap:
    """Read a configuration file, or take a socket as it is. Raises ConfigError.

    A path that leads nowhere is that of a socket whose server is not there yet.
    """
    found = Socketmap(path)
    if key_file.is_one(path):
        lines = key_file.read(path, KEYS, found.set, found.settings.set)
        _check(found, lines)
    else:
        found.form, found.socket = "line", key_file.bare_socket(path)
    found.settle()
    return found


def _check(found: Socketmap, lines: dict[str, int]) -> None:
    """Raise ConfigError where the file names no server, or two."""
    path = found.path
    if found.socket and (found.host or found.port):
        line = lines.get("host") or lines["port"]
        raise ConfigError("socket and host or port", path=path, line=line, remedy="drop one")
    found.line = lines.get("socket") or lines.get("host")
    if not found.socket and not (found.host and found.port):
        remedy = "say 'socket /PATH', or 'host NAME' and 'port NUMBER'"
        raise ConfigError("no server", path=path, remedy=remedy)


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text[:9]) <= PORT_MAX):
        raise ValueError(f"{text!r:.40} is no number from 1 to {PORT_MAX}")
    return int(text)
