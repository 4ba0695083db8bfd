"""The part that tables of SQL servers share: questions are names of statements, replies rows."""

from opensmtpd.backends.network.backend import Backend
from opensmtpd.backends.network.connection import ServerQuestion, ServerReply
from opensmtpd.backends.sql.config import Queries
from opensmtpd.backends.sql.rows import JOINED, joined, text, value
from opensmtpd.table import Service


class SqlBackend(Backend):
    """A question is ``[key of the statement, key]``, without the key for lists; a reply is rows."""

    queries: Queries
    """Set with the others of Backend."""

    def question(self, service: Service, key: str) -> ServerQuestion:
        """Return the question for a key. Raises ConfigError."""
        name = f"query_{service}"
        if name not in self.queries.statements:
            self.queries.statement(name)
        return [name, key]

    def value(self, service: Service, reply: ServerReply) -> str | None:
        """Return the value of the first row, of JOINED those of all. Raises LocalError."""
        if service in JOINED:
            return joined(reply)
        return value(service, reply[0]) if reply else None

    def fetch_question(self, service: Service) -> ServerQuestion:
        """Return the question for a list. Raises ConfigError."""
        return [self.queries.statement(f"fetch_{service}").key]

    def patterns_question(self, service: Service) -> ServerQuestion | None:
        """Return the question for the rows of ``patterns_SERVICE``, if there are any."""
        name = f"patterns_{service}"
        return [name] if name in self.queries.statements else None

    def fetched(self, service: Service, reply: ServerReply) -> list[str]:
        """Return the first cells of all rows."""
        return [text(row[0]) for row in reply]
