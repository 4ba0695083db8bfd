"""The programs of filters: there, fit to run, and content with what they are given."""

import os
import pwd
import shlex
from collections.abc import Iterator
from itertools import pairwise

from opensmtpd.errors import ConfigError
from opensmtpd.mail.dkim.keys import key_table
from opensmtpd_cli.commands.check import finding
from opensmtpd_cli.commands.check.finding import Finding
from opensmtpd_cli.commands.check.programs import (
    files,
    findings,
    presence,
    program_line,
    secrets,
    trial,
    who,
)
from opensmtpd_cli.commands.check.programs.files import FileReader
from opensmtpd_cli.commands.check.programs.program_line import FilterRun
from opensmtpd_cli.commands.check.programs.secrets import Secret
from opensmtpd_cli.commands.check.server import Server
from opensmtpd_cli.plugin import filter_program, models
from opensmtpd_cli.plugin.filter_program import SHELL
from opensmtpd_cli.plugin.start import Account, Program, log_socket
from opensmtpd_cli.smtpdconf import command_words, recorded
from opensmtpd_cli.system import libexec

_KEY_TABLE = ("-f", "--key-table")
_READ = (
    *(*_KEY_TABLE, "-k", "--key", "-D", "--domain-file", "--policy", "--exempt", "--forwarder"),
    *("-wl-ip", "--wl-ip", "-wl-domain", "--wl-domain", "-allowlist", "--allowlist"),
    *("--whitelist-clients", "--whitelist-recipients"),
)
"""Options of our filters with a file that must be there."""
_RULED = ("filter-headers", "filter-limit")
"""Our filters that are given a file of rules without an option."""
_SIGNS = "They can sign mail in the name of its domain."


def filter_programs(server: Server) -> Iterator[Finding]:
    """Yield what is wrong with the programs of filters."""
    for run in program_line.filters(server.configuration):
        yield from _faults(server, run)


def _faults(server: Server, run: FilterRun) -> Iterator[Finding]:
    chroot = who.chroot(run.entry)
    words = command_words.words(run.entry.command)
    path = program_line.place(words[0], chroot, recorded=run.recorded) if words else None
    found = [] if run.recorded else list(who.faults(run))
    if words and path is None:
        found.append(presence.missing("filter", run.place, run.title, words[0]))
    elif path and not presence.runs(chroot + path):
        found.append(presence.not_executable("filter", run.place, run.title, chroot + path))
    yield from found
    account = who.account(run.entry)
    if found or account is None:
        return
    if not server.root:
        yield presence.NOT_ROOT
        return
    ours = path is not None and trial.is_ours(chroot + path)
    reader = FileReader(run.place, run.title, account, chroot, _usual_user(run, words, ours), ours)
    own = recorded.recorder_words(words)
    table = next(program_line.values(own, _KEY_TABLE), "") if ours else ""
    keys = _keys(chroot, [*program_line.arguments(own[1:]), *_named(table, chroot)])
    paths = [path] if path else []
    closed = list(files.unreadable(reader, [*paths, *program_line.arguments(own[1:]), *keys]))
    yield from closed
    if closed:  # it may be the wrong user, and what it cannot read it would die of
        return
    yield from secrets.exposed(_secrets(run, account, chroot, keys, table))
    if ours and not server.start:  # else it says so itself, and what was meant
        yield from _not_there(run, own, chroot)
    if server.start:
        yield from _tried(server, run, account, path, words if ours else [])


def _usual_user(run: FilterRun, words: list[str], ours: bool) -> str:
    """Return the user that the package of a filter makes, where its line names none."""
    name = "_" + os.path.basename(words[0]).removeprefix("filter-") if ours else ""
    if not name or run.entry.user:
        return ""
    try:
        return pwd.getpwnam(name).pw_name
    except (KeyError, ValueError):
        return ""


def _not_there(run: FilterRun, words: list[str], chroot: str) -> Iterator[Finding]:
    """Yield the files that are not there, though one of ours ends without them."""
    paths = list(program_line.values(words, _READ))
    if words and os.path.basename(words[0]) in _RULED:
        paths += [
            word for before, word in pairwise(words) if word.startswith("/") and before != "--state"
        ]
    for path in paths:
        if not os.path.exists(chroot + path):
            fault = f"{run.title}: there is no file {path}"
            yield finding.error("file-missing", run.place, fault, who.STOPS, "correct the path")


def _named(table: str, chroot: str) -> list[str]:
    """Return the keys that a key table names; what is wrong with it the filter itself says."""
    if not table:
        return []
    try:
        text = key_table.read(chroot + table)
        found = [each.file for each in key_table.entries(text, chroot + table)]
    except ConfigError:
        return []
    return [path.removeprefix(chroot) for path in found]  # of those that are named from its folder


def _keys(chroot: str, paths: list[str]) -> list[str]:
    """Return those of the paths where a private key is."""
    return [path for path in dict.fromkeys(paths) if secrets.is_private_key(chroot + path)]


def _secrets(
    run: FilterRun, account: Account, chroot: str, keys: list[str], table: str
) -> Iterator[Secret]:
    whose = ((account.user,), (account.group,))
    for path in keys:
        yield Secret(run.place, "the private key", chroot + path, *whose, _SIGNS, _SIGNS)
    if table:
        yield Secret(
            run.place, "the key table", chroot + table, *whose, "", "They can have it use theirs."
        )


def _tried(
    server: Server, run: FilterRun, account: Account, path: str | None, words: list[str]
) -> Iterator[Finding]:
    """Start a program, one of ours with its words, and yield what comes of it."""
    command = run.entry.command
    if not command.startswith("/"):
        command = f"{os.path.dirname(path) if path else libexec.folders()[0]}/{command}"
    if len(os.fsencode(f"exec {command}")) > filter_program.COMMAND_MAX:
        fault = f"{run.title}: the command is too long for smtpd ({filter_program.COMMAND_MAX})"
        yield finding.error("filter-command-long", run.place, fault, who.STOPS, "shorten it")
        return
    if words:  # behind "--", -n would be no option of it
        command = shlex.join([path or "", "-n", *words[1:]])
    chroot = who.chroot(run.entry)
    argv = [SHELL, "-c", f"exec {command}"]
    program = Program(SHELL, argv, account, chroot or None, log_socket)
    if words:
        tried = trial.checked(program, server.timeout)
    else:
        tried = trial.filter_starts(program, models.around(server.version), server.timeout)
    if tried.hangs:
        yield findings.of_hang("filter", run.place, run.title, tried)
    elif words:
        name = os.path.basename(path or "")
        yield from findings.of_check("filter", run.place, run.title, name, tried)
    elif tried.fault:
        yield findings.of_end("filter", run.place, run.title, tried)
