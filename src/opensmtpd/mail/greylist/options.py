"""The options of filter-greylist that say how long clients wait, and whom to spare."""

import argparse
from typing import NamedTuple

from opensmtpd.backends.state.steps import SECONDS_MAX
from opensmtpd.errors import ConfigError
from opensmtpd.mail.client import Client
from opensmtpd.mail.greylist.postgrey import ListedClients, ListedRecipients
from opensmtpd.mail.policy.exemptions import Exemptions
from opensmtpd.options import seconds
from opensmtpd.table import Patterns, Service
from opensmtpd.table.file import FileKind, TableFile, lines


class Spared(NamedTuple):
    """Those whose mail is never greylisted."""

    clients: Exemptions
    listed: ListedClients
    domains: Patterns
    recipients: ListedRecipients

    def has(self, client: Client) -> bool:
        """Return whether a client is spared, or the domain of its sender."""
        domain = client.domain if len(self.domains) else None
        if domain is not None and self.domains.find(domain) is not None:
            return True
        return client in self.clients or client in self.listed


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options to a filter's parser; ``check``, ``spared`` and ``files`` read them."""
    add = parser.add_argument_group("how long to wait").add_argument
    # fmt: off
    for name, default, what in (
        ("passtime", 300, "refuse a new attempt for so long (default 300)"),
        ("greyexp", 14400, "forget an attempt that was not repeated within this time (default"
            " 14400, four hours)"),
        ("whiteexp", 2592000, "know those that have passed for so long after their last mail"
            " (default 2592000, 30 days)"),
    ):
        add(f"-{name}", f"--{name}", type=seconds, default=float(default), metavar="SECONDS",
            help=what)
    add("--auto-white", type=_count, default=1, metavar="COUNT", help="let all mail of a network"
        " pass, or of a domain that SPF passes for, when so many attempts have, an hour apart"
        " (default 1; 0 for never)")
    add = parser.add_argument_group("whom to spare").add_argument
    add("-wl-ip", "--wl-ip", action="append", default=[], metavar="FILE", help="do not greylist"
        " these clients: a network or a domain (of a client whose name is confirmed) a line;"
        " clients on this machine, and those that have authenticated, never are")
    add("-wl-domain", "--wl-domain", action="append", default=[], metavar="FILE",
        help="do not greylist these domains of senders, one a line: anybody can use them")
    add("--whitelist-clients", action="append", default=[], metavar="FILE",
        help="do not greylist these clients, in a file of postgrey")
    add("--whitelist-recipients", action="append", default=[], metavar="FILE",
        help="do not greylist mail to these recipients, in a file of postgrey")
    # fmt: on


def check(options: argparse.Namespace) -> None:
    """Raise ConfigError for times that cannot be."""
    for name in ("passtime", "greyexp", "whiteexp"):
        if getattr(options, name) > SECONDS_MAX:
            remedy = f"{SECONDS_MAX}, {SECONDS_MAX // 86400} days, is the longest time"
            raise ConfigError(f"-{name} is too long", remedy=remedy)
    if options.passtime >= options.greyexp:
        remedy = "an attempt is to be repeated between the two: make -greyexp longer"
        raise ConfigError("-passtime is not below -greyexp", remedy=remedy)


def files(options: argparse.Namespace) -> tuple[str, ...]:
    """Return the files that ``spared`` reads."""
    names = ("wl_ip", "wl_domain", "whitelist_clients", "whitelist_recipients")
    return tuple(path for name in names for path in getattr(options, name))


def spared(options: argparse.Namespace) -> Spared:
    """Read the files. Raises ConfigError for one that cannot be used."""
    return Spared(
        Exemptions(options.wl_ip),
        ListedClients(options.whitelist_clients),
        _domains(options.wl_domain),
        ListedRecipients(options.whitelist_recipients),
    )


def _domains(paths: list[str]) -> Patterns:
    """Return the domains of senders. Raises ConfigError."""
    found = Patterns(Service.DOMAIN, ())
    for path in paths:
        file = TableFile(lines(path), path)
        file.kind = FileKind.LIST
        for line, row, _ in file:
            if "@" in row or " " in row:
                remedy = "write a domain, example.org or *.example.org"
                raise ConfigError(f"{row!r} is no domain", path=path, line=line, remedy=remedy)
            found.add(row)
    return found


def _count(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 6):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 on")
    return int(text)
