"""Runs a table as smtpd's child: a table's ``main()`` calls ``run_table.main``.

A blocking loop serves until an answer has to wait for a coroutine or a thread; from then on it is
the loop of the filters, with the same state.
"""

import argparse
from collections.abc import Callable
from typing import NoReturn

from opensmtpd import log, program
from opensmtpd.errors import SmtpdGone
from opensmtpd.runner import Loop
from opensmtpd.runner_plain import serve_plain
from opensmtpd.table import Table
from opensmtpd.table_protocol import TableConnection


def serve(table: Table, options: argparse.Namespace, stdin: int, stdout: int) -> None:
    """Serve smtpd on two descriptors until it closes them. Raises VersionError."""
    connection = TableConnection(table)
    try:
        serve_plain(connection, stdin, stdout)
    except SmtpdGone:
        return
    program.serve(Loop(connection, stdin, stdout))


def main(
    make: Callable[[argparse.Namespace], Table],
    parser: argparse.ArgumentParser,
    argv: list[str] | None = None,
) -> NoReturn:
    """Run a table's program from command line to exit status: see ``opensmtpd.program.run``.

    The log goes to syslog, too: a table inherits smtpd's own standard error, which leads nowhere
    when smtpd is a daemon. ``make`` makes the table of the options. Raises SystemExit.
    """
    log.use_syslog(parser.prog)
    program.run(make, parser, argv, serve)
