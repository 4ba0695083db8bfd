"""The server that ``check`` looks at, as its checkers see it."""

from collections.abc import Callable, Iterator
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple, Protocol, TypeAlias, TypeVar

from opensmtpd.dns import Lookup
from opensmtpd_cli.commands.check.finding import Finding
from opensmtpd_cli.smtpdconf.configuration import Configuration

T = TypeVar("T")

START_WITHIN = 5.0


class AskDns(Protocol):
    """Waits for the result of a lookup, within the deadline of the command."""

    def __call__(self, lookup: Lookup[T]) -> T:
        """Return the result. Raises what the lookup raises."""


class Server(NamedTuple):
    """A configuration, and what is known of the machine and of the wishes of the operator."""

    path: str
    """The smtpd.conf that is looked at."""
    configuration: Configuration
    version: tuple[int, ...]
    """That of the installed smtpd, as (7, 6, 0); empty where none is installed."""
    smtpd: str
    """The path of the installed smtpd; "" where none is installed."""
    start: bool
    """False with --no-start: no program may be started."""
    root: bool
    """True where the command runs as root, and so can take the place of any user."""
    addresses: tuple[IPv4Address | IPv6Address, ...]
    """Those of --address, from which the world gets mail; empty: they are to be found."""
    dns: AskDns | None
    """Asks the DNS; None with --no-dns."""
    timeout: float = START_WITHIN
    """Seconds that each program has to start."""


Checker: TypeAlias = Callable[[Server], Iterator[Finding]]
"""Looks at one thing. What it raises of OSError or ConfigError becomes a finding, too: unseen."""
