"""The URL of a directory (RFC 4516, of which only the server counts)."""

import re
from typing import NamedTuple

from opensmtpd.table import to_bytes, to_str

PORTS = {"ldap": 389, "ldaps": 636}

_URL = re.compile(r"(?P<scheme>ldaps?|ldapi)://(?P<server>[^/?]*)([/?].*)?", re.I | re.DOTALL)
_HOST = re.compile(
    r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<host>[A-Za-z0-9._-]+))(?::(?P<port>[0-9]*))?"
)
_HEX = re.compile(rb"%([0-9A-Fa-f]{2})")


class LdapUrl(NamedTuple):
    """A server: ``host`` and ``port``, or ``path`` of a unix socket."""

    scheme: str
    host: str
    port: int
    path: str

    def __str__(self) -> str:
        """Return it as libldap takes it; it has no secret."""
        if self.path:
            return f"ldapi://{''.join(map(_quoted, self.path))}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


def _quoted(char: str) -> str:
    if char.isascii() and (char.isalnum() or char in "._-"):
        return char
    return "".join(f"%{byte:02X}" for byte in to_bytes(char))


def url(text: str) -> LdapUrl:
    """Return the server of a URL. Raises ValueError.

    What stands behind it, as a base, is passed over, as ``aldap_parse_url`` does in ``aldap.c``. No
    error has the text: there may be a password in it.
    """
    found = _URL.fullmatch(text)
    if found is None:
        raise ValueError("no URL that begins with ldap://, ldaps:// or ldapi://")
    scheme, server = found["scheme"].lower(), found["server"]
    if scheme == "ldapi":
        return _unix(server)
    host = _HOST.fullmatch(server)
    if host is None:
        raise ValueError("it names no host")
    port = int(host["port"] or PORTS[scheme])
    if not 0 < port < 65536:
        raise ValueError(f"{host['port']:.20} is no port")
    return LdapUrl(scheme, host["six"] or host["host"], port, "")


def _unix(server: str) -> LdapUrl:
    path = to_str(_HEX.sub(lambda found: bytes([int(found[1], 16)]), to_bytes(server)))
    if not path.startswith("/") or "\0" in path:
        example = "ldapi://%2Frun%2Fslapd%2Fldapi"
        raise ValueError(f"ldapi:// takes the path of a socket, with %2F for '/': {example}")
    return LdapUrl("ldapi", "", 0, path)
