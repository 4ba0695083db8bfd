"""One configuration of a program, as ``NetworkTable`` needs it."""

from typing import Any

from opensmtpd.backends.network.connection import ServerQuestion, ServerReply
from opensmtpd.backends.network.settings import Settings
from opensmtpd.errors import ConfigError
from opensmtpd.needs import Needs
from opensmtpd.table import Service


class Backend:
    """A configuration: its questions, and what the replies mean. Programs derive theirs.

    ``question`` and ``value`` are overridden, and of the others what there is.
    """

    path: str
    """The configuration file."""
    line: int | None = None
    """The line of the key that names the server."""
    name: str
    """The server, for the log: no secret."""
    settings: Settings
    services: frozenset[Service]
    """Those that may be registered: all that smtpd could ask for."""
    authenticates: bool = False
    """True where the server checks passwords: ``question`` is called for ``auth`` with the key
    ``user:password``, and ``found`` tells. False where hashes are compared."""
    reads: tuple[str, ...] = ()
    """Files besides ``path`` that are read with the configuration: that of a password, say."""
    needs: Needs = Needs()
    """Of the process that has the connection."""
    connection: str
    """``"MODULE:CLASS"`` of the Connection, which is made with ``plain()``."""
    worker: str | None = None
    """``"MODULE:CLASS"`` of the ConnectionWorker that has it; None for this process."""

    def plain(self) -> Any:
        """Return what the connection needs, as plain data."""
        raise NotImplementedError

    def question(self, service: Service, key: str) -> ServerQuestion:
        """Return the question for a key. Raises ConfigError where the service has no query."""
        raise NotImplementedError

    def value(self, service: Service, reply: ServerReply) -> str | None:
        """Return the value for smtpd, None where there is no row. Raises LocalError."""
        raise NotImplementedError

    def found(self, service: Service, reply: ServerReply) -> bool:
        """Return whether there is a row, with any content. Raises LocalError."""
        return bool(reply)

    def fetch_question(self, service: Service) -> ServerQuestion:
        """Return the question for the list of a service. Raises ConfigError where it has none."""
        raise ConfigError(f"no list for {service}", path=self.path)

    def patterns_question(self, service: Service) -> ServerQuestion | None:
        """Return the question for all rows that are no literal keys; None: they are candidates."""
        return None

    def fetched(self, service: Service, reply: ServerReply) -> list[str]:
        """Return the values of a list, or the rows of patterns."""
        raise NotImplementedError
