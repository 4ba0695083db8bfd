"""Questions of commands to the DNS: a command waits for the replies."""

import argparse
import select
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from opensmtpd import answer
from opensmtpd.answer import Deferred
from opensmtpd.dns import Dns, Lookup, run_lookup
from opensmtpd.dns import options as dns_options
from opensmtpd.dns.servers import ServerAddress, server
from opensmtpd.errors import ConfigError
from opensmtpd_cli.options import Seconds

T = TypeVar("T")
Command = TypeVar("Command", bound=Callable[..., Any])

DEADLINE = 20.0
"""Seconds for the questions of a lookup, if not given."""


def _servers(_ctx: object, _param: object, texts: tuple[str, ...]) -> list[ServerAddress]:
    try:
        return [server(text) for text in texts]
    except ConfigError as error:
        raise click.BadParameter(str(error)) from None


nameserver = click.option(
    "--nameserver",
    "servers",
    multiple=True,
    metavar="ADDRESS[:PORT]",
    callback=_servers,
    help="Ask this name server, and others given so, instead of those in resolv.conf.",
)
"""The option for name servers: the command gets ``servers``, a list of ServerAddress."""


def deadline(help: str) -> Callable[[Command], Command]:
    """Return the option for the time for the DNS: the command gets ``within``, in seconds."""
    return click.option(
        "--dns-deadline",
        "within",
        type=Seconds(),
        default=DEADLINE,
        show_default=True,
        metavar="SECONDS",
        help=help,
    )


def resolver(servers: Sequence[ServerAddress], within: float) -> Dns:
    """Return the resolver of a command: replies are neither kept nor shared.

    Raises ConfigError where aiodns is missing.
    """
    parser = argparse.ArgumentParser()
    dns_options.add(parser)
    flags = parser.parse_args([])  # all that a filter has, whatever that is by now
    flags.nameserver, flags.dns_deadline = list(servers), within
    return dns_options.resolver(flags)


def result(lookup: Lookup[T], dns: Dns, within: float) -> T:
    """Return the result of a lookup, whose questions have so many seconds in all.

    Raises what the lookup raises.
    """
    found = run_lookup(lookup, dns, within)
    return _end(found) if isinstance(found, Deferred) else found


def _end(deferred: Deferred[T]) -> T:
    ends: list[tuple[T, BaseException | None]] = []
    deferred.on_end(lambda value, error: ends.append((value, error)))
    while not ends:
        _take_next()
    [(value, error)] = ends
    if error is not None:
        raise error
    return value


def _take_next() -> None:
    """Wait for what comes next from the processes that were asked, and take it."""
    sources = answer.sources()
    poll = select.poll()
    for source in sources:
        source.flush()
        poll.register(source.fileno(), select.POLLIN)
    times = [source.next_deadline() for source in sources]
    due = min((each for each in times if each is not None), default=None)
    wait = None if due is None else max(0.0, due - time.monotonic()) * 1000 + 1
    ready = {descriptor for descriptor, _ in poll.poll(wait)}
    for source in sources:
        for settle in source.receive() if source.fileno() in ready else ():
            settle()
        for settle in source.expire(time.monotonic()):
            settle()
