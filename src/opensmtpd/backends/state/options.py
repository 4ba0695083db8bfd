"""The option of filters that remember clients: where, and what is found wrong with it at start."""

import argparse

from opensmtpd.backends.state.state import LastingState, file_state, memory_state, server_state
from opensmtpd.errors import ConfigError

SCHEMES = ("redis://", "rediss://", "unix:")
"""The beginnings of URLs: see ``valkey.address``."""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the option to a filter's parser; ``state`` reads it."""
    parser.add_argument_group("what is remembered").add_argument(
        "--state",
        metavar="FILE|URL",
        help="keep it in this file, whose path begins with '/', or on this server of Valkey or"
        " Redis, where other machines have it too (default: in memory, until smtpd ends)",
    )


def state(flags: argparse.Namespace, prefix: str) -> LastingState:
    """Return the state that the option names; a process needs one.

    Keys on a server begin with ``prefix``, where the URL has no other. Where the filter only checks
    its configuration, no file is made. Raises ConfigError.
    """
    where: str | None = flags.state
    if where is None:
        return memory_state()
    if is_server(where, "--state"):
        return server_state(where, prefix=prefix)
    return file_state(where, new=not flags.check)


def is_server(where: str, said: str) -> bool:
    """Return whether a state is on a server; if not, it is in a file.

    ``said`` is what the administrator calls it. Raises ConfigError for text that names neither.
    """
    if where.startswith(("/", *SCHEMES)):
        return not where.startswith("/")
    # It is not shown: it may be a URL with a password.
    remedy = "write a path that begins with '/', redis://HOST, rediss://HOST or unix:///PATH"
    raise ConfigError(f"{said} names no file, and no server", remedy=remedy)
