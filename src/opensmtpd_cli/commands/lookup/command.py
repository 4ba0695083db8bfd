"""``opensmtpd-plugins lookup``: ask a table as smtpd would."""

from collections.abc import Callable
from functools import partial

import click
from click.shell_completion import CompletionItem

from opensmtpd.errors import ConfigError
from opensmtpd.table import Service
from opensmtpd_cli import terminal
from opensmtpd_cli.commands.lookup import question
from opensmtpd_cli.commands.lookup.asking import ask_all, conclude
from opensmtpd_cli.commands.lookup.question import FETCHED, VIRTUAL
from opensmtpd_cli.options import USUAL_VERSION, conf, timeout_option, usual_version
from opensmtpd_cli.output import fail, quiet
from opensmtpd_cli.plugin import conf_names, table_keys
from opensmtpd_cli.plugin.table_exchange import Exchange, version_of
from opensmtpd_cli.plugin.table_verdicts import CHECKED, TableOutcome, TableVerdict
from opensmtpd_cli.smtpdconf.named import is_name
from opensmtpd_cli.usage import Choice

SERVICES = Choice([*(service.value for service in Service), VIRTUAL])
STATUS = {
    TableOutcome.FOUND: 0,
    TableOutcome.NOT_FOUND: 1,
    TableOutcome.ERROR: 3,
    TableOutcome.FATAL: 3,
}
_COLOURS = {TableOutcome.FOUND: "green", TableOutcome.NOT_FOUND: "yellow"}
STATUSES = "Exit status: 0 found, 1 not found, 2 usage, 3 an error, or what smtpd would die of."
_UNUSABLE = frozenset([*CHECKED, Service.CREDENTIALS])
"""Services of which a value that was found may be none that smtpd can use."""


def tell_all(verdict: TableVerdict) -> None:
    """Say how it ended, and what smtpd does then."""
    _tell_outcome(verdict, err=False)
    _tell_effect(verdict, err=False)


def tell_value(verdict: TableVerdict, warned: bool) -> None:
    """Print a value that was found, and say on stderr why there is none, or no good one.

    ``warned`` is True where the effect of a value is a warning.
    """
    found = verdict.outcome is TableOutcome.FOUND
    if found:
        terminal.say(terminal.shown(verdict.value) or verdict.outcome)
    else:
        _tell_outcome(verdict, err=True)
    if warned or not found:
        _tell_effect(verdict, err=True)


def _tell_outcome(verdict: TableVerdict, *, err: bool) -> None:
    text = ": ".join(filter(None, [verdict.outcome, terminal.shown(verdict.value)]))
    terminal.say(text, err=err, fg=_COLOURS.get(verdict.outcome, "red"))


def _tell_effect(verdict: TableVerdict, *, err: bool) -> None:
    if verdict.effect:
        terminal.say(f"smtpd: {terminal.shown(verdict.effect)}", err=err)


def _silent(_text: str, **_style: object) -> None:
    """Say nothing."""


def _complete_services(
    _ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    return [CompletionItem(name) for name in SERVICES.choices if name.startswith(incomplete)]


@click.command(epilog=STATUSES, short_help="Look a key up in a table as smtpd does.")
@click.argument("table", shell_complete=conf_names.complete("table"))
@click.argument(
    "service_or_key", required=False, metavar="[SERVICE]", shell_complete=_complete_services
)
@click.argument("key", required=False)
@click.option(
    "--service",
    "named",
    type=SERVICES,
    metavar="SERVICE",
    help="Ask for this service, where smtpd.conf does not say which, or several.",
)
@click.option("--check", is_flag=True, help="Ask whether KEY is there, as rules of smtpd.conf do.")
@click.option(
    "--all",
    "every",
    is_flag=True,
    help="KEY is an address: show all keys that smtpd tries for it, in order.",
)
@click.option(
    "--delimiter",
    metavar="CHARACTER",
    help="What stands before the tag of a user, for --all.  "
    "[default: smtp sub-addr-delim of smtpd.conf, else +]",
)
@click.option("-v", "verbose", is_flag=True, help="Show each line of the exchange.")
@conf
@timeout_option(10.0, "Wait so long for an answer. smtpd waits for ever.")
@click.option(
    "--smtpd-version",
    "version",
    default=usual_version,
    show_default=USUAL_VERSION,
    metavar="VERSION",
    help="Ask as this version does.",
)
@click.pass_context
def lookup(
    ctx: click.Context,
    table: str,
    service_or_key: str | None,
    key: str | None,
    named: str | None,
    check: bool,
    every: bool,
    delimiter: str | None,
    verbose: bool,
    conf: str | None,
    timeout: float,
    version: str,
) -> None:
    """Look KEY up in a table as smtpd does, and print the value.

    TABLE is the name of a table in smtpd.conf, a line of it, as 'table users
    sqlite:/etc/mail/users.conf', or the last word of one. SERVICE is alias, credentials, userinfo,
    mailaddrmap, addrname, source or relayhost; with --all, alias or virtual; with --check, domain,
    netaddr, mailaddr, string, regex or auth. Without SERVICE, it is the one that smtpd asks this
    table for, and as it does. Of source and relayhost, smtpd fetches the next one of a list: give
    no KEY for that.

    For auth, KEY is the user, and the password is read from the terminal, or from a line of
    standard input. (As user:password, others can see it in the list of processes.)

    The table is run as smtpd's user if you are root, and without your environment. Passwords are
    not shown, neither yours nor those that it returns.
    """
    version_of(version)
    if check and every:
        raise click.UsageError("--all goes without --check")
    if delimiter is not None and len(delimiter) != 1:
        raise click.BadParameter("one character", param_hint="--delimiter")
    service, key = _service_and_key(ctx, table, named, service_or_key, key)
    try:
        of = question.find(table, conf)
        verb, service, key = question.asked(of, service, key, check=check, every=every)
        if service == Service.AUTH and key is not None and ":" not in key:
            key = f"{key}:{terminal.password('Password')}"
        tell = terminal.say if verbose and not quiet() else _silent
        ask = _asking(verb, service, key, (delimiter or of.delimiter) if every else "")
        verdict = conclude(of.line, version, timeout, tell, ask)
    except ConfigError as error:  # 1 would say that a key was not found
        fail(str(error))
        ctx.exit(3)
    if verbose:
        tell_all(verdict)
    else:
        tell_value(verdict, warned=verb == "lookup" and service in _UNUSABLE)
    ctx.exit(STATUS[verdict.outcome])


def _service_and_key(
    ctx: click.Context, table: str, named: str | None, first: str | None, second: str | None
) -> tuple[str | None, str | None]:
    """Return what two words behind the table are, or one, or none. Raises click.UsageError."""
    if second is not None and first is not None:
        if named:
            raise click.UsageError("the service is given twice")
        return SERVICES.convert(first, None, ctx), second
    if first in FETCHED and not named and not is_name(table):
        return first, None
    return named, first


def _asking(
    verb: str, service: str, key: str | None, delimiter: str
) -> Callable[[Exchange], TableVerdict]:
    """Return what asks a table; with a delimiter, for all keys of an address."""
    if delimiter and key is not None:
        of = table_keys.of_virtual if service == VIRTUAL else table_keys.of_alias
        return partial(ask_all, service=service, wanted=of(key, delimiter))
    return lambda exchange: exchange.ask(verb, Service(service), key)
