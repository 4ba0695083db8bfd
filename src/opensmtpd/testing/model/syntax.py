"""Addresses, domains and replies as smtpd knows them.

Sources: ``smtp_mailaddr`` in ``smtp_session.c``, ``text_to_mailaddr`` in ``to.c``,
``valid_localpart``, ``valid_domainpart`` and ``valid_smtp_response`` in ``util.c`` of OpenSMTPD 6.8
to 7.8, and what 7.9 answered.
"""

import re
import socket
from typing import NamedTuple

from opensmtpd.testing.model.registry import Release

PART_MAX = 255
"""Bytes of a local part, and of a domain (``SMTPD_MAXLOCALPARTSIZE``)."""

_ESCAPE = re.compile(rb"\\([0-9]{3}|[^0-9])")
_HOST_LABEL = re.compile(rb"[A-Za-z0-9_-]{1,63}")
_NAME_MAX = 253
_LITERAL = re.compile(rb"\[(?:IPv6:)?([^\]]*)\]", re.IGNORECASE | re.DOTALL)
_BEFORE_COLON = re.compile(rb"[^:]*:")


class Mailaddr(NamedTuple):
    """An address of an envelope. Both parts are empty for the null sender."""

    user: bytes
    domain: bytes
    """Empty in ``<user>``, which smtpd completes with its own name."""

    @property
    def text(self) -> bytes:
        """The address without its source route; ``b""`` for the null sender."""
        return b"%s@%s" % self if self.domain else self.user


def valid_domain(name: bytes) -> bool:
    """Return whether this is a domain or an address literal (``valid_domainpart``).

    ``[IPv6:…]`` may hold an IPv4 address, and an IPv6 address may stand without ``IPv6:``.
    """
    if name.startswith(b"["):
        literal = _LITERAL.fullmatch(name)
        return literal is not None and len(literal[1]) < PART_MAX and _is_address(literal[1])
    return 0 < len(name) <= PART_MAX and not name.endswith(b".") and host_name(name)


def _is_address(text: bytes) -> bool:
    for family in (socket.AF_INET6, socket.AF_INET):
        try:
            socket.inet_pton(family, text.decode("latin-1"))
        except (OSError, ValueError):  # ValueError: a NUL in it
            continue
        return True
    return False


def host_name(name: bytes) -> bool:
    """Return whether glibc takes this for the name of a host (``res_hnok``).

    A backslash with three digits, or with another character, stands for one character. OpenBSD's
    own function differs: it knows no escapes and no longest label, and refuses a label that begins
    or ends in a hyphen or an underscore.
    """
    if re.search(rb"[^\x21-\x7e]", name):
        return False
    plain = b""
    while name:
        found = _ESCAPE.match(name)
        if found is None:
            if name.startswith(b"\\"):
                return False  # nothing, or one or two digits, behind it
            plain, name = plain + name[:1], name[1:]
            continue
        if found[1].isdigit() and int(found[1]) > 255:
            return False
        character = bytes([int(found[1])]) if found[1].isdigit() else found[1]
        if character == b".":
            return False  # a dot within a label
        plain, name = plain + character, name[found.end() :]
    sound = all(map(_HOST_LABEL.fullmatch, plain.split(b".")))
    return sound and len(plain) <= _NAME_MAX and not plain.startswith(b"-")


def valid_local_part(text: bytes, release: Release) -> bool:
    """Return whether this is a local part: atoms with dots between them (``valid_localpart``)."""
    allowed = re.compile(rb"[A-Za-z0-9%s]+" % re.escape(release.local_characters))
    return all(map(allowed.fullmatch, text.split(b".")))


def mailaddr(argument: bytes, release: Release, *, sender: bool) -> Mailaddr | None:
    """Return the address in ``<address> PARAMETERS``, None where there is none.

    A source route (``<@a,@b:user@domain>``) is left out, with anything else up to the first colon.
    ``sender`` allows the null sender: ``<>``, and what is as empty to smtpd (``<@>``, ``<x:>``).
    """
    if not argument.startswith(b"<") or b">" not in argument:
        return None
    user, at, domain = argument[1 : argument.index(b">")].rpartition(b"@")
    if not at:
        user, domain = domain, b""
    if len(user) > PART_MAX or len(domain) > PART_MAX:
        return None
    user = _BEFORE_COLON.sub(b"", user, count=1)
    if sender and not user and not domain:
        return Mailaddr(b"", b"")
    if not valid_local_part(user, release) or (domain and not valid_domain(domain)):
        return None
    return Mailaddr(user, domain)


def parameters(argument: bytes) -> list[bytes]:
    """Return the ESMTP parameters in ``<address> PARAMETERS``. Only blanks divide them."""
    return [each for each in argument.partition(b">")[2].split(b" ") if each]


def valid_refusal(text: bytes) -> bool:
    """Return whether this is a reply that smtpd passes on to a client it refuses."""
    return re.match(rb"[45][0-9][0-9] .", text, re.DOTALL) is not None
