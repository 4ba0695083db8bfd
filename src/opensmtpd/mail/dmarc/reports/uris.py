"""The addresses that a domain wants its reports at: the tag ``rua`` (RFC 9989 section 4.7).

The text is a stranger's, and the addresses get to sendmail: only plain ones are taken.
"""

import re
from typing import NamedTuple
from urllib.parse import unquote

from opensmtpd.dns.names import is_query_name

URIS_MAX = 10
"""URIs of a record that are looked at."""
_LOCAL = re.compile(r"[A-Za-z0-9_+=][A-Za-z0-9._+=-]{0,63}", re.ASCII)
_LIMIT = re.compile(r"([0-9]{1,18})([kmgt]?)", re.ASCII | re.IGNORECASE)
_UNITS = {"": 0, "k": 10, "m": 20, "g": 30, "t": 40}


class ReportAddress(NamedTuple):
    """An address for reports."""

    address: str
    """``local@host``, the host in lower case."""
    limit: int | None = None
    """The most bytes of a report that it takes (RFC 7489 section 6.2); None for any number."""

    @property
    def host(self) -> str:
        """The part behind the ``@``."""
        return self.address.rpartition("@")[2]


def is_plain_address(address: str) -> bool:
    """Return whether an address is one that no shell, command line or header field could mistake.

    The local part has letters, digits and ``._+=-``, and begins with no hyphen.
    """
    local, _, host = address.rpartition("@")
    return (
        _LOCAL.fullmatch(local) is not None
        and ".." not in local
        and not local.endswith(".")
        and is_query_name(host)
        and not host.startswith("-")
    )


def destinations(rua: str) -> list[ReportAddress]:
    """Return the addresses in the value of ``rua``, each once, in order.

    Left out is all else: other schemes than mailto, wrong limits, addresses that are not plain.
    """
    found: dict[str, ReportAddress] = {}
    for uri in rua.split(",", URIS_MAX)[:URIS_MAX]:
        each = _destination(uri.strip())
        if each is not None:
            found.setdefault(each.address, each)
    return list(found.values())


def _destination(uri: str) -> ReportAddress | None:
    scheme, _, rest = uri.partition(":")
    if scheme.lower() != "mailto":
        return None
    rest, mark, size = rest.partition("!")  # one within an address is written %21
    limit = None
    if mark:
        match = _LIMIT.fullmatch(size)
        if match is None:
            return None
        limit = int(match[1]) << _UNITS[match[2].lower()]
    local, _, host = unquote(rest.partition("?")[0]).rpartition("@")
    address = f"{local}@{host.lower()}"
    return ReportAddress(address, limit) if is_plain_address(address) else None
