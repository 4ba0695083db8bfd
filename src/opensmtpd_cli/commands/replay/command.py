"""``opensmtpd-plugins replay``: play a capture to a filter or a table, and compare."""

import os
import shlex

import click

from opensmtpd.capture.comparison import Difference
from opensmtpd.capture.format import CaptureKind
from opensmtpd.capture.play import Play, skipped
from opensmtpd.capture.reader import CaptureReader
from opensmtpd.errors import ConfigError
from opensmtpd_cli import terminal
from opensmtpd_cli.commands.replay.player import Player
from opensmtpd_cli.options import timeout_option
from opensmtpd_cli.output import complain, fail, note, quiet
from opensmtpd_cli.plugin import filter_program, table_program
from opensmtpd_cli.plugin.start import Account, Program
from opensmtpd_cli.plugin.talk import Talk
from opensmtpd_cli.smtpdconf import filter_line, table_line
from opensmtpd_cli.system.users import smtpd_user

EQUAL, DIFFERENT, UNKNOWN = 0, 1, 3
_LINE_MAX = 2000
"""Bytes of a line that are shown."""


@click.command("replay")
@click.argument("capture", type=click.Path())
@click.argument("line", nargs=-1, required=True)
@click.option(
    "--in-time",
    is_flag=True,
    help="Keep the time between the lines as it was; otherwise each is sent when the answers"
    " before it have come.",
)
@timeout_option(10.0, "Wait so long for an answer that was recorded.")
@click.pass_context
def command(
    ctx: click.Context, capture: str, line: tuple[str, ...], in_time: bool, timeout: float
) -> None:
    """Play a capture to a program, and compare its answers.

    LINE is a filter's line of smtpd.conf, or its command; for a table, its line of smtpd.conf, or
    TYPE:/PATH. Write -- in front of it. It is run as smtpd would, and the first answer that is
    another one is shown.

    Answers to different requests may come in another order. Requests from which something was
    taken out, a password say, are not sent.

    Exit status: 0 all answers are equal, 1 there is a difference, 2 usage, 3 it could not be found
    out: the program does not run, or there is no capture, or a damaged one.
    """
    try:
        reader = CaptureReader(capture)
        kind = reader.header.kind
        program = _filter(line) if kind is CaptureKind.FILTER else _table(line)
        skip = skipped(kind, reader)
    except ConfigError as error:  # 1 would be a difference
        fail(str(error), ctx)
        ctx.exit(UNKNOWN)
    play = Play(kind, reader, skip, reader.first)
    fault = _played(program, play, in_time, timeout)
    difference = play.comparison.difference
    if difference:
        terminal.say(f"different, after {play.comparison.equal:,} equal answers", fg="red")
        _tell(difference)
        ctx.exit(DIFFERENT)
    fault = fault or reader.damage
    if not fault and not play.comparison.equal:
        fault = "there is no answer to compare"
    summary = f"{play.comparison.equal:,} answers to {play.sent:,} requests"
    if skip.requests or skip.reports:
        note(f"not sent, because something was taken out: {len(skip.requests):,} requests,"
             f" {skip.reports:,} reports")  # fmt: skip
    if play.lost:
        note(f"{play.lost:,} bytes were not recorded; sessions around them are left out")
    if fault:
        complain(f"{fault}; up to there, {summary} are equal")
        ctx.exit(UNKNOWN)
    if not quiet():
        terminal.say(f"equal: {summary}", fg="green")


def _played(program: Program, play: Play, in_time: bool, timeout: float) -> str:
    """Play; return what went wrong, "" for nothing."""
    try:
        with Talk(program, timeout=timeout, log=_log) as talk:
            try:
                Player(talk, play, in_time=in_time, timeout=timeout).run()
            except EOFError:
                return f"the program ended: status {talk.end()}"
            except TimeoutError:
                return "the program does not read, or does not end its registration"
    except OSError as error:
        return f"{program.path}: {error.strerror}"
    return ""


def _filter(words: tuple[str, ...]) -> Program:
    """Return the filter to start. Raises ConfigError."""
    text = words[0] if len(words) == 1 else shlex.join(words)
    line = filter_line.parse(text)
    recorder, _, command = line.command.partition(" -- ")
    if recorder.split()[0].rpartition("/")[2] == "filter-record":  # it would begin a new capture
        line = line._replace(command=command.strip())
    return filter_program.program(line, filter_program.find(line))


def _table(words: tuple[str, ...]) -> Program:
    """Return the table to start. Raises ConfigError."""
    line = table_line.parse(" ".join(words))
    if line.kind == "record":
        raise ConfigError("this is the recorder", remedy="give the table that it records")
    path = table_program.find(line)
    user = smtpd_user()
    account = None
    if user:
        groups = os.getgrouplist(user.pw_name, user.pw_gid)
        account = Account(user.pw_uid, user.pw_gid, groups)
    if line.path is None:
        raise ConfigError("a table has a path", remedy="write it as TYPE:/PATH")
    return Program(path, [line.name, line.path], account)


def _tell(difference: Difference) -> None:
    for name, line in (("recorded:", difference.recorded), ("now:", difference.given)):
        shown = "nothing" if line is None else terminal.shown(line[:_LINE_MAX])
        terminal.say(f"{name:9} {shown}")


def _log(line: bytes) -> None:
    if not quiet():
        terminal.say(f"! {terminal.shown(line)}", err=True)
