"""The names in rules: rows as smtpd's tables have them. One that can match nobody is a mistake."""

from ipaddress import IPv4Network, IPv6Network

from opensmtpd.table import Service
from opensmtpd.table.matching.netaddr import read_network

_MAPPED = IPv6Network("::ffff:0:0/96")


def row(service: Service, written: str) -> str:
    """Return a name in the form in which it is compared; that of a network is always the same.

    Raises ValueError for one that matches nobody, or others than it seems to.
    """
    text = written.lower()
    if service is Service.NETADDR:
        return _network(text)
    if service is Service.DOMAIN:
        if "@" in text:
            raise ValueError(f"{written!r} is no domain: write it without what ends with @")
        if text.startswith("."):
            raise ValueError(f"{written!r} matches nobody: write *{text}")
        return text.rstrip(".")
    if "<" in text or ">" in text:
        raise ValueError(f"{written!r} matches nobody: write it without < and >")
    user, at, domain = text.rpartition("@")
    if "*" in (user if at else domain):
        raise ValueError(f"{written!r} matches nobody: write @DOMAIN for all of a domain")
    if domain.startswith("."):
        raise ValueError(f"{written!r} matches nobody: write @*{domain}")
    return text


def _network(text: str) -> str:
    found = read_network(text)
    if found is None:
        raise ValueError(f"{text!r} is no address, and no network such as 192.0.2.0/24")
    if found.size == 32:
        return str(IPv4Network((found.value, found.bits), strict=False))
    network = IPv6Network((found.value, found.bits), strict=False)
    if network.subnet_of(_MAPPED):
        raise ValueError(f"{text!r} matches nobody: clients with such addresses count as IPv4")
    return str(network)
