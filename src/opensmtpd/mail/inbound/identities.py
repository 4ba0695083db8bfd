"""SPF of both identities of an envelope: HELO and MAIL FROM (RFC 7208 sections 2.3 and 2.4)."""

from typing import NamedTuple

from opensmtpd.dns import Lookup, gather
from opensmtpd.mail.client import Client, IPAddress
from opensmtpd.mail.spf.check import SpfResult, check_host
from opensmtpd.mail.spf.identity import helo_identity, mail_from_identity


class SpfResults(NamedTuple):
    """The results of one envelope."""

    helo: SpfResult
    sender: SpfResult
    """That of MAIL FROM, which alone counts in DMARC (RFC 9989 section 4.4.2)."""


NOT_ASKED = SpfResults(SpfResult("none", ""), SpfResult("none", ""))
"""The results of a client that has no address."""


def spf_results(client: Client, receiver: str, timestamp: int) -> Lookup[SpfResults]:
    """Return the results for a client that has said HELO and MAIL FROM, both asked at once.

    ``receiver`` is the name of this server, and ``timestamp`` the time in seconds since 1970: an
    SPF record may quote them in its explanation.
    """
    if client.address is None:
        return NOT_ASKED
    helo, sender = helo_identity(client.helo), mail_from_identity(client.sender or b"", client.helo)
    identities = list(dict.fromkeys([helo, sender]))  # of a bounce they are the same
    found = yield from gather(
        [_check(client.address, *each, helo[0], receiver, timestamp) for each in identities]
    )
    return SpfResults(found[0], found[-1])


def _check(
    address: IPAddress, domain: str, sender: str, helo: str, receiver: str, timestamp: int
) -> Lookup[SpfResult]:
    return check_host(address, domain, sender, helo, receiver=receiver, timestamp=timestamp)
