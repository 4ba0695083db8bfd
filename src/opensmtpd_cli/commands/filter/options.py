"""Values of the options of ``opensmtpd-plugins filter``: those that a client of smtpd can have."""

import os
import re
import socket
from collections.abc import Iterable

import click

from opensmtpd.testing.model.registry import release
from opensmtpd.testing.model.syntax import mailaddr
from opensmtpd_cli.options import UNKNOWN, ClientArgument
from opensmtpd_cli.plugin import models
from opensmtpd_cli.system.smtpd_binary import installed_version

_PORT = "40721"
_CLIENT = re.compile(
    r"\[(?P<six>[^\]]*)\](?::(?P<six_port>[0-9]+))?|(?P<four>[^:]*):(?P<port>[0-9]+)"
)


def check_addresses(version: str, sender: bytes, recipients: Iterable[bytes]) -> None:
    """Raise click.BadParameter for an address that this version of smtpd does not take."""
    for option, raw in (("--from", sender), *(("--rcpt", each) for each in recipients)):
        found = mailaddr(b"<%s>" % raw, release(version), sender=option == "--from")
        if found is None or b">" in raw:
            text = f"{os.fsdecode(raw)!r} is no address that smtpd {version} takes"
            raise click.BadParameter(text, param_hint=option)


def client(text: str) -> bytes:
    """Read ``IP[:PORT]``; returns it as smtpd writes it."""
    found = _CLIENT.fullmatch(text)
    ip = (found["six"] or found["four"]) if found else text
    port = ((found["six_port"] or found["port"]) if found else None) or _PORT
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    try:
        ip = socket.inet_ntop(family, socket.inet_pton(family, ip))
    except (OSError, ValueError):
        raise ValueError(f"{text!r} is no IP address, nor one with a port") from None
    if not 0 < int(port[:6]) < 65536:
        raise ValueError(f"{port} is no port")
    return (f"[{ip}]" if ":" in ip else ip).encode("ascii") + b":" + str(int(port)).encode("ascii")


def fcrdns_of(name: bytes) -> str:
    """Return what smtpd says of a name as a rule."""
    return "fail" if name == UNKNOWN else "pass"


def version(text: str) -> str:
    """Read a version of smtpd that there is a model of."""
    release(text)
    return text


def usual_model() -> str:
    """Return the version of the model that is nearest to the installed smtpd."""
    return models.of(installed_version() or ())


CLIENT = ClientArgument("client", client)
VERSION = ClientArgument("version", version)
