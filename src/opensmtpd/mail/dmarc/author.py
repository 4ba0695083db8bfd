"""The author's domain (RFC 9989 section 5.3.1): that of all mailboxes in the one From field."""

import re
from collections.abc import Callable
from typing import NamedTuple

from opensmtpd.dns.names import address, is_query_name
from opensmtpd.mail.dkim.canonical_header import finder
from opensmtpd.mail.mailboxes import all_domains

FROM_MAX = 262_144
"""Bytes of all From fields together; beyond it they are not read."""
SPECIALS_MAX = 4096
"""Characters with a meaning in all From fields together: each costs the reader a step."""
DOMAINS_MAX = 10
"""Different domains that are kept of one message."""
TOO_LARGE = "From is too large"
"""The fault of a message whose From fields are not read."""

_ODD = re.compile(rb"[\r\v\f]")
_from_fields = finder((b"From",))
# Some readers take a carriage return alone for a line end, or for white space before a colon.
_hidden_fields = re.compile(
    rb"(?:\r|\n(?=from[ \t]*[\r\v\f]))from[ \t\r\v\f]*:([^\r\n]*)", re.IGNORECASE
)


class Authors(NamedTuple):
    """The authors that the From field names."""

    domains: tuple[str, ...]
    """The different domains, in their order: lower case, A-labels, literals in brackets.

    Where there are too many, those that ``authors`` is told about come first. Each is a name that
    the DNS can have, or an address.
    """
    fault: str = ""
    """Why the author's domain is not clear, "" where it is. There may be one domain all the same:
    with a second mailbox that cannot be read, say."""


def authors(header: bytes, ours: Callable[[str], bool] = lambda domain: False) -> Authors:
    """Read the From fields of a header, each of its lines behind a line feed.

    ``ours`` tells the domains that are kept although there are too many.
    """
    values = [value for _, _, value in _from_fields(header)]
    hidden = _hidden_fields.findall(header) if _ODD.search(header) else []
    together = b"".join((*values, *hidden))
    specials = len(together) - len(together.translate(None, b'()<>,:;@"[]\\'))
    if len(together) > FROM_MAX or specials > SPECIALS_MAX:
        return Authors((), TOO_LARGE)
    found = [domain for value in (*values, *hidden) for domain in all_domains(value)]
    named = [name for domain in found if domain and _usable(name := domain.decode("ascii"))]
    domains = tuple(dict.fromkeys(named))
    if len(domains) > DOMAINS_MAX:
        domains = tuple(sorted(domains, key=lambda domain: not ours(domain))[:DOMAINS_MAX])
    if hidden:
        fault = "a From field behind a carriage return"
    elif not values:
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


def _usable(domain: str) -> bool:
    """Return whether a domain is a name or an address (RFC 5321 section 4.1.3).

    A mail program may show anything else as the domain that it looks like.
    """
    if domain.startswith("["):
        return address(domain.replace("[ipv6:", "[", 1)) is not None
    return is_query_name(domain)
