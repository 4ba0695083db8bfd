"""Addresses of this machine's network interfaces, by getifaddrs(3)."""

import ctypes
import socket
import subprocess
import sys
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any, NamedTuple

_BSD = not sys.platform.startswith("linux")
"""There a socket address begins with its length, and interfaces are in groups."""
_ADDRESSES_MAX = 100_000


class InterfaceAddress(NamedTuple):
    """An address of an interface."""

    interface: str
    address: IPv4Address | IPv6Address


class _Entry(ctypes.Structure):
    """The begin of ``struct ifaddrs``, which is the same on Linux and the BSDs."""


_Entry._fields_ = [
    ("next", ctypes.POINTER(_Entry)),
    ("name", ctypes.c_char_p),
    ("flags", ctypes.c_uint),
    ("address", ctypes.POINTER(ctypes.c_ubyte)),
]


def all_addresses() -> list[InterfaceAddress]:
    """Return all IPv4 and IPv6 addresses. Raises OSError."""
    library: Any = ctypes.CDLL(None, use_errno=True)
    first = ctypes.POINTER(_Entry)()
    if library.getifaddrs(ctypes.byref(first)):
        raise OSError(ctypes.get_errno(), "getifaddrs")
    try:
        return list(_read(first))
    finally:
        library.freeifaddrs(first)


def addresses(where: str, family: str = "") -> list[IPv4Address | IPv6Address]:
    """Return the addresses of an interface or, on the BSDs, of a group of them.

    ``family`` is inet4 or inet6, or "" for both. Raises OSError.
    """
    version = {"inet4": 4, "inet6": 6}.get(family)
    names = {where, *_members(where)}
    return [
        each.address
        for each in all_addresses()
        if each.interface in names and version in (None, each.address.version)
    ]


def _members(group: str) -> list[str]:
    """Return the interfaces of a group."""
    if not _BSD or not group.isalpha():
        return []
    ran = subprocess.run(
        ["/sbin/ifconfig", group], capture_output=True, text=True, timeout=5, check=False
    )
    lines = ran.stdout.splitlines()
    return [line.partition(":")[0] for line in lines if line[:1].isalpha() and ":" in line]


def _read(entry: Any) -> Iterator[InterfaceAddress]:
    for _ in range(_ADDRESSES_MAX):
        if not entry:
            return
        found = entry.contents
        entry = found.next
        if not found.address:
            continue
        kind = (
            found.address[1] if _BSD else int.from_bytes(bytes(found.address[0:2]), sys.byteorder)
        )
        size = {int(socket.AF_INET): 4, int(socket.AF_INET6): 16}.get(kind)
        if size is None:
            continue
        start = 4 if size == 4 else 8  # behind the port, and with IPv6 the label of the flow
        raw = bytes(found.address[start : start + size])
        yield InterfaceAddress(found.name.decode(), ip_address(raw))
