"""The fields that no signature may cover although they are listed, and the reason for each.

A verifier counts the fields of a name from the bottom of the header (RFC 6376 section 5.4.2), so
that all fields of a name are left out, or none.
"""

from opensmtpd.mail.dkim.canonical_header import HeaderField, verifiers_differ
from opensmtpd.mail.dkim.sign.smtpd_changes import ADDED, completed

_COMPLETED = "a bare address, which smtpd will complete"
_ADDED = "blanks before the colon: smtpd may add another field of this name below it"
_WHITE = "CR, VT or FF, which verifiers do not canonicalize alike"


def left_out(fields: list[HeaderField], canonicalization: str) -> dict[bytes, str]:
    """Return the names, in lower case, that must not be covered, and the reason for each.

    ``fields`` are all fields of the header that are listed; ``canonicalization`` is that of the
    header. From is never among the names: no signature is valid without it.
    """
    known = {name.lower() for name, gap, _ in fields if not gap}
    found = {}
    for field in fields:
        name = field[0].lower()
        if name == b"from":
            continue
        if completed(field):
            found[name] = _COMPLETED
        elif name in ADDED and name not in known:
            found[name] = _ADDED
        elif canonicalization == "relaxed" and verifiers_differ(field[2]):
            found[name] = _WHITE
    return found
