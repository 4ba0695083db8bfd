"""The identities that SPF judges: the sender, and the name of the client (RFC 7208 section 2)."""

from opensmtpd.mail.dkim.a_label import to_a_labels
from opensmtpd.mail.spf.macros import lowered


def mail_from_identity(sender: bytes, helo: bytes) -> tuple[str, str]:
    """Return the domain and the sender for a check of MAIL FROM (section 2.4).

    ``sender`` has no ``<>``; the empty one of a bounce stands for postmaster at the client's name.
    Text has a character for each octet, but a domain in another script has its A-labels.
    """
    if not sender:
        return helo_identity(helo)
    local, _, domain = (sender if b"@" in sender else sender + b"@").rpartition(b"@")
    name = _domain(domain)
    return name, f"{(local or b'postmaster').decode('latin-1')}@{name}"


def helo_identity(helo: bytes) -> tuple[str, str]:
    """Return the domain and the sender for a check of HELO or EHLO (section 2.3)."""
    name = _domain(helo)
    return name, f"postmaster@{name}"


def _domain(raw: bytes) -> str:
    """Return a domain, lower case, without a final dot."""
    if not raw.isascii():
        try:
            return to_a_labels(raw.decode("utf-8")).removesuffix(".")
        except UnicodeError:
            pass  # no name at all
    return lowered(raw.decode("latin-1")).removesuffix(".")
