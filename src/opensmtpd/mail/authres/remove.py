"""Fields that a client wrote and that readers would take for ours (RFC 8601 section 5)."""

from functools import lru_cache

from opensmtpd.mail.authres.read import read_id
from opensmtpd.mail.dkim.a_label import mapped, to_a_labels

_ID_MAX = 255
"""Characters of an id that can be ours: those of a domain name and two more."""


def is_ours(value: bytes, authserv_id: str) -> bool:
    """Return whether an Authentication-Results field is to be removed before ours is written.

    ``value`` is what follows the colon, folded lines joined by line feeds. To be removed are fields
    with our id in any form, and those whose id is missing or cannot be read: another reader may
    take them for ours. The rest of the field does not matter.
    """
    found = read_id(value)
    if found is None:
        return True
    # Before the cached call: the cache would keep ids of megabytes.
    return len(found) <= _ID_MAX and _comparable(found) == _comparable(authserv_id)


@lru_cache(maxsize=64)
def _comparable(name: str) -> str:
    """Return one form for all ids that a reader may take for the same.

    Lower case, A-labels, no final dot; wide letters and other variants as the plain ones (as
    UTS #46 maps them).
    """
    if not name.isascii():
        try:
            name = to_a_labels(mapped(name))
        except UnicodeEncodeError:
            return ""
    return name.strip().lower().rstrip(".")
