"""The keys of greylisting: who sends, by what sender address, to whom.

A client that comes again may do so from another address of its network, and a mailing list with
another number in the sender's address: both have to have the same key as before.
"""

import re

from opensmtpd.mail.client import text

_BATV_TAG = re.compile(r"[0-9a-z]{10}")
_NUMBER = re.compile(r"\b[0-9]+\b", re.ASCII)


def sender_domain(domain: str) -> str:
    """Return the key of those who may send for a domain, by its SPF record."""
    return f"spf:{domain}"


def sender(address: bytes) -> str:
    """Return the key of MAIL FROM, as postgrey's ``do_sender_substitutions`` makes it.

    The tag of BATV and the extension behind ``+`` are left out, and each number is ``#``.
    """
    user, at, domain = text(address).lower().partition("@")
    if not at:
        return user
    if user.startswith("prvs="):
        user = _without_tag(user)
    user = _NUMBER.sub("#", user.partition("+")[0])
    return f"{user}@{domain}"


def _without_tag(user: str) -> str:
    """Return the local part in ``prvs=TAG=USER``, which some write as ``prvs=USER=TAG``."""
    parts = user.split("=")
    if len(parts) != 3:
        return user
    _, first, second = parts
    swapped = _BATV_TAG.match(second) and not _BATV_TAG.match(first)
    return first if swapped else second
