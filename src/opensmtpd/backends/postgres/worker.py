"""The worker that has a connection to PostgreSQL: libpq is a library in C."""

from opensmtpd.backends.network.worker import ConnectionWorker
from opensmtpd.backends.postgres.connection import PostgresConnection


class PostgresWorker(ConnectionWorker):
    """Asks PostgreSQL."""

    title = "postgres"
    connection = PostgresConnection
