"""The results of all mechanisms for one message, as plain data."""

from typing import NamedTuple

from opensmtpd.mail.arc.verify import ArcResult
from opensmtpd.mail.client import Client
from opensmtpd.mail.dkim.verify.verifier import DkimResult
from opensmtpd.mail.dmarc.author import Authors
from opensmtpd.mail.dmarc.policy import DmarcResult
from opensmtpd.mail.inbound.identities import SpfResults


class Iprev(NamedTuple):
    """The result of comparing a client's address and name (RFC 8601 section 2.7.3)."""

    result: str
    """``"pass"``, ``"fail"``, ``"permerror"`` for a client without a name, else ``"temperror"``."""
    address: str


def iprev(client: Client) -> Iprev:
    """Return what smtpd found out about a client's name."""
    address = str(client.address or "")
    if client.fcrdns == "pass":
        return Iprev("pass", address)
    if client.fcrdns == "fail":
        return Iprev("permerror" if client.rdns is None else "fail", address)
    return Iprev("temperror", address)


class Findings(NamedTuple):
    """The results for one message."""

    client: Client
    authors: Authors
    iprev: Iprev
    spf: SpfResults
    dkim: tuple[DkimResult, ...]
    """A result for each signature, in the order of the header."""
    arc: ArcResult
    dmarc: DmarcResult
