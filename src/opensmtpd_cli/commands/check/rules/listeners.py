"""Find listeners for mail programs (ports 465 and 587) without TLS or passwords."""

from collections.abc import Iterator

from opensmtpd_cli.commands.check.finding import Finding, error, warning
from opensmtpd_cli.commands.check.rules.open_relay.entrances import loopback
from opensmtpd_cli.commands.check.server import Server
from opensmtpd_cli.smtpdconf.directives import Listener
from opensmtpd_cli.system.network import interfaces

SMTPS, SUBMISSION = 465, 587

SOCKETS_MAX = 200
"""Sockets of one listen line from which on it is said: smtpd has few hundred descriptors."""


def submission(server: Server) -> Iterator[Finding]:
    """Yield what is wrong with the listeners that mail programs connect to."""
    unclear = {other.place for other in server.configuration.rest}
    for listener in server.configuration.listeners:
        if listener.place in unclear or loopback(listener):
            continue
        if listener.auth and not listener.tls:
            yield error(
                "listener-auth-without-tls",
                listener.place,
                f"port {listener.port} asks for passwords without TLS",
                "They would cross the network as plain text, so smtpd does not start.",
                _listen(listener, "tls-require pki NAME auth"),
            )
        elif listener.port in (SMTPS, SUBMISSION):
            wrong = list(_mode(listener))
            yield from wrong or _passwords(listener)


def _mode(listener: Listener) -> Iterator[Finding]:
    implicit = listener.tls.startswith("smtps")
    if listener.port == SMTPS and not implicit:
        yield warning(
            "listener-465-without-smtps",
            listener.place,
            "port 465 does not begin with TLS",
            "Mail programs begin with it there (RFC 8314), and wait in vain for an answer.",
            _listen(listener, "smtps pki NAME auth"),
        )
    elif listener.port == SUBMISSION and implicit:
        yield warning(
            "listener-587-with-smtps",
            listener.place,
            "port 587 begins with TLS",
            "Mail programs begin without, and change to it by STARTTLS (RFC 6409).",
            _listen(listener, "tls-require pki NAME auth"),
        )
    elif listener.port == SUBMISSION and not listener.tls:
        yield warning(
            "listener-587-without-tls",
            listener.place,
            "port 587 offers no TLS",
            "smtpd asks for no password then, and the mail crosses the network as plain text.",
            _listen(listener, "tls-require pki NAME auth"),
        )


def _passwords(listener: Listener) -> Iterator[Finding]:
    if not listener.auth and listener.tls and not listener.tls.endswith("verify"):
        yield warning(
            "listener-without-auth",
            listener.place,
            f"port {listener.port} asks nobody for a password",
            "Mail programs cannot log in there, and so cannot send mail to other domains.",
            _listen(listener, f"{listener.tls} pki NAME auth"),
        )


def _listen(listener: Listener, words: str) -> str:
    port = "" if listener.port == SMTPS and words.startswith("smtps") else f" port {listener.port}"
    return f"listen on {listener.where}{port} {words}"


def crowded(server: Server) -> Iterator[Finding]:
    """Yield the listeners on an interface with so many addresses that descriptors run out."""
    for listener in server.configuration.listeners:
        if listener.where == "socket":
            continue
        count = len(interfaces.addresses(listener.where, listener.family))
        if count >= SOCKETS_MAX:
            yield warning(
                "listener-many-addresses",
                listener.place,
                f"{listener.where} has {count} addresses, and smtpd opens a socket for each",
                "It ends at its start with 'Too many open files' when it has no descriptor left.",
                f"write listen on ADDRESS for each address that is meant, in place of"
                f" {listener.where}",
            )
