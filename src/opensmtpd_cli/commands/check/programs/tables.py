"""The programs of tables: there, fit to run, and content with what they are given.

All of them run as smtpd's own user (``lka`` in ``lka.c``).
"""

import re
from collections.abc import Iterator

from opensmtpd.errors import ConfigError
from opensmtpd.files import reading
from opensmtpd.table import Service
from opensmtpd_cli.commands.check import finding
from opensmtpd_cli.commands.check.finding import Finding
from opensmtpd_cli.commands.check.programs import (
    files,
    findings,
    passfile,
    presence,
    program_line,
    secrets,
    trial,
    who,
)
from opensmtpd_cli.commands.check.programs.files import FileReader
from opensmtpd_cli.commands.check.programs.program_line import TableRun
from opensmtpd_cli.commands.check.programs.secrets import Secret
from opensmtpd_cli.commands.check.server import Server
from opensmtpd_cli.options import NEWEST
from opensmtpd_cli.plugin.start import Account, Program
from opensmtpd_cli.smtpdconf import recorded
from opensmtpd_cli.smtpdconf.configuration import Definition
from opensmtpd_cli.system import table_support

_CONF_MAX = 1 << 20
_DBPATH = re.compile(rb"^[ \t]*dbpath[ \t:]+([^ \t\r\n]+)[ \t\r]*$", re.MULTILINE)
_WITH_ROWS = ("flat", "passwd")
"""Tables whose file has the rows."""
_GUESS = "They can guess the passwords, or read them where they are no hashes."
_ENTER = "They can make a password for any user."
_SERVER = "They can do with the data of that server what smtpd can."


def table_programs(server: Server) -> Iterator[Finding]:
    """Yield what is wrong with the programs of tables."""
    for run in program_line.tables(server.configuration):
        yield from _faults(server, run)


def passwords(server: Server) -> Iterator[Finding]:
    """Yield the tables with passwords that everybody on this machine can read or write."""
    for each in server.configuration.tables.values():
        uses = server.configuration.uses.get(each.name, [])
        asked = {service for use in uses if use.words[:6] != "filter" for service in use.services}
        place = (each.path, each.line)
        path = _rows_in(each) if Service.CREDENTIALS in asked else ""
        if path:
            what = f"the passwords of table {each.name} in"
            yield from secrets.exposed([Secret(place, what, path, (), (), _GUESS, _ENTER, True)])
        for line in recorded.tables(each):
            what = f"the password for the server of table {each.name} in"
            for path in _with_password(line.path or ""):
                yield from secrets.exposed([Secret(place, what, path, (), (), _SERVER, "", True)])


def _with_password(conf: str) -> list[str]:
    """Return the files with the password of a server, of which the configuration may be one."""
    return [*([conf] if secrets.has_password(conf) else []), *secrets.password_files(conf)]


def _rows_in(table: Definition) -> str:
    """Return the file that the rows of a table stand in; "" where that is not known."""
    if table.target is None:
        return table.path
    if table.file is not None:
        return table.file
    for line in recorded.tables(table):
        if line.path and line.kind in _WITH_ROWS:
            return line.path
        if line.path and line.kind == "sqlite":
            return _database(line.path)
    return ""


def _database(conf: str) -> str:
    """Return the database that a configuration of table-sqlite names; "" where it cannot be read.

    Of several lines the last one counts.
    """
    try:
        with reading(conf) as file:
            found = _DBPATH.findall(file.read(_CONF_MAX))
    except ConfigError:
        return ""
    return str(found[-1], "utf-8", "surrogateescape") if found else ""


def _faults(server: Server, run: TableRun) -> Iterator[Finding]:
    name = f"table-{run.line.kind}"
    path = program_line.place(name, "", recorded=run.recorded)
    if path is None:
        yield presence.missing("table", run.place, run.title, name)
        return
    if not presence.runs(path):
        yield presence.not_executable("table", run.place, run.title, path)
        return
    ours = trial.is_ours(path)
    old = table_support.lacking(server.version) if server.version else ""
    if old and ours:
        fault, remedy = f"{run.title}: {old}", table_support.REMEDY
        yield finding.error("table-smtpd-old", run.place, fault, remedy=remedy)
    elif not server.root:
        yield presence.NOT_ROOT
    elif (account := who.table_account()) is None:
        yield finding.unseen("table-user", run.place, f"{run.title}: smtpd's user is not known")
    else:
        reader = FileReader(run.place, run.title, account, fatal=ours)
        closed = list(files.unreadable(reader, [path, *_files(run)]))
        yield from closed
        if run.line.kind == "postgres":
            conf = run.line.path or ""
            yield from passfile.ignored(run.place, run.title, conf, account)
        if server.start and not closed:
            yield from _tried(server, run, account, path, old)


def _files(run: TableRun) -> list[str]:
    """Return the files that a table reads."""
    conf = run.line.path or ""
    database = _database(conf) if run.line.kind == "sqlite" else ""
    return [path for path in (conf, database) if path.startswith("/")]


def _tried(
    server: Server, run: TableRun, account: Account, path: str, old: str
) -> Iterator[Finding]:
    if old:
        fault = f"{run.title} was not started: smtpd before 7.6 talks to tables in another way"
        yield finding.unseen("table-not-started", run.place, fault)
        return
    ours = trial.is_ours(path)
    name, conf = run.line.name, run.line.path
    argv = [name, *(["-n"] if ours else []), *([conf] if conf else [])]
    program = Program(path, argv, account)
    if ours:
        tried = trial.checked(program, server.timeout)
    else:
        version = ".".join(map(str, server.version)) or NEWEST
        tried = trial.table_starts(program, name, version, server.timeout)
    if tried.hangs:
        yield findings.of_hang("table", run.place, run.title, tried)
    elif ours:
        program_name = f"table-{run.line.kind}"
        yield from findings.of_check("table", run.place, run.title, program_name, tried)
    elif tried.fault:
        yield findings.of_end("table", run.place, run.title, tried)
