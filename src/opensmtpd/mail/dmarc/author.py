"""The author's domain (RFC 9989 section 5.3.1): that of all mailboxes in the one From field."""

from typing import NamedTuple

from opensmtpd.mail.dkim.canonical_header import finder
from opensmtpd.mail.mailboxes import all_domains

FROM_MAX = 16_384
"""Bytes of all From fields together; beyond it they are not read."""
DOMAINS_MAX = 10
"""Different domains that are kept of one message."""

_from_fields = finder((b"From",))


class Authors(NamedTuple):
    """What the From field says."""

    domains: tuple[str, ...]
    """The different domains, in their order: lower case, A-labels, literals in brackets.

    Each may be no name that the DNS can have.
    """
    fault: str = ""
    """Why the author's domain is not clear, "" where it is. There may be one domain all the same:
    with a second mailbox that cannot be read, say."""


def authors(header: bytes) -> Authors:
    """Read the From fields of a header, each of its lines behind a line feed."""
    values = [value for _, _, value in _from_fields(header)]
    if sum(map(len, values)) > FROM_MAX:
        return Authors((), f"From has more than {FROM_MAX} bytes")
    found = [domain for value in values for domain in all_domains(value)]
    named = [domain.decode("ascii") for domain in found if domain is not None]
    domains = tuple(dict.fromkeys(named))[:DOMAINS_MAX]
    if not values:
        fault = "no From field"
    elif len(domains) > 1:
        fault = "From has several domains"
    elif len(values) > 1:
        fault = "several From fields"
    elif not found:
        fault = "From has no mailbox"
    elif len(named) < len(found):
        fault = "From has a mailbox without a domain"
    else:
        fault = ""
    return Authors(domains, fault)
