"""The part that the programs of filters and tables share, from command line to exit status."""

import argparse
import gc
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import NoReturn, Protocol, TypeVar

from opensmtpd import answer, files, log
from opensmtpd._counters import process
from opensmtpd._protocol.failures import place
from opensmtpd._runtime import sandbox, signals
from opensmtpd._runtime.lifecycle import LifeCycle
from opensmtpd._runtime.loop import Loop
from opensmtpd.errors import LocalError, SmtpdGone, VersionError
from opensmtpd.needs import Needs, no_sandbox, sandboxed

T = TypeVar("T")


class Plugin(Protocol):
    """The part of a filter or a table that says what it needs."""

    needs: Needs | None


def run(
    make: Callable[[argparse.Namespace], T],
    parser: argparse.ArgumentParser,
    argv: list[str] | None,
    serve: Callable[[T, argparse.Namespace, int, int], None],
) -> NoReturn:
    """Read the options, make the plugin, serve smtpd on two descriptors, exit.

    ``make`` makes the plugin of the options; ``serve`` serves it on two descriptors, smtpd's
    output and its input. When smtpd is gone the process ends at once: threads and coroutines that
    still run are not waited for.

    Exit status: 0 when smtpd closed the connection or ``-n`` found nothing wrong, 1 for
    configuration that cannot be used, 2 for a wrong command line.
    """
    # A SIGHUP that comes before we listen for it must not end us, and the mail server with us.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    options = parser.parse_args(argv)
    if not options.check:
        signals.outlive(0)
    if getattr(options, "no_sandbox", False):
        no_sandbox()
    stdin, stdout = (0, 1) if options.check else _put_away()
    try:
        plugin = _made(make, options)
        if options.check:
            print(f"{parser.prog}: configuration OK{_readers(make, parser, options, argv)}")
            sys.exit(0)
        log.limit(time.monotonic)
        process.begin(parser.prog)
        serve(plugin, options, stdin, stdout)
        process.write()
    except (LocalError, VersionError) as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        log.to_syslog(str(error))
        sys.exit(1)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _made(make: Callable[[argparse.Namespace], T], options: argparse.Namespace) -> T:
    """Return the plugin. Raises LocalError, whatever ``make`` raises, but not with ``--debug``.

    A traceback would fill smtpd's log. The text of an exception is left out where it may quote a
    file or a password.
    """
    try:
        return make(options)
    except (LocalError, VersionError):
        raise
    except Exception as error:
        if getattr(options, "debug", False):
            raise
        reason = f": {error}" if isinstance(error, OSError | ImportError) else ""
        fault = f"{type(error).__name__} at {place(error)}{reason}"
        raise LocalError(f"{fault}; --debug shows the traceback") from None


def _readers(
    make: Callable[[argparse.Namespace], T],
    parser: argparse.ArgumentParser,
    options: argparse.Namespace,
    argv: list[str] | None,
) -> str:
    """Return as whom root's ``-n`` has read all, the users of smtpd.conf included; "" for others.

    Raises ConfigError where one of those users cannot use the configuration.
    """
    if os.geteuid() != 0:
        return ""
    from opensmtpd._runtime.smtpd_user import check_as_users  # noqa: PLC0415  for this only

    given = sys.argv[1:] if argv is None else argv
    users = check_as_users(parser.prog, given, lambda: _made(make, options))
    return f", read as {' and '.join(['root', *users])}"


def serve(loop: Loop, life: LifeCycle) -> None:
    """Run a loop until smtpd is gone, on asyncio from the first coroutine on.

    A coroutine of a plugin that showed none before it was served is refused where asyncio cannot be
    loaded any more. Raises VersionError.
    """
    try:
        if not life.on_asyncio:
            loop.serve()
        while True:
            try:
                _serve_coroutines(loop, life)
            except MemoryError:  # before the loop was made: it is made again
                continue
    except SmtpdGone:
        return


def _serve_coroutines(loop: Loop, life: LifeCycle) -> None:
    try:
        events = life.event_loop()
        from opensmtpd._runtime.loop_asyncio import serve_async  # noqa: PLC0415  see LifeCycle.prepare
    except Exception as error:  # a package that is gone may raise anything
        loop.refuse_coroutines(error)
        loop.serve()
    else:
        serve_async(loop, events)


def _put_away() -> tuple[int, int]:
    """Take smtpd's descriptors out of reach of ``print`` and of child processes; return them.

    Any other text on standard output is fatal to smtpd ("Invalid filter message type"). It goes to
    the log instead, and no other process reads the lines from smtpd.
    """
    stdin, stdout = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return stdin, stdout


def raise_descriptor_limit() -> None:
    """Ask for descriptors for many spools."""
    import resource  # noqa: PLC0415  tables need none of it

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        limit = min(hard, 65536) if hard != resource.RLIM_INFINITY else 65536
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, limit), hard))


def settle() -> None:
    """Have the garbage collector begin, and never look at what the start has made: it stays."""
    gc.freeze()
    gc.enable()  # see early.start


def confine(plugin: Plugin, own: Needs) -> None:
    """Take from this process what neither the plugin needs nor, with ``own``, the library.

    All that will be needed has been loaded and opened, and no thread has been started.
    """
    if not sandboxed():
        return
    needs = plugin.needs
    if needs is not None:
        needs |= own
        opener = None
        if paths := sandbox.reopened(needs):
            from opensmtpd._runtime.opener import Opener  # noqa: PLC0415  few need one

            try:
                opener = Opener(paths).open
            except OSError as error:
                log.log("opener-missing", reason=error)
        if answer.sources() or opener:  # its workers are given their sockets, and end with it
            needs |= Needs(passes=True)
        files.before_sandbox(opener)
    sandbox.confine(needs)
