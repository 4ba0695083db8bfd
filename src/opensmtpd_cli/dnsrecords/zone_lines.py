"""Records as lines of a zone file (RFC 1035 section 5.1)."""

from ipaddress import IPv4Address, IPv6Address

from opensmtpd.mail.dkim.record import STRING_MAX


def txt(name: str, text: str) -> str:
    """Return a TXT record; ``text`` has a character for each octet."""
    raw = text.encode("latin-1", "replace")
    pieces = [raw[at : at + STRING_MAX] for at in range(0, len(raw), STRING_MAX)] or [b""]
    return f"{name}. IN TXT {' '.join(map(_quoted, pieces))}"


def address(name: str, address: IPv4Address | IPv6Address) -> str:
    """Return an A or an AAAA record."""
    return f"{name}. IN {'A' if address.version == 4 else 'AAAA'} {address}"


def pointer(address: IPv4Address | IPv6Address, name: str) -> str:
    """Return a PTR record."""
    return f"{address.reverse_pointer}. IN PTR {name}."


def exchanger(domain: str, host: str, preference: int = 10) -> str:
    """Return an MX record."""
    return f"{domain}. IN MX {preference} {host}."


def _quoted(piece: bytes) -> str:
    return '"' + "".join(map(_char, piece)) + '"'


def _char(octet: int) -> str:
    if octet in b'"\\':
        return "\\" + chr(octet)
    return chr(octet) if 0x20 <= octet < 0x7F else f"\\{octet:03d}"
