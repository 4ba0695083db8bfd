"""A client, with its addresses and names in the form that the checks of filters need."""

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple, TypeAlias

from opensmtpd.dns import names
from opensmtpd.filter import Session, SessionAttribute

IPAddress: TypeAlias = IPv4Address | IPv6Address

USES: tuple[SessionAttribute, ...] = ("rdns", "fcrdns", "source", "destination")
"""The fields of a session that ``Client.of`` reads."""


MAPPED = "mapped"
"""A verdict besides those of smtpd, for a client with an IPv4-mapped address and without a name.

smtpd looks such an address up as it stands, and no IPv4-mapped address has a name (``proxy.c``,
``smtp_getnameinfo_cb`` in ``smtp_session.c``). A proxy that listens for IPv6 sends them by
``proxy-v2``.
"""


class Client(NamedTuple):
    """A client, as smtpd reported it."""

    address: IPAddress | None
    """None for a client on smtpd's local socket."""
    listener: IPAddress | None
    """The address of the listener that it connected to."""
    rdns: str | None
    """Its name in the DNS, lower case, without a final dot; None where it has no name.

    The text may hold any characters.
    """
    fcrdns: str
    """The result of FCrDNS (RFC 8601 section 2.7.3): ``"pass"`` where the name leads back to the
    address, ``"fail"`` where it does not, ``"error"`` where the DNS did not tell, and ``MAPPED``.
    """
    helo: bytes = b""
    """The argument of HELO or EHLO, empty before it."""
    sender: bytes | None = None
    """MAIL FROM, without ``<>``; empty for a bounce, None before it and where it is not known:
    smtpd takes addresses of 255 bytes and more, and does not report them."""

    @classmethod
    def of(cls, session: Session) -> "Client":
        """Return the client of a session that uses ``USES``."""
        listener = _listener(session.destination)
        address, name, verdict = host(session.source), rdns(session.rdns), session.fcrdns
        # An IPv4 address that stood in the brackets of IPv6 was an IPv4-mapped one.
        if name is None and verdict != "pass" and isinstance(address, IPv4Address):
            verdict = MAPPED if session.source.startswith(b"[") else verdict
        return cls(address, listener, name, verdict)

    @property
    def local(self) -> bool:
        """Return whether the client is a program on this machine."""
        return self.address is None or self.address.is_loopback or self.address == self.listener

    @property
    def helo_name(self) -> str:
        """Return the argument of HELO in lower case, without a final dot; empty before HELO."""
        return text(self.helo).lower().rstrip(".")

    @property
    def domain(self) -> str | None:
        """Return the domain of the sender, lower case; None for a bounce and for a bare name."""
        domain = (self.sender or b"").rpartition(b"@")[2] if b"@" in (self.sender or b"") else b""
        return text(domain).rstrip(".").lower() or None

    def fields(self) -> dict[str, str]:
        """Return the values of the fields that the text of a refusal may have in braces."""
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
    """Return the address of a listener. It is cached, as there are few listeners."""
    return host(end)


def rdns(name: bytes) -> str | None:
    """Return the client's name as smtpd reported it, None where it has no name.

    An address is not a name, as in smtpd's own ``filter_check_rdns`` (``lka_filter.c``).
    """
    shown = text(name).rstrip(".").lower()
    if shown == "<unknown>":
        return None
    like_an_address = shown[:1].isdigit() or ":" in shown  # saves parsing the other names
    return None if like_an_address and names.address(shown) is not None else shown


def text(raw: bytes) -> str:
    """Return bytes as text; bytes that are not UTF-8 become visible escapes."""
    return raw.decode("utf-8", "backslashreplace")
