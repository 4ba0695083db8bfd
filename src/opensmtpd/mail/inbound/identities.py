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
UNREPORTED = SpfResult("none", "", "smtpd does not report a sender of more than 254 bytes")
"""The result of a sender that is not known: it is no bounce."""


def spf_results(client: Client, receiver: str, timestamp: int) -> Lookup[SpfResults]:
    """Return the results for a client that has said HELO and MAIL FROM, both asked at once.

    ``receiver`` is the name of this server, and ``timestamp`` the time in seconds since 1970: an
    SPF record may quote them in its explanation.
    """
    if client.address is None:
        return NOT_ASKED
    identities = [helo := helo_identity(client.helo)]
    if client.sender is not None:
        identities.append(mail_from_identity(client.sender, client.helo))
    found = yield from gather(
        [  # those of a bounce are the same
            _check(client.address, *each, helo[0], receiver, timestamp)
            for each in dict.fromkeys(identities)
        ]
    )
    return SpfResults(found[0], UNREPORTED if client.sender is None else found[-1])


def _check(
    address: IPAddress, domain: str, sender: str, helo: str, receiver: str, timestamp: int
) -> Lookup[SpfResult]:
    return check_host(address, domain, sender, helo, receiver=receiver, timestamp=timestamp)
