"""The options of filters that ask the DNS."""

import argparse
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from opensmtpd.answer import Deferred
from opensmtpd.dns.question import Dns, Failed, Question, Reply
from opensmtpd.dns.servers import PATIENCE, ServerAddress, server
from opensmtpd.errors import ConfigError
from opensmtpd.options import seconds

if TYPE_CHECKING:
    from opensmtpd.dns.resolver.shared import SharedReplies

__all__ = ["add", "deadline", "resolver"]

SHARED_PREFIX = "opensmtpd-dns:"
"""The beginning of all keys of shared replies, where the URL has no other."""
SHARED_SECONDS = 0.5
"""Seconds until a name server is asked, where the server of shared replies says nothing."""


def add(
    parser: argparse.ArgumentParser,
    deadline: int = 5,
    what: str = "all the questions of a decision",
) -> None:
    """Add the options to a filter's parser; ``resolver`` reads them.

    The namespace also gets ``dns_deadline`` (float, seconds), by default ``deadline``: the time for
    ``what``.
    """
    group = parser.add_argument_group("how to ask the DNS").add_argument
    # fmt: off
    group("--nameserver", action="append", type=_server, default=[], metavar="ADDRESS[:PORT]",
        help="ask this name server, and others given so, instead of those in resolv.conf")
    group("--dns-deadline", type=seconds, default=float(deadline), metavar="SECONDS",
        help=f"time for {what} (default {deadline})")
    group("--dns-cache", metavar="FILE", help="keep answers in this file across restarts")
    group("--dns-cache-url", metavar="URL",
        help="share answers with other machines on this server of Valkey or Redis")
    # fmt: on


def deadline(options: argparse.Namespace) -> float:
    """Return the seconds for all the questions of a decision.

    Raises ConfigError if the DNS has as much time as the whole answer.
    """
    within: float = options.dns_deadline
    if within >= options.deadline:
        remedy = "the time for the DNS is part of the time for an answer: make it shorter"
        raise ConfigError("--dns-deadline is not below --deadline", remedy=remedy)
    return within


def _server(text: str) -> ServerAddress:
    try:
        return server(text)
    except ConfigError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def resolver(options: argparse.Namespace, needed: bool = True) -> Dns:
    """Return the resolver that the options describe; a process needs one.

    It asks through a process of its own. Where none is ``needed``, it ignores the options, starts
    nothing, and fails each question. Raises ConfigError where aiodns is missing, or the options
    cannot be used.
    """
    if not needed:
        return _Unasked()
    from opensmtpd.dns.resolver.resolver import Resolver  # noqa: PLC0415  only for those who ask

    if options.dns_cache:
        _check_folder(options.dns_cache)
    patience = min(PATIENCE, options.dns_deadline / 2)
    return Resolver(options.nameserver, options.dns_cache, patience, _shared(options.dns_cache_url))


def _shared(url: str | None) -> "SharedReplies | None":
    """Return the replies that are shared at ``url``. Raises ConfigError."""
    if url is None:
        return None
    from opensmtpd.backends.state.state import server_state  # noqa: PLC0415  for those who share
    from opensmtpd.dns.resolver.shared import SharedReplies  # noqa: PLC0415

    return SharedReplies(server_state(url, prefix=SHARED_PREFIX, deadline=SHARED_SECONDS))


class _Unasked:
    """The DNS of a filter whose options leave nothing to ask."""

    def known(self, questions: Sequence[Question]) -> list[Reply] | None:
        return [Failed("this filter asks nothing", ours=True) for _ in questions]

    def ask(self, questions: Sequence[Question], until: float) -> Deferred[list[Reply]]:
        raise AssertionError("all replies are known")

    def start(self, questions: Sequence[Question]) -> None:
        pass

    def reread_servers(self) -> None:
        pass

    def save(self) -> None:
        pass


def _check_folder(path: str) -> None:
    folder = os.path.dirname(path) or "."
    if not os.path.isdir(folder) or not os.access(folder, os.W_OK | os.X_OK):
        remedy = "make it a folder that the filter's user may write to"
        raise ConfigError("no folder for the DNS cache", path=folder, remedy=remedy)
