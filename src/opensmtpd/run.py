"""Runs a filter as smtpd's child: what a plugin's ``main()`` calls.

A plain loop serves until the first coroutine turns up, and an asyncio loop from then on, with the
same state.
"""

import argparse
import os
import signal
import sys
from collections.abc import Callable
from typing import NoReturn

from opensmtpd.errors import LocalError, VersionError
from opensmtpd.filter import Filter, registrations
from opensmtpd.filter_protocol import FilterProtocol
from opensmtpd.runner import Runner, SmtpdGone


def serve(filter: Filter, options: argparse.Namespace, stdin: int, stdout: int) -> None:
    """Serve smtpd on two descriptors until it closes them. Raises VersionError, LocalError."""
    protocol = FilterProtocol(filter, deadline=options.deadline, on_failure=options.on_failure)
    runner = Runner(protocol, filter, stdin, stdout)
    try:
        runner.serve()
        from opensmtpd.runner_async import serve_async  # noqa: PLC0415  asyncio: only who needs it

        serve_async(runner)
    except SmtpdGone:
        return


def main(
    make: Callable[[argparse.Namespace], Filter],
    parser: argparse.ArgumentParser,
    argv: list[str] | None = None,
) -> NoReturn:
    """Be the program: read the options, make the filter, serve smtpd, exit.

    When smtpd is gone the process ends at once, whatever threads and coroutines are still at.

    Exit status: 0 when smtpd closed the connection or ``-n`` found nothing wrong, 1 for
    configuration that cannot be used, 2 for a wrong command line.
    """
    # A SIGHUP that comes before we listen for it must not end us, and the mail server with us.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    options = parser.parse_args(argv)
    stdin, stdout = (0, 1) if options.check else _put_away()
    try:
        filter = make(options)
        registrations(filter)  # what it uses is checked at start, too
        if options.check:
            print(f"{parser.prog}: configuration OK")
            sys.exit(0)
        _settle_down()
        serve(filter, options, stdin, stdout)
    except (LocalError, VersionError) as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        sys.exit(1)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _put_away() -> tuple[int, int]:
    """Take smtpd's descriptors out of reach of ``print`` and of child processes; return them.

    Whatever else stands on standard output is fatal to smtpd ("Invalid filter message type"). It
    goes to the log instead, and nobody but us reads what smtpd says.
    """
    stdin, stdout = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return stdin, stdout


def _settle_down() -> None:
    """What a child of smtpd wants: no traceback at ^C, and descriptors for many spools."""
    import resource  # noqa: PLC0415  not for -n

    signal.signal(signal.SIGINT, signal.SIG_DFL)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        limit = min(hard, 65536) if hard != resource.RLIM_INFINITY else 65536
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, limit), hard))
