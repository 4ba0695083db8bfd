"""Addresses against networks: ``table_netaddr_match`` (table.c), ``text_to_netaddr`` (to.c).

What smtpd reads is an IPv4 network as inet_net_pton(3) has it (``10/8``, ``192.168`` which is
``192.168.0.0/24`` by its class, ``0xc0a80101``), or an IPv6 one, with or without brackets, each
with or without ``IPv6:`` in front. Bits of the host in a row are ignored. IPv4-mapped addresses are
IPv6 and no more. A row that reads the same as the key matches whatever it says (``local``).

The inet_net_pton(3) is OpenBSD's, which portable smtpd brings along on Linux too. glibc's differs:
there ``224.0.0.1`` without a prefix length is the whole of ``224.0.0.0/4``.
"""

import re
from _socket import AF_INET, AF_INET6, inet_ntop, inet_pton  # socket takes 2 ms
from bisect import insort
from collections.abc import Iterator
from typing import NamedTuple

from opensmtpd.table.matching.text import folded

_IPV4 = re.compile(r"([0-9]+(?:\.[0-9]+){0,3})(?:/([0-9]+))?")
_HEX = re.compile(r"0x([0-9a-f]{1,8})(?:/([0-9]+))?")
# strtonum(3) takes white space and a sign in front.
_IPV6 = re.compile(r"([0-9a-f:.]+)(?:/([ \t-\r]*[+-]?[0-9]+))?")
_IPV6_MAX = 50
"""Bytes of an IPv6 network at most: the buffer in OpenBSD's inet_net_pton_ipv6."""


class Network(NamedTuple):
    """An address and how many of its bits count."""

    size: int  # 32 or 128
    value: int  # the whole address, bits of the host included
    bits: int


def read_network(text: str) -> Network | None:
    """Read an address or network in lower case; None where smtpd cannot."""
    text = text.removeprefix("ipv6:")
    if ":" not in text:
        return _read_ipv4(text)
    if text.startswith("["):
        text = text[1:].removeprefix("ipv6:")
        if not text.endswith("]"):
            return None
        text = text[:-1]
    return _read_ipv6(text)


def _read_ipv4(text: str) -> Network | None:
    if match := _HEX.fullmatch(text):
        digits = match[1] + "0" * (len(match[1]) % 2)
        octets = bytes.fromhex(digits)
    elif match := _IPV4.fullmatch(text):
        numbers = [int(number) for number in match[1].split(".")]
        if max(numbers) > 255:
            return None
        octets = bytes(numbers)
    else:
        return None
    bits = _class_bits(octets) if match[2] is None else int(match[2])
    value = int.from_bytes(octets.ljust(4, b"\0"), "big")
    return Network(32, value, bits) if bits <= 32 else None


def _class_bits(octets: bytes) -> int:
    """Return the bits of a network by its class, or all that are there if these are more."""
    first = octets[0]
    classes = ((240, 32), (224, 4), (192, 24), (128, 16), (0, 8))
    bits = next(bits for least, bits in classes if first >= least)
    return max(bits, 8 * len(octets))


def _read_ipv6(text: str) -> Network | None:
    match = _IPV6.fullmatch(text) if len(text) <= _IPV6_MAX else None
    if match is None:
        return None
    try:
        octets = inet_pton(AF_INET6, match[1])
    except OSError:
        return None
    bits = 128 if match[2] is None else int(match[2])
    if not 0 <= bits <= 128:
        return None
    # inet_net_pton copies only the bytes that the prefix reaches into.
    return Network(128, int.from_bytes(octets[: (bits + 7) // 8].ljust(16, b"\0"), "big"), bits)


def _spellings(size: int, value: int, suffix: str = "") -> list[str]:
    """Return how an address or network is written, as smtpd itself writes it first."""
    if size == 32:
        return [inet_ntop(AF_INET, value.to_bytes(4, "big")) + suffix]
    text = inet_ntop(AF_INET6, value.to_bytes(16, "big")) + suffix
    return [f"[{text}]", text]


def netaddr_candidates(key: str) -> Iterator[str]:
    """Yield the rows that match an address, from the address itself down to everything (``/0``)."""
    address = read_network(key)
    if address is None:
        return
    size, value, _ = address
    yield from (text for text in _spellings(size, value) if text != key)
    for bits in range(size, -1, -1):
        host = size - bits
        yield from (
            text for text in _spellings(size, value >> host << host, f"/{bits}") if text != key
        )


class Netaddrs:
    """An index of rows."""

    def __init__(self) -> None:
        self._rows: dict[str, str] = {}
        # Prefix lengths and then networks (their bits without the host's), for each size of
        # address. An address in its usual spelling is found in _rows and is not here.
        self._networks: dict[int, dict[int, dict[int, str]]] = {32: {}, 128: {}}
        self._lengths: dict[int, list[int]] = {32: [], 128: []}

    def add(self, row: str) -> None:
        """Add a row. Raises ValueError for what was meant as a network and is none.

        Such a row still matches the same text, which nobody has for an address.
        """
        text = folded(row)
        self._rows.setdefault(row if text == row else text, row)
        network = read_network(text)
        if network is None:
            if "/" in text:
                raise ValueError("no network")
            return
        size, value, bits = network
        if bits < size or text not in _spellings(size, value):
            if bits not in self._networks[size]:
                self._networks[size][bits] = {}
                insort(self._lengths[size], bits)
            self._networks[size][bits].setdefault(value >> (size - bits), row)

    def find(self, key: str) -> str | None:
        """Return the row of the longest prefix that matches an address in lower case."""
        row = self._rows.get(key)
        address = read_network(key) if row is None else None
        if address is None:
            return row
        size, value, _ = address
        for text in _spellings(size, value):
            if text in self._rows:
                return self._rows[text]
        for bits in reversed(self._lengths[size]):
            row = self._networks[size][bits].get(value >> (size - bits))
            if row is not None:
                return row
        return None
