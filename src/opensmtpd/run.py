"""Runs a filter as smtpd's child: a filter's ``main()`` calls ``run.main``.

A blocking loop serves until the first coroutine turns up, and an asyncio loop from then on, with
the same state.
"""

import argparse
import resource
from collections.abc import Callable
from typing import NoReturn

from opensmtpd import program
from opensmtpd.filter import Filter, registrations
from opensmtpd.filter_protocol import FilterConnection
from opensmtpd.runner import Loop


def serve(filter: Filter, options: argparse.Namespace, stdin: int, stdout: int) -> None:
    """Serve smtpd on two descriptors until it closes them. Raises VersionError, LocalError."""
    _more_descriptors()
    connection = FilterConnection(filter, deadline=options.deadline, on_failure=options.on_failure)
    loop = Loop(connection, stdin, stdout, filter.reload)
    program.serve(loop)
    loop.guarded(filter.stop, otherwise=None)


def main(
    make: Callable[[argparse.Namespace], Filter],
    parser: argparse.ArgumentParser,
    argv: list[str] | None = None,
) -> NoReturn:
    """Run a filter's program from command line to exit status: see ``opensmtpd.program.run``.

    ``make`` makes the filter of the options. Raises SystemExit.
    """

    def checked(options: argparse.Namespace) -> Filter:
        filter = make(options)
        registrations(filter)  # its ``uses`` is checked at start, too
        return filter

    program.run(checked, parser, argv, serve)


def _more_descriptors() -> None:
    """Ask for descriptors for many spools."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        limit = min(hard, 65536) if hard != resource.RLIM_INFINITY else 65536
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, limit), hard))
