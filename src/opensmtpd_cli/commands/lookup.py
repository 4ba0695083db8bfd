"""``opensmtpd-plugins lookup`` and ``check``: ask a table as smtpd would, and show the exchange."""

import os
from collections.abc import Callable
from signal import Signals
from typing import Any, NoReturn, TypeVar

import click

from opensmtpd.errors import ConfigError, RemoteError
from opensmtpd.table import Service
from opensmtpd_cli import terminal
from opensmtpd_cli.options import USUAL_VERSION, Seconds, usual_version
from opensmtpd_cli.output import fail
from opensmtpd_cli.plugin import table_keys, table_program, table_verdicts
from opensmtpd_cli.plugin.table_exchange import Exchange, remark, version_of
from opensmtpd_cli.plugin.table_verdicts import TableOutcome, TableVerdict
from opensmtpd_cli.smtpdconf.table_line import TableLine, parse
from opensmtpd_cli.system import libexec, table_support
from opensmtpd_cli.usage import Choice

VIRTUAL = "virtual"
NAMES = [service.value for service in Service]
FETCHED = (Service.SOURCE, Service.RELAYHOST)
"""Services of which smtpd takes the entries of a list in turn, without a key."""

STATUS = {
    TableOutcome.FOUND: 0,
    TableOutcome.NOT_FOUND: 1,
    TableOutcome.ERROR: 3,
    TableOutcome.FATAL: 3,
}
_COLOURS = {TableOutcome.FOUND: "green", TableOutcome.NOT_FOUND: "yellow"}
STATUSES = "Exit status: 0 found, 1 not found, 2 usage, 3 an error, or what smtpd would die of."

Command = TypeVar("Command", bound=Callable[..., Any])


def tell(verdict: TableVerdict) -> None:
    """Say how it ended, and what smtpd does then."""
    outcome, value, effect = verdict
    terminal.say(
        f"{outcome}: {terminal.shown(value)}" if value else outcome, fg=_COLOURS.get(outcome, "red")
    )
    if effect:
        terminal.say(f"smtpd: {terminal.shown(effect)}")


def conclude(
    table_line: str, version: str, timeout: float, ask: Callable[[Exchange], TableVerdict]
) -> TableVerdict:
    """Start the table, shake hands, ask, end it. Raises ConfigError where there is no table."""
    line = parse(table_line)
    fault = "" if line.built_in else table_support.lacking(version_of(version))
    if fault:
        raise ConfigError(fault, remedy=table_support.REMEDY)
    program = _program(line)
    if line.built_in:
        remark(f"smtpd reads {line.kind}: tables itself; our table-flat is asked instead")
    elif os.path.dirname(program) not in libexec.folders():
        remark("not where smtpd looks for its tables: smtpd itself would not find it")
    try:
        exchange = Exchange(line, program, version=version, timeout=timeout)
    except OSError as error:
        return table_verdicts.fatal(f"{program} cannot be run: {error.strerror}")
    with exchange:
        return _watched(exchange, ask)


def _program(line: TableLine) -> str:
    """Return the path of a table's program. Raises ConfigError."""
    try:
        return table_program.find(line)
    except ConfigError:
        if line.path is not None or line.name != line.kind:
            raise
        example = f"table {line.kind} sqlite:/etc/mail/{line.kind}.conf"
        remedy = f"give its line of smtpd.conf, as '{example}', or the last word of it"
        raise ConfigError(f"{line.kind} is no line of a table", remedy=remedy) from None


def _watched(exchange: Exchange, ask: Callable[[Exchange], TableVerdict]) -> TableVerdict:
    try:
        exchange.hello()
        return ask(exchange)
    except RemoteError as error:
        return table_verdicts.fatal(str(error))
    except EOFError:
        return table_verdicts.fatal(f"the table {_end_of(exchange)}")
    except TimeoutError:
        effect = "it would wait for ever, and all mail with it"
        return TableVerdict(TableOutcome.ERROR, f"no answer within {exchange.timeout:g} s", effect)


def _end_of(exchange: Exchange) -> str:
    status = exchange.end()
    if status is None:
        return "hung up"
    return f"died of {Signals(-status).name}" if status < 0 else f"exited with status {status}"


def ask_all(exchange: Exchange, service: str, wanted: list[str]) -> TableVerdict:
    """Ask for keys in turn, up to the first that is there or fails, and list them all."""
    found: list[TableVerdict] = []
    for key in wanted:
        found.append(exchange.ask("lookup", Service.ALIAS, key))
        if found[-1].outcome is not TableOutcome.NOT_FOUND:
            break
    for number, key in enumerate(wanted, 1):
        asked = number <= len(found)
        state = found[number - 1].outcome if asked else "not asked"
        terminal.say(f"{number}. {terminal.shown(key)}: {state}")
    if service == VIRTUAL and found[-1].outcome is TableOutcome.NOT_FOUND:
        effect = 'the recipient gets "524 5.2.4 Mailing list expansion problem"'
        return found[-1]._replace(effect=effect)
    return found[-1]


def _end(ctx: click.Context, verdict: Callable[[], TableVerdict]) -> NoReturn:
    try:
        result = verdict()
    except ConfigError as error:  # 1 would say that a key was not found
        fail(str(error))
        ctx.exit(3)
    tell(result)
    ctx.exit(STATUS[result.outcome])


def _options(command: Command) -> Command:
    for decorate in (
        click.option(
            "--timeout",
            type=Seconds(),
            default=10.0,
            show_default=True,
            metavar="SECONDS",
            help="Wait so long for an answer. smtpd waits for ever.",
        ),
        click.option(
            "--smtpd-version",
            "version",
            default=usual_version,
            show_default=USUAL_VERSION,
            metavar="VERSION",
            help="Ask as this version does.",
        ),
    ):
        command = decorate(command)
    return command


@click.command(epilog=STATUSES, short_help="Look a key up in a table as smtpd does.")
@click.argument("table_line", metavar="TABLE-LINE")
@click.argument("service", type=Choice([*NAMES, VIRTUAL]), metavar="SERVICE")
@click.argument("key", required=False)
@click.option(
    "--all",
    "every",
    is_flag=True,
    help="KEY is an address: show all keys that smtpd tries for it, in order.",
)
@click.option(
    "--delimiter",
    default="+",
    show_default=True,
    metavar="CHARACTER",
    help="What stands before the tag of a user (smtp sub-addr-delim), for --all.",
)
@_options
@click.pass_context
def lookup(
    ctx: click.Context,
    table_line: str,
    service: str,
    key: str | None,
    every: bool,
    delimiter: str,
    version: str,
    timeout: float,
) -> None:
    """Look KEY up in a table as smtpd does, and say what smtpd makes of the answer.

    TABLE-LINE is a line of smtpd.conf, as 'table users sqlite:/etc/mail/users.conf', or its last
    word. SERVICE is alias, credentials, userinfo, mailaddrmap, addrname, source or relayhost;
    with --all, alias or virtual. Of source and relayhost, smtpd fetches the next one of a list:
    give no KEY for that.

    The table is run as smtpd's user if you are root, and without your environment. Passwords that
    it returns are not shown.
    """
    version_of(version)
    if every:
        if service not in (Service.ALIAS, VIRTUAL) or key is None:
            raise click.UsageError("--all wants the service alias or virtual, and an address")
        if len(delimiter) != 1:
            raise click.BadParameter("one character", param_hint="--delimiter")
        of = table_keys.of_virtual if service == VIRTUAL else table_keys.of_alias
        wanted = of(key, delimiter)
        _end(
            ctx,
            lambda: conclude(table_line, version, timeout, lambda x: ask_all(x, service, wanted)),
        )
    if service == VIRTUAL:
        raise click.UsageError("virtual goes with --all; a single key is asked for as alias")
    asked = Service(service)
    if asked is Service.AUTH:
        raise click.UsageError("smtpd does not look up auth: use check")
    if key is None and asked not in FETCHED:
        raise click.UsageError("Missing argument 'KEY'.")
    verb = "fetch" if key is None else "lookup"
    _end(
        ctx,
        lambda: conclude(table_line, version, timeout, lambda x: x.ask(verb, asked, key)),
    )


@click.command(epilog=STATUSES, short_help="Check a key in a table as smtpd does.")
@click.argument("table_line", metavar="TABLE-LINE")
@click.argument("service", type=Choice(NAMES), metavar="SERVICE")
@click.argument("key")
@_options
@click.pass_context
def check(
    ctx: click.Context, table_line: str, service: str, key: str, version: str, timeout: float
) -> None:
    """Check KEY in a table as smtpd does, and say what smtpd makes of the answer.

    TABLE-LINE is a line of smtpd.conf, as 'table domains sqlite:/etc/mail/domains.conf', or its
    last word. SERVICE is domain, netaddr, mailaddr, string, regex or auth.

    For auth, KEY is the user, and the password is read from the terminal, or from a line of
    standard input. It is never shown. (As user:password, others can see it in the list of
    processes.)
    """
    version_of(version)
    asked = Service(service)
    if asked is Service.AUTH and ":" not in key:
        key = f"{key}:{terminal.password('Password')}"
    _end(
        ctx,
        lambda: conclude(table_line, version, timeout, lambda x: x.ask("check", asked, key)),
    )
