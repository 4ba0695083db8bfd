"""The options of filter-auth that say whom to judge, and what follows from it."""

import argparse

from opensmtpd.errors import ConfigError
from opensmtpd.mail import psl
from opensmtpd.mail.inbound.policies import POLICIES, domain, policies
from opensmtpd.mail.inbound.rules import InboundRules
from opensmtpd.mail.policy.exemptions import Exemptions
from opensmtpd.options import typed

ACTIONS = {"accept": "none", "junk": "quarantine", "reject": "reject"}
"""The words of options for what is done with a message, and those of DMARC for the same."""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options to a filter's parser; ``rules`` and ``files`` read them."""
    add = parser.add_argument_group("what follows from the results (default: nothing)").add_argument
    # fmt: off
    add("--enforce", action="store_true", help="do what DMARC policies ask for: refuse messages"
        " (p=reject), or mark them X-Spam: Yes, which maildir junk files (p=quarantine)")
    add("--policy", action="append", default=[], metavar="FILE", help="our own policies, lines"
        f" 'example.com reject', or '*.example.com reject' for subdomains: {', '.join(POLICIES)}")
    add("--spf-reject", action="store_true", help="refuse MAIL FROM where SPF says fail, for its"
        " domain or for that of HELO: also breaks mail that others forward")
    add("--protect-own", action="append", type=typed(domain), default=[], metavar="DOMAIN",
        help="refuse mail whose author is in this domain, or below it, unless its client has"
        " authenticated, or SPF or DKIM pass for the domain")
    for name, what in (
        ("--several-from", "whose From field names authors in several domains, or is there twice"),
        ("--no-from", "without an author in its From field"),
    ):
        add(name, choices=tuple(ACTIONS),
            help=f"what to do with a message {what} (default accept; with --enforce, reject)")
    add("--header", action="store_true", help="add the reason to a message that is not as it should"
        " be, in a field X-Spam-Reason; those that are junk always have one")
    add = parser.add_argument_group("whom to spare").add_argument
    add("--exempt", action="append", default=[], metavar="FILE", help="do not judge these clients:"
        " a network or a domain (of a client whose name is confirmed) a line; clients on this"
        " machine, and those that have authenticated, never are")
    add("--spare-authenticated", action="store_true", help="accepted as in filter-rdns: those who"
        " have authenticated are always spared")
    add("--forwarder", action="append", default=[], metavar="FILE", help="judge these clients,"
        " written as for --exempt, but do nothing: they forward mail of others")
    add("--trust-sealer", action="append", type=typed(domain), default=[], metavar="DOMAIN",
        help="do nothing where the newest ARC seal is of this domain, and the chain passes")
    add("--psl", action="store_true", help="find organizational domains by the list of public"
        " suffixes of publicsuffixlist, as before RFC 9989")
    add("--weak", action="store_true", help="accept RSA keys of 512 to 1,023 bits, too")
    # fmt: on


def files(options: argparse.Namespace) -> tuple[str, ...]:
    """Return the files that ``rules`` and ``exempt`` read."""
    return (*options.exempt, *options.forwarder, *options.policy)


def exempt(options: argparse.Namespace) -> Exemptions:
    """Return the clients that are not judged. Raises ConfigError."""
    return Exemptions(options.exempt)


def rules(options: argparse.Namespace) -> InboundRules:
    """Return the rules. Raises ConfigError for a file that cannot be used."""
    # DMARC judges no author that it does not know: such mail would get past its policies.
    unclear = "reject" if options.enforce else "accept"
    return InboundRules(
        enforce=options.enforce,
        policies=policies(options.policy),
        protected=frozenset(options.protect_own),
        several_authors=ACTIONS[options.several_from or unclear],
        no_author=ACTIONS[options.no_from or unclear],
        sealers=frozenset(options.trust_sealer),
        forwarders=Exemptions(options.forwarder),
        weak=options.weak,
        suffix=psl.load() if options.psl else None,
    )


def deadline(options: argparse.Namespace) -> float:
    """Return the seconds that the DNS has twice: for SPF, and for all the rest.

    Raises ConfigError where both are not below those of the whole answer.
    """
    within: float = options.dns_deadline
    if 2 * within >= options.deadline:
        remedy = "SPF and the rest have that time each: give --deadline more than twice of it"
        raise ConfigError("--dns-deadline is not below half of --deadline", remedy=remedy)
    return within
