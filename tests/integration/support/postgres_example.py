"""The database of the example in table-postgres(5)."""

from integration.support.manual_machine import Machine
from lab.peers.databases.postgres import PostgresServer


def example(postgres: PostgresServer, machine: Machine) -> None:
    """Let the manual's example have its socket and its database, which is empty."""
    postgres.share(machine.view)
    postgres.database("mail")
    postgres.execute("DROP ROLE IF EXISTS smtpd;")
    machine.sql = lambda text, _place: postgres.execute(text, "mail")
