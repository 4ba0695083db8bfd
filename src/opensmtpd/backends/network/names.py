"""Names of hosts become addresses within a time: getaddrinfo(3) itself may take a minute.

It is called in a thread. Where it is late, the addresses that it gave before count, after half of
the time, and the thread goes on: the next question about the name waits for the same one.
"""

import os
import re
import socket
import threading
from contextlib import suppress
from time import monotonic
from typing import Any, TypeAlias

from opensmtpd.errors import ServerLate, ServerLost
from opensmtpd.log import log
from opensmtpd.needs import Needs

HostAddress: TypeAlias = tuple[int, tuple[Any, ...]]
"""A family of sockets, and an address as ``socket.connect`` takes it."""

NEEDS = Needs(
    reads=(
        "/etc/resolv.conf",
        "/etc/nsswitch.conf",
        "/etc/host.conf",
        "/etc/hosts",
        "/etc/gai.conf",
    ),
    network=True,
)
"""Of a process that resolves names."""

_replaced: set[str] = set()
"""Those that were replaced since the start: the log has said so."""
_SWITCH = "/etc/nsswitch.conf"


class _Query:
    """A call of getaddrinfo(3) in a thread."""

    def __init__(self, host: str, port: int) -> None:
        self.done = threading.Event()
        self.found: list[HostAddress] = []
        self.fault = "it has no address"
        thread = threading.Thread(target=self._run, args=(host, port), daemon=True, name="names")
        thread.start()

    def _run(self, host: str, port: int) -> None:
        try:
            self.found = _addresses(host, port)
        except (OSError, UnicodeError) as error:
            self.fault = getattr(error, "strerror", None) or "no name of a host"
        except Exception as error:  # of a thread, nobody would hear
            self.fault = type(error).__name__
        self.done.set()


_under_way: dict[tuple[str, int], _Query] = {}
_known: dict[tuple[str, int], list[HostAddress]] = {}


def resolve(host: str, port: int, until: float) -> list[HostAddress]:
    """Return the addresses of a host, the best first; they may be those of before.

    ``host`` is a name or a numeric address, ``until`` a time of ``time.monotonic``. Raises
    ServerLost where there are none, ServerLate where they are not known in time.
    """
    with suppress(OSError, UnicodeError):
        return _addresses(host, port, socket.AI_NUMERICHOST)
    asked = host, port
    known = _known.get(asked)
    left = max(0.0, until - monotonic())
    query = _asked(host, port)
    if query is None or not query.done.wait(left / 2 if known else left):
        if known is None:
            raise ServerLate(f"{host}: its address is not known in time")
        return known  # while there is time to connect to it
    del _under_way[asked]
    _tell_replaced()
    if query.found:
        _known[asked] = query.found
        return query.found
    if known is None:
        raise ServerLost(f"{host}: {query.fault}")
    return known


def _asked(host: str, port: int) -> _Query | None:
    """Return the query that is under way, or a new one; None where there is no thread to be had."""
    query = _under_way.get((host, port))
    if query is None:
        try:
            query = _under_way[host, port] = _Query(host, port)
        except RuntimeError:
            return None
    return query


def _tell_replaced() -> None:
    """Log a file that is out of reach, once.

    The sandbox of Linux knows a file of /etc by what it is, and the C library goes on without what
    has taken its place.
    """
    for path in NEEDS.reads:
        try:
            os.close(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK))
        except PermissionError:
            if path not in _replaced:
                _replaced.add(path)
                log("names-file-replaced", path=path, remedy="restart smtpd")
        except OSError:  # it is not there
            pass


def _addresses(host: str, port: int, flags: int = 0) -> list[HostAddress]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)
    return [(family, address) for family, _, _, _, address in found]


def prepare() -> None:
    """Load what getaddrinfo(3) loads with the first name: in the sandbox it cannot be loaded.

    The C library finds these libraries again by their names, without looking for files.
    """
    import ctypes  # noqa: PLC0415  unix sockets need no names

    with suppress(OSError, UnicodeError):
        _addresses("localhost", 0)
    for name in _services():
        with suppress(OSError):
            ctypes.CDLL(f"libnss_{name}.so.2")


def _services() -> list[str]:
    """Return the words of the line ``hosts`` in nsswitch.conf(5), without actions in brackets."""
    with suppress(OSError), open(_SWITCH, encoding="utf-8", errors="replace") as file:
        for line in file:
            key, colon, words = line.partition("#")[0].partition(":")
            if colon and key.strip() == "hosts":
                return re.findall(r"\b[a-z0-9_]+\b", re.sub(r"\[[^]]*\]", " ", words))
    return []
