"""The address of a server as a URL.

``redis://``, within TLS ``rediss://``, and ``unix:`` with the path of a socket. Source:
https://www.iana.org/assignments/uri-schemes/prov/redis and .../rediss.
"""

import re

from opensmtpd.backends.redis.place import RedisPlace
from opensmtpd.backends.strtonum import strtonum

PORT, PORT_MAX = 6379, 65535
DATABASE_MAX = 2**31 - 1

_LOGIN = r"(?:(?P<user>[^:@/?#]*)(?::(?P<password>[^@/?#]*))?@)?"
_NETWORK = re.compile(
    rf"(?P<scheme>rediss?)://{_LOGIN}"
    r"(?:\[(?P<ip>[0-9A-Fa-f:.]+)\]|(?P<host>[^\[\]:@/?#]*))(?::(?P<port>[0-9]{1,5}))?"
    r"(?:/(?P<database>[0-9]*))?"
)
_UNIX = re.compile(rf"unix:(?://{_LOGIN})?(?P<path>/[^?#]+)(?:\?db=(?P<database>[0-9]+))?")


def place(url: str, default: RedisPlace = RedisPlace()) -> RedisPlace:  # noqa: B008  it is a tuple
    """Return the place that a URL names; what it does not say is that of ``default``.

    Raises ValueError, whose text has no password.
    """
    if found := _UNIX.fullmatch(url):
        where = default._replace(path=_plain(found["path"]), tls=False)
    elif found := _NETWORK.fullmatch(url):
        where = default._replace(
            host=found["ip"] or _plain(found["host"]) or RedisPlace().host,
            port=number(found["port"] or str(PORT), PORT_MAX),
            path="",
            tls=found["scheme"] == "rediss" or default.tls,
        )
    else:
        raise ValueError("no URL such as redis://HOST, rediss://HOST or unix:/PATH")
    if found["database"]:
        where = where._replace(database=number(found["database"], DATABASE_MAX))
    if found["user"] is not None:
        where = where._replace(user=_plain(found["user"]))
    if found["password"] is not None:
        where = where._replace(password=_plain(found["password"]))
    return where


def number(text: str, maximum: int) -> int:
    """Return a number from 0 to ``maximum``. Raises ValueError."""
    found = strtonum(text, maximum)
    if found is None:
        raise ValueError(f"{text!r:.40} is no number from 0 to {maximum}")
    return found


def _plain(text: str) -> str:
    """Return a part of a URL without its escapes."""
    if "%" not in text:
        return text
    raw = text.encode("utf-8", "surrogateescape")
    plain = re.sub(rb"%([0-9A-Fa-f]{2})", lambda code: bytes([int(code[1], 16)]), raw)
    return plain.decode("utf-8", "surrogateescape")
