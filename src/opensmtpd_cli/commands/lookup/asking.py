"""Ask a table as smtpd does: start it, shake hands, ask, end it."""

import os
from collections.abc import Callable
from signal import Signals

from opensmtpd.errors import ConfigError, RemoteError
from opensmtpd.table import Service
from opensmtpd_cli import terminal
from opensmtpd_cli.commands.lookup.question import VIRTUAL
from opensmtpd_cli.plugin import table_program, table_verdicts
from opensmtpd_cli.plugin.table_exchange import Exchange, Tell, version_of
from opensmtpd_cli.plugin.table_verdicts import TableOutcome, TableVerdict
from opensmtpd_cli.smtpdconf.table_line import TableLine
from opensmtpd_cli.system import libexec, table_support


def conclude(
    line: TableLine,
    version: str,
    timeout: float,
    tell: Tell,
    ask: Callable[[Exchange], TableVerdict],
) -> TableVerdict:
    """Return the verdict on what a table answers. Raises ConfigError where there is no table."""
    fault = "" if line.built_in else table_support.lacking(version_of(version))
    if fault:
        raise ConfigError(fault, remedy=table_support.REMEDY)
    program = table_program.find(line)
    if line.built_in:
        tell(f"# smtpd reads {line.kind}: tables itself; our table-flat is asked instead", dim=True)
    elif os.path.dirname(program) not in libexec.folders():
        remark = "# not where smtpd looks for its tables: smtpd itself would not find it"
        tell(remark, dim=True)
    try:
        exchange = Exchange(line, program, version=version, timeout=timeout, tell=tell)
    except OSError as error:
        return table_verdicts.fatal(f"{program} cannot be run: {error.strerror}")
    with exchange:
        return _watched(exchange, ask)


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
