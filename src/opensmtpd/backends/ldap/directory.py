"""One connection of libldap, each of whose steps has a deadline.

There are two that libldap does without looking at the time, to ask for the addresses of a name and
to agree on TLS: there the process in front ends the worker.
"""

import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from opensmtpd.backends.ldap.library import LibLdap
from opensmtpd.errors import ServerLate, ServerLost, ServerRefused, Unavailable

NOTHING = ["1.1"]
"""Asks for entries without attributes (RFC 4511 4.5.1.8)."""
BOUND = (0x61,)
"""The kind of message that ends a bind (RFC 4511 4.2.2)."""
SEARCHED = (0x64, 0x65, 0x73)
"""The kinds of message of a search: an entry, its end, a reference (RFC 4511 4.5.2, 4.5.3).

libldap tells that of the end, but that of the first message where the whole reply had come while it
waited for that of another search: servers answer in any order.
"""


class TlsRules(NamedTuple):
    """The TLS of a connection."""

    wanted: bool
    start: bool
    """StartTLS (RFC 4511 4.14), on a connection that begins without TLS."""
    ca_file: str
    """Certificates of those who may sign the server's."""
    verify: bool


class LdapRefused(ServerRefused):
    """The server's refusal, with libldap's exception: that stays in the worker."""

    def __init__(self, error: Exception, reason: str) -> None:
        self.error = error
        super().__init__(reason)


class Directory:
    """A connection; libldap makes it with the first request, which should be ``bind``.

    The methods raise ServerLost and ServerLate, after which it is of no use, and LdapRefused.
    ``until`` is a time of ``time.monotonic``.
    """

    def __init__(self, library: LibLdap, url: str, tls: TlsRules, until: float) -> None:
        self._library, self._url = library, url
        ldap = library.ldap
        self._error, self._subtree = ldap.LDAPError, ldap.SCOPE_SUBTREE
        self._ldap = ldap.initialize(url)
        seconds = _seconds(until)
        for option, value in (
            (ldap.OPT_PROTOCOL_VERSION, 3),
            (ldap.OPT_NETWORK_TIMEOUT, seconds),
            (ldap.OPT_TIMEOUT, seconds),
            (ldap.OPT_REFERRALS, 0),
            (ldap.OPT_DEREF, ldap.DEREF_NEVER),
            (ldap.OPT_RESTART, 1),
        ):
            self._ldap.set_option(option, value)
        try:
            if tls.wanted:
                self._trust(tls)
            if tls.start:
                self._ldap.start_tls_s()
        except ldap.LDAPError as error:
            raise self._fault(error) from None

    def _trust(self, tls: TlsRules) -> None:
        ldap, set_option = self._library.ldap, self._ldap.set_option
        demand = ldap.OPT_X_TLS_DEMAND if tls.verify else ldap.OPT_X_TLS_NEVER
        set_option(ldap.OPT_X_TLS_REQUIRE_CERT, demand)
        if tls.ca_file:
            set_option(ldap.OPT_X_TLS_CACERTFILE, tls.ca_file)
        set_option(ldap.OPT_X_TLS_NEWCTX, 0)

    def bind(self, dn: str, password: bytes, until: float) -> bool:
        """Log in; return whether the server takes the password.

        An empty one is that of nobody: servers take it from everybody (RFC 4513 5.1.2). No text of
        an error has anything of what the server says.
        """
        try:
            number = self._ldap.simple_bind(dn, password, None, None)
            self._end(BOUND, number, until)
        except self._library.refused:
            return False
        except self._error as error:
            raise self._fault(error, said=False) from None
        return True

    def search(self, base: str, query: str, attributes: list[str], most: int = 0) -> int:
        """Ask for the entries below ``base``, all or ``most`` of them; return a number."""
        try:
            number: int = self._ldap.search_ext(
                base, self._subtree, query, attributes, 0, None, None, -1, most
            )
        except self._error as error:
            raise self._fault(error) from None
        return number

    def found(self, number: int, until: float) -> list[tuple[str, Mapping[str, list[bytes]]]]:
        """Return the names and attributes of the entries that a search has found.

        References to other servers, which have no name, are left out.
        """
        try:
            data = self._end(SEARCHED, number, until)
        except self._error as error:
            raise self._fault(error) from None
        return [each for each in data or () if each[0] is not None]

    def _end(self, kinds: tuple[int, ...], number: int, until: float) -> Any:
        """Wait for the end of a request, and return what came with it. Raises libldap's errors.

        libldap takes any result with that number for the end, that of another kind of request, too.
        """
        try:
            found, data, *_ = self._ldap.result4(number, 1, _seconds(until), 0, 0, 0)
        except UnicodeDecodeError as error:
            reason = f"{self._url}: a name in the reply is no UTF-8"
            raise LdapRefused(error, reason) from None
        if found not in kinds:
            raise ServerLost(f"{self._url}: the reply is to another kind of request")
        return data

    def _fault(self, error: Exception, said: bool = True) -> Unavailable:
        """Return our exception for one of libldap."""
        if isinstance(error, self._library.ldap.TIMEOUT):
            return ServerLate(f"{self._url}: no answer in time")
        reason = f"{self._url}: {_reason(error, said)}"
        if isinstance(error, self._library.gone):
            return ServerLost(reason)
        return LdapRefused(error, reason)

    def close(self) -> None:
        """Close it."""
        with suppress(self._error):
            self._ldap.unbind_ext(None, None)


def _reason(error: Exception, said: bool) -> str:
    """Return libldap's text, with that of the server if ``said``."""
    told = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
    words = [str(told.get("desc") or type(error).__name__)]
    if said and told.get("info"):
        words.append(str(told["info"]))
    return ": ".join(words)


def _seconds(until: float) -> float:
    """Return the time that is left. Raises ServerLate where it is over."""
    seconds = until - time.monotonic()
    if seconds <= 0:
        raise ServerLate("no time is left")
    return seconds
