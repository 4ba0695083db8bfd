"""Name servers as the administrator writes them."""

from typing import NamedTuple

from opensmtpd.dns.names import address
from opensmtpd.errors import ConfigError

PORT = 53


class Server(NamedTuple):
    """A name server."""

    address: str
    """IPv4 or IPv6, in its usual form."""
    port: int = PORT

    def __str__(self) -> str:
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{host}:{self.port}"


def server(text: str) -> Server:
    """Read ``192.0.2.1``, ``192.0.2.1:5353``, ``2001:db8::1`` or ``[2001:db8::1]:5353``.

    Raises ConfigError.
    """
    # Neither aiodns can be told the interface of a link-local address.
    found, port = None if "%" in text else address(text), str(PORT)
    if found is None:
        host, _, port = text.rpartition(":")
        found = None if "%" in host else address(host)
        if found is not None and ":" in host and not host.startswith("["):
            found = None  # where would the address end?
    if found is None or not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        remedy = "write 192.0.2.1, 192.0.2.1:5353, 2001:db8::1 or [2001:db8::1]:5353"
        raise ConfigError(f"{text!r} is no name server", remedy=remedy)
    return Server(str(found), int(port))
