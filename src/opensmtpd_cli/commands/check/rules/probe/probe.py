"""Ask a server from outside whether it relays for strangers, and how its port 25 does.

One connection; no mail is sent: a recipient is named, and then the transaction is given up.
"""

import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import suppress
from ipaddress import ip_address

from opensmtpd_cli.commands.check.finding import NOWHERE, Finding, error, unseen, warning
from opensmtpd_cli.commands.check.rules.probe.dialogue import STEP, Conversation, SmtpReply, connect

_FOREIGN = ("example.org", "example.net")
"""Domains that nobody has mail in (RFC 2606)."""
_SOON = 7 * 86400
_TLS_FIRST = 530
_ELSEWHERE = "run opensmtpd-plugins check --probe on a machine elsewhere"


def probe(host: str) -> Iterator[Finding]:
    """Yield what is wrong with port 25 of a host as a stranger sees it."""
    try:
        conversation = connect(host)
    except (OSError, UnicodeError) as failure:
        yield _unreachable(host, failure)
        return
    try:
        yield from _talk(host, conversation)
    finally:
        conversation.close()


def _unreachable(host: str, failure: OSError | UnicodeError) -> Finding:
    if isinstance(failure, socket.gaierror | UnicodeError):
        reason = failure.strerror if isinstance(failure, OSError) else "no name of a host"
        fault = f"{host} has no address: {reason}"
        return error("probe-no-address", NOWHERE, fault, "", "opensmtpd-plugins dns DOMAIN")
    if isinstance(failure, TimeoutError):
        return error(
            "probe-timeout",
            NOWHERE,
            f"port 25 of {host} does not answer within {STEP:.0f} seconds",
            "A firewall drops what is sent to it: that of the host, or, as many providers have it, "
            "one that lets nothing out of this network to port 25.",
            "probe another host, too: if none answers, ask your provider to open port 25",
        )
    if isinstance(failure, ConnectionRefusedError):
        return error(
            "probe-refused",
            NOWHERE,
            f"port 25 of {host} refuses the connection",
            "The host is there, and no smtpd listens on that address.",
            "start smtpd, and look at its listen on lines",
        )
    fault = f"port 25 of {host} cannot be reached: {failure.strerror}"
    return error("probe-unreachable", NOWHERE, fault)


def _talk(host: str, conversation: Conversation) -> Iterator[Finding]:
    if conversation.own == conversation.peer:
        yield unseen(
            "probe-itself",
            NOWHERE,
            f"{host} is this machine, and was not asked",
            "smtpd takes all addresses of its own machine for local, and relays for them.",
            _ELSEWHERE,
        )
        return
    try:
        greeting = conversation.reply()
    except TimeoutError:
        yield error(
            "probe-no-banner",
            NOWHERE,
            f"port 25 of {host} takes the connection and says nothing for {STEP:.0f} seconds",
            "smtpd hangs, or waits for a filter; or something between plays its part.",
            "look at the log of smtpd",
        )
        return
    except OSError as failure:
        yield _broken(host, "after the connection", failure)
        return
    if greeting.code != 220:
        yield _turned_away(host, greeting)
        return
    try:
        yield from _session(host, conversation)
    except OSError as failure:
        yield _broken(host, "in the middle of the session", failure)


def _turned_away(host: str, reply: SmtpReply) -> Finding:
    return unseen(
        "probe-turned-away",
        NOWHERE,
        f"{host} turns this machine away: {reply.text}",
        "It may not like this address, or have too much to do.",
        "probe it from another address",
    )


def _broken(host: str, when: str, failure: OSError) -> Finding:
    reason = "no answer" if isinstance(failure, TimeoutError) else failure.strerror
    fault = f"{host} cannot be talked to {when}: {reason}"
    return error("probe-broken", NOWHERE, fault, "", "look at the log of smtpd")


def _session(host: str, conversation: Conversation) -> Iterator[Finding]:
    name = f"[IPv6:{conversation.own}]" if ":" in conversation.own else f"[{conversation.own}]"
    hello = conversation.ask(f"EHLO {name}")
    if hello.code != 250:
        yield _turned_away(host, hello)
        return
    reply = _relays(host, conversation)
    secure = False
    if not hello.offers("STARTTLS"):
        yield warning(
            "probe-no-starttls",
            NOWHERE,
            f"{host} offers no TLS on port 25",
            "Mail to it crosses the network as plain text, and some servers send it none.",
            "listen on ADDRESS tls pki NAME",
        )
    else:
        fault = _tls(host, conversation)
        secure = fault is None or fault.code == "probe-certificate-ends"
        if fault is not None:
            yield fault
    if secure:
        conversation.ask(f"EHLO {name}")
        if reply.code == _TLS_FIRST:
            reply = _relays(host, conversation)
    yield from _judged(host, reply)
    if secure or not hello.offers("STARTTLS"):
        with suppress(OSError):
            conversation.ask("QUIT")


def _relays(host: str, conversation: Conversation) -> SmtpReply:
    """Return the answer to a foreign recipient, or to the sender where that is refused.

    Two senders are tried: a stranger, and one of the server's own domain, which some rules trust.
    """
    foreign = next(each for each in _FOREIGN if not host.lower().endswith(each))
    replies = []
    for sender in (f"probe@{foreign}", f"postmaster@{_domain(host)}"):
        reply = conversation.ask(f"MAIL FROM:<{sender}>")
        if reply.code // 100 == 2:
            reply = conversation.ask(f"RCPT TO:<probe@{foreign}>")
            conversation.ask("RSET")
        if reply.code // 100 == 2:
            return reply
        replies.append(reply)
    return max(replies, key=lambda each: each.code)


def _domain(host: str) -> str:
    """Return the domain that a host is likely to have mail for; an address is its own."""
    try:
        version = ip_address(host).version
    except ValueError:
        labels = host.split(".")
        return ".".join(labels[1:] if len(labels) > 2 else labels)
    return f"[{host}]" if version == 4 else f"[IPv6:{host}]"


def _judged(host: str, reply: SmtpReply) -> Iterator[Finding]:
    if reply.code // 100 == 2:
        yield error(
            "probe-open-relay",
            NOWHERE,
            f"{host} is an open relay: it takes mail from a stranger for a domain of others",
            "Spammers find it within hours, and its own mail is then refused everywhere.",
            "opensmtpd-plugins check, on the server: it names the rule",
        )
    elif reply.code // 100 == 4 or (reply.code == _TLS_FIRST and "STARTTLS" in reply.text):
        yield unseen(
            "probe-unsure",
            NOWHERE,
            f"{host} does not say whether it relays: {reply.text}",
            "It refuses a stranger for the moment, or without TLS.",
            "probe it again later",
        )


def _tls(host: str, conversation: Conversation) -> Finding | None:
    """Begin TLS; return what is wrong with it."""
    reply = conversation.ask("STARTTLS")
    if reply.code != 220:
        fault = f"{host} offers TLS and does not begin it: {reply.text}"
        return warning("probe-tls-failed", NOWHERE, fault, "", "look at the log of smtpd")
    try:
        conversation.start_tls(host)
    except ssl.SSLCertVerificationError as failure:
        return warning(
            "probe-certificate",
            NOWHERE,
            f"the certificate of {host} does not verify: {failure.verify_message}",
            "Servers that verify (by MTA-STS) send it no mail, and mail programs complain.",
            f"get one for {host}, and name it in: pki {host} cert",
        )
    except TimeoutError:
        return error(
            "probe-tls-dropped",
            NOWHERE,
            f"{host} offers TLS, and its handshake gets no answer",
            "A firewall on the way lets TLS on port 25 not pass.",
            "try: openssl s_client -starttls smtp -connect HOST:25, from other networks, too",
        )
    except OSError as failure:
        fault = f"TLS with {host} fails: {failure.strerror or type(failure).__name__}"
        return warning("probe-tls-failed", NOWHERE, fault, "", "look at the log of smtpd")
    days = (conversation.expires() - time.time()) / 86400
    if days * 86400 < _SOON:
        fault = f"the certificate of {host} ends in {days:.0f} days"
        return warning("probe-certificate-ends", NOWHERE, fault, "", "renew it, and restart smtpd")
    return None
