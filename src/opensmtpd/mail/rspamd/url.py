"""The URL of an rspamd: over HTTP, within TLS, or at a unix socket."""

from typing import NamedTuple
from urllib.parse import urlsplit

from opensmtpd.errors import ConfigError

DEFAULT = "http://localhost:11333"
PORTS = {"http": 80, "https": 443}
_REMEDY = "write http://HOST:PORT, https://HOST:PORT, or the path of a unix socket"


class Url(NamedTuple):
    """A place where an rspamd listens, as plain data for the worker."""

    shown: str
    """The text of the option."""
    socket: str
    """The path of a unix socket, "" where it is none."""
    host: str
    port: int
    tls: bool
    path: str
    """The path before ``/checkv2``, without a slash at its end."""

    @property
    def host_field(self) -> str:
        """The value of the field Host (RFC 9110 section 7.2)."""
        if self.socket:
            return "localhost"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return (
            host if self.port == PORTS["https" if self.tls else "http"] else f"{host}:{self.port}"
        )


def url(text: str) -> Url:
    """Return the URL in the text of an option. Raises ConfigError.

    All that does not begin with http is the path of a unix socket, as for the filter in Go.
    """
    if not text.startswith("http"):
        if not text.startswith("/"):
            raise ConfigError(f"{text!r:.200} is no URL and no absolute path", remedy=_REMEDY)
        return Url(text, text, "", 0, tls=False, path="")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ConfigError(f"{text!r:.200} is no URL", remedy=_REMEDY) from None
    if parts.scheme not in PORTS or not parts.hostname:
        raise ConfigError(f"{text!r:.200} is no URL", remedy=_REMEDY)
    if parts.username is not None or parts.query or parts.fragment:  # a password, it may be
        raise ConfigError("an URL of rspamd has no user, no query and no fragment", remedy=_REMEDY)
    if not (parts.path + parts.hostname).isascii() or set(parts.path) & set(' \t"<>'):
        raise ConfigError(f"{text!r:.200} is no URL", remedy=_REMEDY)
    return Url(
        text,
        "",
        parts.hostname,
        PORTS[parts.scheme] if port is None else port,
        tls=parts.scheme == "https",
        path=parts.path.rstrip("/"),
    )
