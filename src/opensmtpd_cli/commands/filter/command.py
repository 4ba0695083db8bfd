"""``opensmtpd-plugins filter``: run a filter on a message as smtpd would."""

import os
import sys
from collections.abc import Callable
from contextlib import suppress

import click

from opensmtpd.errors import ConfigError
from opensmtpd.testing.model.client import SmtpClient
from opensmtpd.testing.model.smtpd import Smtpd
from opensmtpd_cli import terminal
from opensmtpd_cli.commands.filter.options import (
    CLIENT,
    VERSION,
    check_addresses,
    fcrdns_of,
    usual_model,
)
from opensmtpd_cli.errors import Stopped
from opensmtpd_cli.options import ADDRESS, RDNS, USUAL_VERSION, WORD, conf, timeout_option
from opensmtpd_cli.output import fail, note, quiet
from opensmtpd_cli.plugin import conf_names, filter_message, filter_program
from opensmtpd_cli.plugin.filter_run import ClientArguments, Run, outgoing
from opensmtpd_cli.plugin.talk import Talk
from opensmtpd_cli.smtpdconf.filter_line import FilterEntry, parse
from opensmtpd_cli.smtpdconf.named import filter_entry, is_name
from opensmtpd_cli.system import libexec

ACCEPTED, REFUSED, STOPPED = 0, 1, 3
STATUSES = (
    "Exit status: 0 accepted, 1 refused, 2 usage, 3 an error, or what smtpd would die of or wait "
    "for for ever."
)
_USUAL = ClientArguments()


def _text(value: bytes) -> str:
    return value.decode("ascii")


class _Report:
    """Writes remarks to stderr. With --quiet the filter's log is shown only if it stops smtpd."""

    def __init__(self) -> None:
        self._held: list[str] = []
        self._over = False

    def tell(self, text: str, **style: object) -> None:
        """Say what happens."""
        if not quiet():
            terminal.say(text, err=True, **style)

    def log(self, line: bytes) -> None:
        """Show a line that the filter wrote to stderr; not that it misses smtpd."""
        if self._over:
            return
        text = f"! {terminal.shown(line)}"
        if quiet():
            self._held = [*self._held[-99:], text]
        else:
            self.tell(text)

    def stopped(self, outcome: str, effect: str) -> None:
        """Say why smtpd goes no further."""
        for line in self._held:
            terminal.say(line, err=True)
        terminal.say(outcome, err=True, fg="red")
        terminal.say(f"smtpd: {effect}", err=True)
        self._over = True


def run(
    line: FilterEntry, arguments: ClientArguments, message: bytes, version: str, timeout: float
) -> int:
    """Run a filter on a message; returns the exit status. Raises ConfigError."""
    command = filter_program.find(line)
    program = filter_program.program(line, command)
    report = _Report()
    report.tell(f"# {terminal.shown(filter_program.described(line, command))}", dim=True)
    folder = os.path.dirname(command.split(" ")[0])
    if not line.command.startswith("/") and folder not in libexec.folders():
        remark = "# not where smtpd looks for its filters: smtpd itself would not find it"
        report.tell(remark, dim=True)
    try:
        talk = Talk(program, timeout=timeout, log=report.log)
    except OSError as error:
        report.stopped(f"fatal: {program.path}: {error.strerror}", "dies, and all mail stops")
        return STOPPED
    with talk:
        run = Run(talk, Smtpd(version), timeout=timeout, tell=report.tell)
        try:
            run.start()
            client, reply = run.send(arguments, message)
        except Stopped as stop:
            talk.log_so_far()
            report.stopped(stop.outcome, stop.effect)
            return STOPPED
        _tell_end(talk.end(), report.tell)
    return _conclude(client, reply, message, report.tell)


def _tell_end(status: int | None, tell: Callable[..., None]) -> None:
    if status is None:
        tell("# it did not end when smtpd hung up, and was killed", dim=True)
    elif status:
        tell(f"# it ended with status {status} when smtpd hung up", dim=True)


def _conclude(client: SmtpClient, reply: bytes, message: bytes, tell: Callable[..., None]) -> int:
    result = outgoing(client, message)
    if result is None:
        terminal.say(f"refused: {terminal.shown(reply)}", err=True, fg="red")
        return REFUSED
    sys.stdout.buffer.write(result)
    sys.stdout.buffer.flush()
    transaction = client.transactions[-1]
    before = transaction.sent[transaction.trace :]
    after = filter_message.without(transaction.lines, transaction.sent[: transaction.trace])
    for what, names in zip(
        ("added", "removed"), filter_message.changes(before, after), strict=True
    ):
        if names:
            tell(f"{what}: {', '.join(map(terminal.shown, names))}")
    if client.junk or transaction.junk:
        tell("junk: smtpd puts X-Spam: Yes in front", fg="yellow")
    tell(f"accepted: {terminal.shown(reply)}", fg="green")
    return ACCEPTED


def _entry(text: str, conf: str | None) -> FilterEntry:
    """Return what runs: by a name in smtpd.conf, a line of it, or a command. Raises ConfigError."""
    if not is_name(text):
        return parse(text)
    own = conf_names.read(conf)
    if own.configuration and text in own.configuration.filters:
        return filter_entry(own.configuration, text)
    entry = parse(text)
    try:
        filter_program.find(entry)
    except ConfigError:
        if text.startswith("filter-"):  # rather a program
            raise
        remedy = "give its whole line of smtpd.conf, or its command"
        raise ConfigError(own.lacks("filter", text), remedy=remedy) from None
    return entry


def _at_terminal() -> bool:
    return sys.stdin.isatty()


def _read() -> bytes:
    """Return what is on standard input."""
    if _at_terminal():
        note("the message is read from the terminal, up to the end of it (Ctrl-D)")
    return sys.stdin.buffer.read()


@click.command("filter", epilog=STATUSES, short_help="Run a filter on a message as smtpd does.")
@click.argument("filter_line", metavar="FILTER", shell_complete=conf_names.complete("filter"))
@click.option(
    "--from",
    "sender",
    type=ADDRESS,
    default=_text(_USUAL.sender),
    show_default=True,
    metavar="ADDRESS",
    help="The sender of the envelope; empty for a bounce.",
)
@click.option(
    "--rcpt",
    "recipients",
    type=ADDRESS,
    multiple=True,
    default=[_text(one) for one in _USUAL.recipients],
    show_default=True,
    metavar="ADDRESS",
    help="A recipient; give it again for more.",
)
@click.option(
    "--client",
    type=CLIENT,
    default=_text(_USUAL.client),
    show_default=True,
    metavar="IP[:PORT]",
    help="Where the client comes from; [IPv6]:PORT with a port.",
)
@click.option(
    "--rdns",
    type=RDNS,
    default=_text(_USUAL.rdns),
    show_default=True,
    metavar="NAME",
    help="What the DNS says it is called; '<unknown>' for nothing.",
)
@click.option(
    "--fcrdns",
    type=click.Choice(["pass", "fail", "error"]),
    help="Whether that name leads back to it; by default it does if there is one.",
)
@click.option(
    "--helo",
    type=WORD,
    default=_text(_USUAL.helo),
    show_default=True,
    metavar="NAME",
    help="What the client calls itself.",
)
@click.option("--auth", "username", type=WORD, metavar="USER", help="Log in over TLS.")
@conf
@click.option(
    "--smtpd-version",
    "version",
    type=VERSION,
    default=usual_model,
    show_default=USUAL_VERSION,
    metavar="VERSION",
    help="Talk as this version does.",
)
@timeout_option(60.0, "Wait so long for an answer. smtpd waits for ever.")
@click.pass_context
def command(
    ctx: click.Context,
    filter_line: str,
    sender: bytes,
    recipients: tuple[bytes, ...],
    client: bytes,
    rdns: bytes,
    fcrdns: str | None,
    helo: bytes,
    username: bytes | None,
    conf: str | None,
    version: str,
    timeout: float,
) -> None:
    """Run a filter on the message on standard input as smtpd would, and print what comes out.

    FILTER is the name of a filter in smtpd.conf, a line of it, as 'filter sign proc-exec
    "filter-dkimsign -d example.com -s mail -k /etc/mail/dkim/private.key" user _dkimsign', or the
    command alone.

    The filter is run as the user of the line if you are root, and without your environment. What
    it decides, logs and takes is said on standard error; a message that it refuses is not printed.
    """
    check_addresses(version, sender, recipients)
    fcrdns = fcrdns or fcrdns_of(rdns)
    arguments = ClientArguments(client, rdns, fcrdns, helo, username, sender, recipients)
    try:
        line = _entry(filter_line, conf)
        status = run(line, arguments, _read(), version, timeout)
    except BrokenPipeError:  # the reader has enough: what is left goes nowhere
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = STOPPED
    except (ConfigError, OSError) as error:  # 1 would say that the message was refused
        reason = error.strerror if isinstance(error, OSError) else error
        with suppress(OSError):  # of a standard error that is full
            fail(str(reason))
        status = STOPPED
    ctx.exit(status)
