"""``opensmtpd-plugins check``: look for faults in smtpd.conf, and in all around it."""

import json
import os
from collections import Counter
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address
from typing import NoReturn, TypeVar

import click

from opensmtpd.dns import Dns, Lookup
from opensmtpd.dns.names import address as address_in
from opensmtpd.dns.servers import ServerAddress
from opensmtpd.errors import ConfigError, Error
from opensmtpd.files import reading
from opensmtpd_cli import completion, lookups, terminal
from opensmtpd_cli.commands.check import finding, names, programs, rules, syntax
from opensmtpd_cli.commands.check.finding import Finding, Severity
from opensmtpd_cli.commands.check.rules.probe import probe as probing
from opensmtpd_cli.commands.check.server import START_WITHIN, Checker, Server
from opensmtpd_cli.options import ClientArgument, timeout_option
from opensmtpd_cli.output import fail, quiet
from opensmtpd_cli.smtpdconf import parser
from opensmtpd_cli.smtpdconf.configuration import Configuration
from opensmtpd_cli.system import smtpd_binary, smtpd_conf

T = TypeVar("T")

CHECKERS: tuple[Checker, ...] = (*programs.CHECKERS, *names.CHECKERS, *rules.CHECKERS)
FINE, FAULTY, UNKNOWN = 0, 1, 3
STATUSES = (
    "Exit status: 0 nothing is wrong that could be looked at, 1 faults are found, 2 usage, 3 there "
    "is no smtpd.conf, or it cannot be read, or HOST does not say."
)
TOLD_MAX = 20
"""Findings of one kind that are told to people: thousands of rows may have the same mistake."""
_COLOURS = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.UNSEEN: "cyan"}


def findings(server: Server) -> list[Finding]:
    """Return what all checkers find, in the order of files and lines; each once."""
    found = [each for checker in CHECKERS for each in _guarded(checker, server)]
    return in_order(found)


def in_order(found: list[Finding]) -> list[Finding]:
    """Return findings in the order of files and lines, each once; those in no file last."""
    return sorted(dict.fromkeys(found), key=lambda each: (not each.path, each.path, each.line))


def _guarded(checker: Checker, server: Server) -> Iterator[Finding]:
    """Yield what a checker finds; an error that it raises is a finding, too."""
    try:
        yield from checker(server)
    except (OSError, Error) as error:
        place = finding.NOWHERE
        if isinstance(error, ConfigError) and error.path:
            place = error.path, error.line or 0
        what = checker.__name__.replace("_", " ")
        reason = error.message if isinstance(error, ConfigError) else str(error)
        remedy = error.remedy if isinstance(error, ConfigError) else ""
        yield finding.unseen("not-looked", place, f"{what}: {reason}", remedy=remedy)


class _Asking:
    """Asks the DNS; nothing is started before the first lookup."""

    def __init__(self, servers: list[ServerAddress], within: float) -> None:
        self._servers, self._within = servers, within
        self._dns: Dns | None = None

    def __call__(self, lookup: Lookup[T]) -> T:
        if self._dns is None:
            self._dns = lookups.resolver(self._servers, self._within)
        return lookups.result(lookup, self._dns, self._within)


def _address(text: str) -> IPv4Address | IPv6Address:
    found = address_in(text)
    if found is None:
        raise ValueError(f"{text!r} is no IP address")
    return found


def tell(found: list[Finding]) -> None:
    """Write findings for people. --quiet leaves out what could not be looked at."""
    told: Counter[str] = Counter()
    for each in found:
        if each.severity is Severity.UNSEEN and quiet():
            continue
        told[each.code] += 1
        if told[each.code] > TOLD_MAX:
            continue
        line = f":{each.line}" if each.line else ""
        place = f"{each.path}{line}: " if each.path else ""
        text = f"{place}{each.severity}: {each.fault}"
        terminal.say(terminal.shown(text), fg=_COLOURS[each.severity])
        if each.why:
            terminal.say(f"    {terminal.shown(each.why)}")
        if each.remedy:
            terminal.say(f"    -> {terminal.shown(each.remedy)}")
    for code, count in told.items():
        if count > TOLD_MAX:
            terminal.say(f"{count - TOLD_MAX} more of the kind {code}: --json has them all")


def _data(each: Finding) -> dict[str, str | int]:
    fields = each._asdict()
    return {name: value if name == "line" else str(value) for name, value in fields.items()}


@click.command("check", epilog=STATUSES, short_help="Look for faults in smtpd.conf and around it.")
@click.argument(
    "path", metavar="[SMTPD-CONF]", required=False, shell_complete=completion.complete_files
)
@click.option("--json", "as_json", is_flag=True, help="Print all findings as JSON.")
@click.option("--no-start", is_flag=True, help="Start no filter and no table.")
@timeout_option(START_WITHIN, "Wait so long for each filter and each table. smtpd waits for ever.")
@click.option("--no-dns", is_flag=True, help="Do not ask the DNS.")
@click.option(
    "--address",
    "addresses",
    type=ClientArgument("address", _address),
    multiple=True,
    metavar="IP",
    help="An address from which the world gets mail of this server; give it again for more. "
    "Without it, those of this machine and of smtpd.conf.",
)
@click.option(
    "--probe",
    metavar="HOST",
    help="Look at nothing here, but connect once to port 25 of HOST and ask whether it relays for "
    "strangers. Run it on another machine: for smtpd, its own is no stranger.",
)
@lookups.nameserver
@lookups.deadline("Time for the questions of each lookup in the DNS.")
@click.pass_context
def command(
    ctx: click.Context,
    path: str | None,
    as_json: bool,
    no_start: bool,
    timeout: float,
    no_dns: bool,
    addresses: tuple[IPv4Address | IPv6Address, ...],
    probe: str | None,
    servers: list[ServerAddress],
    within: float,
) -> None:
    """Look for what would stop smtpd, lose its mail, or let anybody use it, before it is restarted.

    SMTPD-CONF is that of the installed smtpd, if it is not given. smtpd itself is asked first;
    then each filter and each table is started as smtpd would start it, as its user, and ended
    again, and the files that it is given are looked at, and the rules, and the DNS. Nothing is
    changed. Only root can look at all of it.

    Each fault is said with its place, and with what to do about it. Nothing is said where there
    is none.
    """
    if probe is not None:
        if path is not None:
            raise click.UsageError("--probe looks at no SMTPD-CONF")
        found = list(probing.probe(probe))
        _end(ctx, found, as_json=as_json, fine=UNKNOWN if found else FINE)
    path = os.path.abspath(path or smtpd_conf.usual_path())
    smtpd = smtpd_binary.installed()
    complaints, configuration = _read(ctx, path, smtpd)
    found = complaints
    if configuration is not None:
        server = Server(
            path=path,
            configuration=configuration,
            version=smtpd_binary.version_in(smtpd) or (),
            smtpd=smtpd,
            start=not no_start,
            root=os.geteuid() == 0,
            addresses=addresses,
            dns=None if no_dns else _Asking(servers, within),
            timeout=timeout,
        )
        found = in_order(complaints + findings(server))
    _end(ctx, found, as_json=as_json, fine=FINE)


def _end(ctx: click.Context, found: list[Finding], *, as_json: bool, fine: int) -> NoReturn:
    """Tell what is found, and exit, with the status ``fine`` where none of it is a fault."""
    if as_json:
        terminal.say(json.dumps([_data(each) for each in found], indent=2))
    else:
        tell(found)
    ctx.exit(FAULTY if any(each.severity is not Severity.UNSEEN for each in found) else fine)


def _read(ctx: click.Context, path: str, smtpd: str) -> tuple[list[Finding], Configuration | None]:
    """Return what is wrong with smtpd.conf itself, and what it says, None where it is unreadable.

    Ends the command where there is nothing to look at.
    """
    try:
        with reading(path):  # smtpd, too, would wait for what comes out of a FIFO
            pass
    except ConfigError as error:
        fail(str(error), ctx)
        ctx.exit(UNKNOWN)
    complaints = list(syntax.complaints(path, smtpd)) if smtpd else []
    try:
        configuration = parser.read(path)
        return list(syntax.explained(complaints, configuration)), configuration
    except ConfigError as error:
        if complaints:
            return complaints, None
        if smtpd:
            fail(f"this smtpd takes it, but {error}", ctx)
            ctx.exit(UNKNOWN)
        place = error.path or path, error.line or 0
        return [finding.error("conf-syntax", place, error.message, remedy=error.remedy)], None
