"""The places where servers listen, in the forms of Sendmail, libmilter and Postfix."""

import re

from opensmtpd.errors import ConfigError

Place = str | tuple[str, int]
"""The path of a unix socket, or a host and a port."""

_REMEDY = "write unix:/PATH, inet:PORT@HOST or inet:HOST:PORT"
_SENDMAIL = re.compile(r"(\d{1,5})(?:@(.+))?")
_POSTFIX = re.compile(r"\[?([^\[\]]+)\]?:(\d{1,5})")


def place(text: str, server: str = "a milter") -> Place:
    """Return the place in the text of an argument. Raises ConfigError, which names ``server``.

    ``unix:/run/x.sock`` and ``local:/run/x.sock``; ``inet:8891@localhost`` as Sendmail writes it,
    ``inet:localhost:8891`` as Postfix does; ``inet6`` is the same. A path alone is a unix socket.
    """
    kind, colon, rest = text.partition(":")
    if text.startswith("/"):
        return text
    if colon and kind in ("unix", "local"):
        if not rest.startswith("/"):
            raise ConfigError(f"{text!r:.200} has no absolute path", remedy=_REMEDY)
        return rest
    if colon and kind in ("inet", "inet6"):
        found = _SENDMAIL.fullmatch(rest)
        if found is not None:
            return _host(text, server, found[2] or "localhost", found[1])
        found = _POSTFIX.fullmatch(rest)
        if found is not None:
            return _host(text, server, found[1], found[2])
    raise ConfigError(f"{text!r:.200} is no place of {server}", remedy=_REMEDY)


def _host(text: str, server: str, host: str, port: str) -> Place:
    if not 1 <= int(port) <= 65535 or not host.isprintable() or " " in host:
        raise ConfigError(f"{text!r:.200} is no place of {server}", remedy=_REMEDY)
    return host.removeprefix("[").removesuffix("]"), int(port)
