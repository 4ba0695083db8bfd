"""What is known of a client, in the terms that the checks want."""

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple, TypeAlias

from opensmtpd.dns import names
from opensmtpd.session import Session

IPAddress: TypeAlias = IPv4Address | IPv6Address

USES = ("rdns", "fcrdns", "source", "destination")
"""What ``Client.of`` reads of a session."""


class Client(NamedTuple):
    """A client, as smtpd told of it."""

    address: IPAddress | None
    """None for one on smtpd's local socket."""
    here: IPAddress | None
    """The address that it connected to."""
    rdns: str | None
    """Its name, lower case, without a final dot; None where it has none. May be any text."""
    fcrdns: str
    """Does the name lead back to the address: ``"pass"``, ``"fail"``, or ``"error"`` where that
    could not be found out."""
    helo: bytes = b""
    """What it called itself."""
    sender: bytes | None = None
    """MAIL FROM, without ``<>``; None before it, empty for a bounce."""

    @classmethod
    def of(cls, session: Session) -> "Client":
        """Return the client of a session that uses ``USES``."""
        here = _listener(session.destination)
        return cls(host(session.source), here, rdns(session.rdns), session.fcrdns)

    @property
    def local(self) -> bool:
        """Is it a program on this machine?"""
        return self.address is None or self.address.is_loopback or self.address == self.here

    @property
    def domain(self) -> str | None:
        """The domain of the sender, lower case; None for a bounce and for a bare name."""
        domain = (self.sender or b"").rpartition(b"@")[2] if b"@" in (self.sender or b"") else b""
        return text(domain).rstrip(".").lower() or None

    def fields(self) -> dict[str, str]:
        """Return what texts may name in braces."""
        return {
            "ip": str(self.address or ""),
            "rdns": self.rdns or "",
            "helo": text(self.helo),
            "sender": text(self.sender or b""),
        }


def host(end: bytes) -> IPAddress | None:
    """Return the address in ``192.0.2.1:25`` or ``[2001:db8::1]:25``; None for ``unix:/path``."""
    return names.address(text(end.rpartition(b":")[0]))


@lru_cache(maxsize=64)
def _listener(end: bytes) -> IPAddress | None:
    """Return the address of a listener: there are few."""
    return host(end)


def rdns(name: bytes) -> str | None:
    """Return the client's name, None where it has none.

    An address in its place is none, either, as in smtpd's own ``filter_check_rdns``
    (``lka_filter.c``).
    """
    shown = text(name).rstrip(".").lower()
    if shown == "<unknown>":
        return None
    like_an_address = shown[:1].isdigit() or ":" in shown  # the rest need not be tried
    return None if like_an_address and names.address(shown) is not None else shown


def text(raw: bytes) -> str:
    """Return bytes as text; what is not UTF-8 stays visible."""
    return raw.decode("utf-8", "backslashreplace")
