"""Name servers as the administrator writes them."""

from typing import NamedTuple

from opensmtpd.dns.names import address
from opensmtpd.errors import ConfigError

PORT = 53
PATIENCE = 2.0
"""Seconds that a name server may take, at most, before a timeout is its failure."""


class ServerAddress(NamedTuple):
    """The address and port of a name server."""

    address: str
    """IPv4 or IPv6, in its usual form."""
    port: int = PORT

    def __str__(self) -> str:
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{host}:{self.port}"


def server(text: str) -> ServerAddress:
    """Return the address in ``192.0.2.1[:5353]``, ``2001:db8::1`` or ``[2001:db8::1]:5353``.

    Raises ConfigError for any other text.
    """
    # No version of aiodns takes the interface of a link-local address.
    found, port = None if "%" in text else address(text), str(PORT)
    if found is None:
        host, _, port = text.rpartition(":")
        found = None if "%" in host else address(host)
        if found is not None and ":" in host and not host.startswith("["):
            found = None  # the end of an IPv6 address without brackets is ambiguous
    if found is None or not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        remedy = "write 192.0.2.1, 192.0.2.1:5353, 2001:db8::1 or [2001:db8::1]:5353"
        raise ConfigError(f"{text!r} is no name server", remedy=remedy)
    return ServerAddress(str(found), int(port))
