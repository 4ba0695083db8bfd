"""Options that several commands have."""

import math
import os
import re
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address
from typing import Any, TypeVar

import click

from opensmtpd.dns import names
from opensmtpd_cli.completion import complete_files
from opensmtpd_cli.system.smtpd_binary import installed_version

Command = TypeVar("Command", bound=Callable[..., Any])

NEWEST = "7.9.0"
"""The newest smtpd whose tables are known here."""
USUAL_VERSION = f"that of the installed smtpd, else {NEWEST}"
"""The default of ``--smtpd-version``, for ``--help``."""
UNKNOWN = b"<unknown>"
"""smtpd's name for a client that has no name in the DNS."""
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")


def usual_version() -> str:
    """Return the version of the installed smtpd; the newest that is known where there is none."""
    found = installed_version()
    return ".".join(map(str, found)) if found else NEWEST


class Seconds(click.FloatRange):
    """A time to wait, in seconds: more than 0 and up to 3,600."""

    def __init__(self) -> None:
        super().__init__(0, 3600, min_open=True)

    def convert(self, value: Any, param: Any, ctx: Any) -> float:
        """Return the number, or fail."""
        number = float(super().convert(value, param, ctx))
        if math.isnan(number):  # which no range of click's is without
            self.fail(f"{value!r} is no time", param, ctx)
        return number


def timeout_option(default: float, help: str) -> Callable[[Command], Command]:
    """Return the option for the time that a program has: the command gets ``timeout``, in seconds.

    ``help`` says what is waited for.
    """
    return click.option(
        "--timeout",
        type=Seconds(),
        default=default,
        show_default=True,
        metavar="SECONDS",
        help=help,
    )


conf = click.option(
    "--conf",
    metavar="SMTPD-CONF",
    shell_complete=complete_files,
    help="Look for names in this smtpd.conf, instead of that of this system.",
)
"""The option for smtpd.conf: the command gets ``conf``, a path or None."""


class ClientArgument(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """The value of an option: ``read`` makes it of the typed text, or raises ValueError."""

    def __init__(self, name: str, read: Callable[[str], Any]) -> None:
        self.name = name
        self._read = read

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """Return the value, or fail."""
        if not isinstance(value, str):
            return value
        try:
            return self._read(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


def address(text: str) -> bytes:
    """Read an address, with or without ``<>``; empty for a bounce."""
    return _bytes(text[1:-1] if text.startswith("<") and text.endswith(">") else text)


def ip(text: str) -> IPv4Address | IPv6Address:
    """Read an IP address."""
    found = names.address(text)
    if found is None:
        raise ValueError(f"{text!r} is no IP address")
    return found


def rdns(text: str) -> bytes:
    """Read a name as the resolver lets it through, or ``<unknown>``."""
    raw = _bytes(text)
    if raw != UNKNOWN and not re.fullmatch(rb"[A-Za-z0-9._-]*", raw):
        raise ValueError(f"{text!r} is no name of a host; smtpd would say <unknown>")
    return raw


def word(text: str) -> bytes:
    """Read what a client sends."""
    if not text:
        raise ValueError("it is empty")
    return _bytes(text)


def _bytes(text: str) -> bytes:
    raw = os.fsencode(text)  # what was typed
    if _CONTROL.search(raw):
        raise ValueError(f"{text!r} holds a control character")
    return raw


IP = ClientArgument("address", ip)
ADDRESS = ClientArgument("address", address)
RDNS = ClientArgument("name", rdns)
WORD = ClientArgument("word", word)
