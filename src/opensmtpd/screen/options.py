"""The options that all screening filters have."""

import argparse
from typing import NamedTuple

from opensmtpd.errors import ConfigError
from opensmtpd.options import typed
from opensmtpd.screen.response import ACTIONS, OFF, Action, Response, response


class Rules(NamedTuple):
    """What the options say."""

    exempt: tuple[str, ...] = ()
    """Files of networks and domains that are spared."""
    spare_authenticated: bool = False
    """Does everything wait until it is known who authenticated?"""
    header: bool = False
    """Do messages say why, in ``X-Spam-Reason``?"""
    dns_failure: Response = OFF
    """What is done where the DNS did not tell."""
    deadline: float = 5.0
    """Seconds for all the questions of a decision."""


ACTION_HELP = f"ACTION is one of {', '.join(ACTIONS)}"


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options to a filter's parser; ``rules`` reads them. ``opensmtpd.dns.options`` has
    ``dns_deadline``.
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
    """Return what the options say; ``responses`` are those of the filter's own checks.

    Raises ConfigError for a deadline of the DNS that is none.
    """
    if options.dns_deadline >= options.deadline:
        remedy = "the time for the DNS is part of the time for an answer: make it shorter"
        raise ConfigError("--dns-deadline is not below --deadline", remedy=remedy)
    header = any(each.action is Action.HEADER for each in (*responses, options.dns_failure))
    return Rules(
        tuple(options.exempt),
        options.spare_authenticated,
        options.header or header,
        options.dns_failure,
        options.dns_deadline,
    )
