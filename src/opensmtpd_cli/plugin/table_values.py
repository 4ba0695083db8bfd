"""Read the value that a table gives as smtpd does (``table_parse_lookup`` in ``table.c``).

Values are str; bytes that are no UTF-8 are surrogates. A value that smtpd could not read raises
ValueError with the reason, which never quotes a password.
"""

import re
import socket
from collections.abc import Iterator
from typing import NamedTuple

from opensmtpd.table import VALUE_MAX
from opensmtpd.table.limits import ID_MAX

_SPACE = " \t\n\v\f\r"
_ID = re.compile(r"[ \t\n\v\f\r]*[+-]?[0-9]+")  # as strtonum takes it
_ERROR = re.compile(r"[45][0-9]{2} [A-Za-z0-9].*", re.DOTALL)
_ALNUM = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
_USER = _ALNUM | set("_.-+")
_LOCAL = _ALNUM | set("!#$%*/?|^{}`~&'+-=_.")
_DOMAIN = _ALNUM | set("-.")

NAME_MAX = 255
"""Bytes of a user's name, of a local part and of a domain (``SMTPD_MAXLOCALPARTSIZE``)."""
_TEXT_MAX = 1023
"""Bytes of a file's name, a command, an error (``EXPAND_BUFFER``)."""


class Destination(NamedTuple):
    """One of those that an alias stands for.

    ``kind`` is ``user``, ``address``, ``program``, ``file``, ``include`` or ``error``; ``source``
    is what was written, which differs from ``text`` where smtpd takes a part of it only.
    """

    kind: str
    text: str
    source: str


def size(text: str) -> int:
    """Return how many bytes a text has."""
    return len(text.encode("utf-8", "surrogateescape"))


def split(value: str) -> Iterator[str]:
    r"""Yield what commas separate (``expand_line_split``).

    Quotes protect commas and stay; ``\`` protects any byte and goes.
    """
    item, quote, escaped = "", "", False
    for char in value:
        if escaped or char == "\\":
            item += char if escaped else ""
            escaped = not escaped
        elif char == "," and not quote:
            yield item.strip(_SPACE)
            item = ""
        else:
            item += char
            if char in "\"'" and quote in ("", char):
                quote = "" if quote else char
    if quote or escaped:
        raise ValueError("a quote that does not end" if quote else "a backslash at the end")
    yield item.strip(_SPACE)


def alias(value: str) -> list[Destination]:
    """Read the value of an alias (``expand_line``)."""
    if size(value) > VALUE_MAX:
        raise ValueError(f"{size(value)} bytes, and smtpd takes {VALUE_MAX}")
    return [_destination(item) for item in split(value) if item]


def _destination(item: str) -> Destination:
    """Read one of them, in the order of ``text_to_expandnode``."""
    lower = item.lower()
    for word in (":error:", "error:"):
        text = item[len(word) :]
        if lower.startswith(word) and _ERROR.fullmatch(text) and size(text) <= _TEXT_MAX:
            return Destination("error", text, item)
    for word in (":include:", "include:"):
        text = item[len(word) :]
        if lower.startswith(word) and text.startswith("/") and size(text) <= _TEXT_MAX:
            return Destination("include", text, item)
    quoted = item.startswith('"|')
    if item.startswith("|") or (quoted and item.endswith('"') and len(item) > 2):
        text = item[2:-1] if quoted else item[1:]
        if size(text) <= _TEXT_MAX:
            return Destination("program", text, item)
    if item.startswith("/") and size(item) <= _TEXT_MAX:
        return Destination("file", item, item)
    return _address_or_user(item)


def _address_or_user(item: str) -> Destination:
    user, at, domain = item.partition("@")
    if at and user and domain:
        if set(user) <= _LOCAL and set(domain) <= _DOMAIN:
            return Destination("address", item, item)
        item, whole = user, item  # smtpd has cut it here, and goes on with the rest
    else:
        whole = item
    if set(item) <= _USER and size(item) <= NAME_MAX:
        return Destination("user", item, whole)
    raise ValueError(f"{whole!r} is no address, user, file, program or error text")


def credentials(value: str) -> None:
    """Read ``user:hash``, or a hash alone."""
    user, colon, hash = value.partition(":")
    if size(value) < 3 or size(value) > VALUE_MAX or (colon and not (user and hash)):
        raise ValueError("no user:hash")


def userinfo(key: str, value: str) -> tuple[int, int, str]:
    """Read ``uid:gid:home``."""
    uid, _, rest = value.partition(":")
    gid, colon, home = rest.partition(":")
    for text in (uid, gid):
        if not _ID.fullmatch(text) or not 0 <= int(text) <= ID_MAX:
            raise ValueError("no uid:gid:home with numbers for uid and gid")
    if not colon or ":" in key or size(key) > NAME_MAX or size(f"{key}:{value}") > VALUE_MAX:
        raise ValueError("no uid:gid:home")
    return int(uid), int(gid), home


def addresses(value: str) -> list[str]:
    """Read the addresses that a user may send as (``mailaddr_line``)."""
    found = [item for item in split(value) if item]
    for item in found:
        user, _, domain = item.rpartition("@") if "@" in item else (item, "", "")
        if size(user) > NAME_MAX or size(domain) > NAME_MAX:
            raise ValueError(f"an address of {size(item)} bytes")
    return found


def ip_address(value: str, *, six: bool = True) -> None:
    """Read an address without a port (``parse_sockaddr``); an IPv6 one only where ``six``."""
    bare = value.removeprefix("[")
    bare = bare[5:] if bare.lower().startswith("ipv6:") else bare
    for family, text in ((socket.AF_INET, value), (socket.AF_INET6, bare.partition("]")[0])):
        try:
            socket.inet_pton(family, text.partition("%")[0] if family == socket.AF_INET6 else text)
        except (OSError, UnicodeEncodeError, ValueError):
            continue
        if family == socket.AF_INET6 and not six:
            raise ValueError("an IPv6 address, which smtpd reads from tables since 7.9 only")
        return
    raise ValueError(f"{value!r} is no address")
