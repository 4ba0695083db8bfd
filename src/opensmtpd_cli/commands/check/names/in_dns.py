"""All that the DNS is asked about the server, at once.

A name server that does not answer costs its time once so, and not for each question.
"""

from collections.abc import Callable, Iterator

from opensmtpd.dns import Lookup, gather
from opensmtpd.errors import ConfigError
from opensmtpd_cli.commands.check import finding
from opensmtpd_cli.commands.check.finding import Finding
from opensmtpd_cli.commands.check.names import addresses, exchangers, keys, senders
from opensmtpd_cli.commands.check.server import Server

LOOKUPS: tuple[Callable[[Server], Lookup[list[Finding]]], ...] = (
    keys.published,
    keys.left_over,
    addresses.names_of_addresses,
    addresses.helo_name,
    exchangers.mail_exchangers,
    exchangers.receiving_policies,
    senders.sender_policies,
)


def names_in_the_dns(server: Server) -> Iterator[Finding]:
    """Yield what is wrong in the DNS, unless it is not to be asked."""
    if server.dns is not None:
        for found in server.dns(gather([_guarded(each, server) for each in LOOKUPS])):
            yield from found


def _guarded(
    lookup: Callable[[Server], Lookup[list[Finding]]], server: Server
) -> Lookup[list[Finding]]:
    """Look, where one file that cannot be read keeps nothing else from being looked at."""
    try:
        return (yield from lookup(server))
    except (ConfigError, OSError) as error:
        place = finding.NOWHERE
        if isinstance(error, ConfigError) and error.path:
            place = error.path, error.line or 0
        what = lookup.__name__.replace("_", " ")
        return [finding.unseen("not-looked", place, f"{what}: {error}")]
