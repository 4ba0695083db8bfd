"""Addresses, domains and replies as smtpd knows them.

Source: ``smtp_mailaddr`` in ``smtp_session.c``, ``valid_domainpart``, ``valid_localpart`` and
``valid_smtp_response`` in ``util.c`` of OpenSMTPD 7.6.
"""

import ipaddress
import re

_LABEL = rb"[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?"
_DOMAIN = re.compile(rb"%s(?:\.%s)*" % (_LABEL, _LABEL))
_LOCAL = re.compile(rb"[^\x00-\x20\x7f<>@,;()\"\\\[\]|]+")


def valid_domain(name: bytes) -> bool:
    """Return whether this is a domain or an address literal."""
    if name.startswith(b"["):
        literal = name[1:-1].removeprefix(b"IPv6:")
        try:
            ipaddress.ip_address(literal.decode("latin-1"))
        except ValueError:
            return False
        return name.endswith(b"]")
    return len(name) < 256 and _DOMAIN.fullmatch(name) is not None


def address(argument: bytes, *, empty: bool) -> bytes | None:
    """Return the address in ``<address> PARAMETERS``, None where there is none.

    ``empty`` allows the null sender ``<>``.
    """
    if not argument.startswith(b"<") or b">" not in argument:
        return None
    found = argument[1 : argument.index(b">")]
    if not found:
        return found if empty else None
    local, at, domain = found.rpartition(b"@")
    if not at:
        local, domain = domain, b"localhost"
    good = _LOCAL.fullmatch(local) and len(local) < 256 and valid_domain(domain)
    return found if good else None


def valid_refusal(text: bytes) -> bool:
    """Return whether this is a reply that smtpd passes on to a client it refuses."""
    return re.match(rb"[45][0-9][0-9] .", text, re.DOTALL) is not None
