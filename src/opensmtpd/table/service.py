"""The services of tables.

Source: ``table_service_name`` in ``table.c`` of OpenSMTPD 7.6 and 7.9.
"""

from enum import StrEnum


class Service(StrEnum):
    """The services that smtpd uses a table for: its values are smtpd's names."""

    ALIAS = "alias"
    DOMAIN = "domain"
    CREDENTIALS = "credentials"
    NETADDR = "netaddr"
    USERINFO = "userinfo"
    SOURCE = "source"
    MAILADDR = "mailaddr"
    ADDRNAME = "addrname"
    MAILADDRMAP = "mailaddrmap"
    RELAYHOST = "relayhost"
    STRING = "string"
    REGEX = "regex"
    AUTH = "auth"


SERVICES = {service.value.encode("ascii"): service for service in Service}
"""Services by their names on the wire."""
