"""Messages that are not judged: those of our own users and programs, and of listed clients."""

from enum import StrEnum

from opensmtpd.mail.client import Client
from opensmtpd.mail.policy.exemptions import Exemptions


class Exemption(StrEnum):
    """Why a message is not judged."""

    AUTHENTICATED = "authenticated"
    """Its client has authenticated: it is a submission."""
    LOCAL = "local"
    """Its client is a program on this machine."""
    LISTED = "listed"
    """Its client is in a file of exemptions."""


def exemption(client: Client, username: bytes | None, listed: Exemptions) -> Exemption | None:
    """Return why messages of a client are not judged, None where they are.

    ``username`` is the user who has authenticated, None for nobody.
    """
    if username is not None:
        return Exemption.AUTHENTICATED
    if client.local:
        return Exemption.LOCAL
    return Exemption.LISTED if client in listed else None
