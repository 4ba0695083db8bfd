"""The database of the example in table-mysql(5)."""

from integration.support.manual_machine import Machine
from lab.peers.databases.mariadb import MariadbServer


def example(mariadb: MariadbServer, machine: Machine) -> None:
    """Let the manual's example have its socket and its database, which is empty."""
    mariadb.share(machine.view)
    mariadb.database("mail")
    mariadb.execute("DROP USER IF EXISTS smtpd@localhost;")
    machine.sql = lambda text, _place: mariadb.execute(text, "mail")
