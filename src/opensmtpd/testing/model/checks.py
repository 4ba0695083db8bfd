"""Checks of smtpd before it asks a filter: a command that fails here is never a request.

Source: ``smtp_check_*`` in ``smtp_session.c`` of OpenSMTPD 7.6, and of 7.9 where they differ.
"""

from collections.abc import Callable
from typing import TypeAlias

from opensmtpd.testing.model.dialogue import Dialogue
from opensmtpd.testing.model.syntax import mailaddr, valid_domain

CommandCheck: TypeAlias = Callable[[Dialogue, bytes | None], bytes | None]
"""Session and argument (None: there is none) to the reply of refusal, or None."""

_NOT_NOW = b"503 5.5.1 Invalid command: Command not allowed at this point."
_NO_ARGUMENTS = b"500 5.5.4 Invalid command arguments: command does not accept arguments."
UNKNOWN = b"500 5.5.1 Invalid command: Command unrecognized"
SENDER_SYNTAX = b"553 5.1.0 Sender address syntax error"
RECIPIENT_SYNTAX = b"501 5.1.3 Recipient address syntax error"


def _helo(session: Dialogue, argument: bytes | None) -> bytes | None:
    again = session.verb == "ehlo" and session.server.release.ehlo_again
    if not session.greeted:
        return _NOT_NOW
    if session.identity and not again:
        return b"503 5.5.1 Invalid command: Already identified"
    if argument is None:
        verb = session.verb.upper().encode("ascii")
        return b"501 5.5.1 Invalid command: %s requires domain name" % verb
    if not valid_domain(argument):
        return b"501 5.5.4 Invalid command arguments: Invalid domain name"
    return None


def _starttls(session: Dialogue, argument: bytes | None) -> bytes | None:
    if not session.identity or session.transaction:
        return _NOT_NOW
    if session.tls:
        return b"503 5.5.1 Invalid command: Channel already secured"
    if argument is not None:
        return b"501 5.5.4 Invalid command arguments: No parameters allowed"
    return None


def _auth(session: Dialogue, argument: bytes | None) -> bytes | None:
    if not session.identity or session.transaction:
        return _NOT_NOW
    if session.username is not None:
        return b"503 5.5.1 Invalid command: Already authenticated"
    if not session.tls:
        return b"503 5.5.1 Invalid command: Command not supported"
    if argument is None:
        return b"501 5.5.4 Invalid command arguments: No parameters given"
    return None


def _mail_from(session: Dialogue, argument: bytes | None) -> bytes | None:
    if not session.identity or session.transaction:
        return _NOT_NOW
    found = mailaddr(argument or b"", session.server.release, sender=True)
    return SENDER_SYNTAX if found is None else None


def _rcpt_to(session: Dialogue, argument: bytes | None) -> bytes | None:
    if not session.transaction:
        return _NOT_NOW
    found = mailaddr(argument or b"", session.server.release, sender=False)
    return RECIPIENT_SYNTAX if found is None else None


def _data(session: Dialogue, argument: bytes | None) -> bytes | None:
    if argument is not None:
        return _NO_ARGUMENTS
    if not session.transaction:
        return _NOT_NOW
    if not session.transaction.recipients:
        return b"503 5.5.4 Invalid command arguments: No recipient specified"
    return None


def _rset(session: Dialogue, argument: bytes | None) -> bytes | None:
    return _no_argument(session, argument) or (None if session.identity else _NOT_NOW)


def _no_argument(session: Dialogue, argument: bytes | None) -> bytes | None:
    return None if argument is None else _NO_ARGUMENTS


def _anything(session: Dialogue, argument: bytes | None) -> bytes | None:
    return None


CHECKS: dict[str, CommandCheck] = {
    "helo": _helo,
    "ehlo": _helo,
    "starttls": _starttls,
    "auth": _auth,
    "mail-from": _mail_from,
    "rcpt-to": _rcpt_to,
    "data": _data,
    "rset": _rset,
    "quit": _no_argument,
    "noop": _anything,
    "help": _no_argument,
    "commit": _no_argument,
}
