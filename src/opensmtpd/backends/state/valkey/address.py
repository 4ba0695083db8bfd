"""A URL of a server, with what is to be known of the keys there. Secrets stand in files.

::

    redis://mail@valkey.example.org:6379/1?prefix=mx:,password_file=/etc/mail/valkey.password
    rediss://valkey.example.org/0?ca_file=/etc/ssl/valkey.pem
    unix:///run/valkey/valkey.sock?db=1

A comma counts as ``&``, for smtpd starts filters by a shell.
"""

from typing import NamedTuple
from urllib.parse import parse_qsl

from opensmtpd.backends.redis.place import RedisPlace
from opensmtpd.backends.redis.url import DATABASE_MAX, number, place
from opensmtpd.backends.secrets import read_password
from opensmtpd.errors import ConfigError, nearest

KEYS = ("prefix", "password_file", "secret_file", "keys", "ca_file", "cert_file", "key_file", "db")


class SharedPlace(NamedTuple):
    """A server, and the names of our keys there."""

    place: RedisPlace
    prefix: bytes
    hashed: bool
    """True where keys are hashed with the secret: the server knows what is kept, and not whose."""
    secret: bytes
    """The key of hashes and seals; empty for none."""


def address(url: str, prefix: str) -> SharedPlace:
    """Read a URL, and the files that it names; ``prefix`` is that of keys where it has none.

    Raises ConfigError, without any part of the URL that may be a secret.
    """
    server, _, query = url.partition("?")
    values = _values(query)
    hashed = _hashed(values.get("keys", "plain"))
    if hashed and "secret_file" not in values:
        fault = "keys=hashed of the URL hides nothing without a secret: whose they are can be tried"
        raise ConfigError(fault, remedy="name a secret_file")
    return SharedPlace(
        _place(server, values),
        values.get("prefix", prefix).encode("utf-8", "surrogateescape"),
        hashed,
        _secret(values.get("secret_file")),
    )


def _place(server: str, values: dict[str, str]) -> RedisPlace:
    try:
        found = place(server)
        if "db" in values:
            found = found._replace(database=number(values["db"], DATABASE_MAX))
    except ValueError as error:
        raise ConfigError(f"the URL of a server: {error}") from None
    if found.password:
        remedy = "put it into a file of the filter's user, and write ?password_file=/path"
        raise ConfigError("a password in a URL is seen by all users of the machine", remedy=remedy)
    return found._replace(
        password=_secret(values.get("password_file")).decode("utf-8", "surrogateescape"),
        authorities=values.get("ca_file", ""),
        certificate=values.get("cert_file", ""),
        key=values.get("key_file", ""),
    )


def _values(query: str) -> dict[str, str]:
    query = query.replace(",", "&").replace("+", "%2B")  # a plus is no blank: paths may have one
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    except ValueError:
        raise ConfigError("behind the ? of a URL stand key=value,key=value") from None
    values: dict[str, str] = {}
    for key, value in pairs:
        if key not in KEYS:
            near = nearest(key, KEYS)
            remedy = f"did you mean {near}?" if near else f"there are {', '.join(KEYS)}"
            raise ConfigError("the URL has an unknown key", remedy=remedy)
        if key in values or not value:
            raise ConfigError(f"{key} of the URL is given twice, or has no value")
        values[key] = value
    return values


def _hashed(text: str) -> bool:
    if text not in ("plain", "hashed"):
        raise ConfigError("keys of the URL is neither plain nor hashed")
    return text == "hashed"


def _secret(path: str | None) -> bytes:
    """Return the first line of a file, empty for none. Raises ConfigError."""
    if path is None:
        return b""
    if not path.startswith("/"):  # and is not shown: it may be what belongs into the file
        raise ConfigError("the path of a file in the URL begins with '/'")
    return read_password(path)
