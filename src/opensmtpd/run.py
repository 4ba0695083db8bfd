"""Runs a filter as smtpd's child: what a filter's ``main()`` calls.

A plain loop serves until the first coroutine turns up, and an asyncio loop from then on, with the
same state.
"""

import argparse
import resource
from collections.abc import Callable
from typing import NoReturn

from opensmtpd import program
from opensmtpd.filter import Filter, registrations
from opensmtpd.filter_protocol import FilterProtocol
from opensmtpd.runner import Runner


def serve(filter: Filter, options: argparse.Namespace, stdin: int, stdout: int) -> None:
    """Serve smtpd on two descriptors until it closes them. Raises VersionError, LocalError."""
    _more_descriptors()
    protocol = FilterProtocol(filter, deadline=options.deadline, on_failure=options.on_failure)
    runner = Runner(protocol, stdin, stdout, filter.reload)
    program.work(runner)
    runner.survive(filter.stop, otherwise=None)


def main(
    make: Callable[[argparse.Namespace], Filter],
    parser: argparse.ArgumentParser,
    argv: list[str] | None = None,
) -> NoReturn:
    """Be the program: see ``opensmtpd.program.be``."""

    def checked(options: argparse.Namespace) -> Filter:
        filter = make(options)
        registrations(filter)  # what it uses is checked at start, too
        return filter

    program.be(checked, parser, argv, serve)


def _more_descriptors() -> None:
    """Ask for descriptors for many spools."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        limit = min(hard, 65536) if hard != resource.RLIM_INFINITY else 65536
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, limit), hard))
