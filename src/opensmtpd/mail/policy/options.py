"""The options that all policy filters have."""

import argparse
from typing import NamedTuple

from opensmtpd.dns import options as dns_options
from opensmtpd.mail.policy.action import ACTIONS, OFF, Action, Response, response
from opensmtpd.options import typed


class Rules(NamedTuple):
    """The values of the options."""

    exempt: tuple[str, ...] = ()
    """The paths of files with networks and domains that are exempt."""
    spare_authenticated: bool = False
    """True to decide at MAIL FROM, and to exempt clients that have authenticated by then."""
    header: bool = False
    """True to add the reasons to messages, in ``X-Spam-Reason``."""
    dns_failure: Response = OFF
    """The response where the DNS did not tell."""
    deadline: float = 5.0
    """Seconds for all questions of a decision."""


ACTION_HELP = f"ACTION is one of {', '.join(ACTIONS)}"


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options to a filter's parser; ``rules`` reads them, and ``dns_deadline`` of
    ``opensmtpd.dns.options``.
    """
    group = parser.add_argument_group("whom to spare, and what else to do").add_argument
    # fmt: off
    group("--exempt", action="append", default=[], metavar="FILE",
        help="spare these clients: a network or a domain (of a client whose name is confirmed) a"
        " line; clients on this machine always are")
    group("--spare-authenticated", action="store_true", help="decide at MAIL FROM, when it is"
        " known who authenticated, and spare them")
    group("--header", action="store_true",
        help="add the reasons to the message, in fields X-Spam-Reason")
    group("--dns-failure", type=typed(response), default=OFF, metavar="ACTION[:TEXT]",
        help="what to do where the DNS does not tell (default off: nobody is to blame)")
    # fmt: on


def rules(options: argparse.Namespace, responses: tuple[Response, ...] = ()) -> Rules:
    """Return the values of the options; ``responses`` are those of the filter's own checks.

    Raises ConfigError if the DNS has as much time as the whole answer.
    """
    header = any(each.action is Action.HEADER for each in (*responses, options.dns_failure))
    return Rules(
        tuple(options.exempt),
        options.spare_authenticated,
        options.header or header,
        options.dns_failure,
        dns_options.deadline(options),
    )
