"""Run a filter or a table as smtpd's child: a plugin's ``main()`` calls ``filter`` or ``table``.

A plain loop serves until the first coroutine turns up, and an asyncio loop from then on, with the
same state. A table has the plainest loop of all until an answer has to wait for a coroutine or a
thread. All that they may need is loaded, opened and made before smtpd is answered ``ready``; then
the process keeps only what it needs.
"""

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn

from opensmtpd import _methods, log
from opensmtpd._runtime import memory, program
from opensmtpd.needs import Needs

__all__ = ["filter", "table"]

# A filter needs nothing of the table protocol, and a table nothing of the filter protocol: each
# loads its own side only, before it serves.
if TYPE_CHECKING:
    from opensmtpd.filter import Filter
    from opensmtpd.table import Table


def filter(
    make: Callable[[argparse.Namespace], "Filter"],
    parser: argparse.ArgumentParser,
    argv: list[str] | None = None,
) -> NoReturn:
    """Run the filter that ``make`` returns, as smtpd's child, and exit.

    ``parser`` is made by ``options.filter_parser``; ``make`` is given its namespace and may raise
    ConfigError. ``argv`` are the arguments without the program's name, by default those of the
    process. The exit status is 0 when smtpd closed the connection or ``-n`` found nothing wrong, 1
    for configuration that cannot be used, and 2 for a wrong command line.
    """
    from opensmtpd._protocol.filter import spool  # noqa: PLC0415  see above
    from opensmtpd._protocol.filter.connection import FilterConnection  # noqa: PLC0415
    from opensmtpd._protocol.filter.registration import registrations  # noqa: PLC0415
    from opensmtpd._runtime.lifecycle import LifeCycle  # noqa: PLC0415
    from opensmtpd._runtime.loop import Loop  # noqa: PLC0415
    from opensmtpd._runtime.watchdog import Watchdog  # noqa: PLC0415
    from opensmtpd.filter import EditedMessage, Filter, HeldMessage, StreamedMessage  # noqa: PLC0415

    def checked(options: argparse.Namespace) -> Filter:
        filter = make(options)
        registrations(filter)  # a wrong name in ``uses`` is found by ``-n``, too
        return filter

    def serve(filter: Filter, options: argparse.Namespace, stdin: int, stdout: int) -> None:
        program.raise_descriptor_limit()
        memory.keep_freed()
        connection = FilterConnection(
            filter,
            deadline=options.deadline,
            on_failure=options.on_failure,
            debug=options.debug,
            budget=spool.Budget(disk=options.spool_max, message=options.message_max),
        )
        watchdog = Watchdog(connection.dispatcher)
        # Before the start, so that a SIGHUP that comes meanwhile is not lost.
        loop = Loop(connection, stdin, stdout, watchdog, filter.reload)
        life = LifeCycle(filter, connection.dispatcher, watchdog)
        classes = (Filter, HeldMessage, StreamedMessage, EditedMessage)
        life.start(coroutines=any(map(_methods.any_coroutine, classes)))
        program.confine(filter, Needs(writes=(spool.folder(),)))
        loop.threads.open()
        life.open_threads()
        program.settle()
        try:
            program.serve(loop, life)
        finally:
            life.stop()

    program.run(checked, parser, argv, serve)


def table(
    make: Callable[[argparse.Namespace], "Table"],
    parser: argparse.ArgumentParser,
    argv: list[str] | None = None,
) -> NoReturn:
    """Run the table that ``make`` returns, as smtpd's child, and exit.

    ``parser`` is made by ``options.table_parser``; the rest is as for ``filter``. Log lines go to
    syslog, too: a table inherits smtpd's own standard error, which leads nowhere when smtpd is a
    daemon.
    """
    from opensmtpd._protocol.table.connection import TableConnection  # noqa: PLC0415  see above
    from opensmtpd._protocol.table.registration import (  # noqa: PLC0415
        check_methods,
        check_services,
        overrides,
    )
    from opensmtpd._runtime.lifecycle import LifeCycle  # noqa: PLC0415
    from opensmtpd._runtime.loop import Loop  # noqa: PLC0415
    from opensmtpd._runtime.loop_blocking import serve_blocking  # noqa: PLC0415
    from opensmtpd._runtime.watchdog import Watchdog  # noqa: PLC0415
    from opensmtpd.errors import SmtpdGone  # noqa: PLC0415
    from opensmtpd.table import Service, Table  # noqa: PLC0415

    def checked(options: argparse.Namespace) -> Table:
        table = make(options)
        check_services(table)  # mistakes are found by ``-n``, too
        check_methods(table)
        return table

    def serve(table: Table, options: argparse.Namespace, stdin: int, stdout: int) -> None:
        if Service.AUTH in table.services and not overrides(table, "authenticate"):
            from opensmtpd.table.passwords.checks import checks  # noqa: PLC0415  few tables need it

            checks()
        connection = TableConnection(table, debug=options.debug)
        watchdog = Watchdog(connection.dispatcher)
        loop = Loop(connection, stdin, stdout, watchdog)
        life = LifeCycle(table, connection.dispatcher, watchdog)
        life.start(coroutines=_methods.any_coroutine(Table))
        program.confine(table, Needs())
        loop.threads.open()
        life.open_threads()
        program.settle()
        try:
            if not life.on_asyncio:
                serve_blocking(connection, stdin, stdout, watchdog)
            program.serve(loop, life)
        except SmtpdGone:
            return
        finally:
            life.stop()

    log.use_syslog(parser.prog)
    program.run(checked, parser, argv, serve)
