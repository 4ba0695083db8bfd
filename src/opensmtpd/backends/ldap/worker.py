"""The worker that has the connection: libldap is a library in C."""

from typing import Any

from opensmtpd.backends.ldap.connection import LdapConnection
from opensmtpd.backends.ldap.library import library
from opensmtpd.backends.network.worker import ConnectionWorker


class LdapWorker(ConnectionWorker):
    """Answers with what a directory has."""

    title = "ldap"
    connection = LdapConnection

    def load(self, setup: Any) -> None:
        """Load libldap. Raises ConfigError where it is missing."""
        library()
        super().load(setup)
