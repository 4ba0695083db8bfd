"""Clients with scores before filter-senderscore, and what they are answered."""

import smtplib
from collections.abc import Sequence
from functools import partial
from ipaddress import ip_address
from typing import NamedTuple

from integration.support.dns_scenes import NAME
from integration.support.queued import outcome
from lab.peers import mail
from lab.peers.clients import CONFIRMED_PTR, CONFIRMED_PTR6, LYING_PTR, NO_PTR
from lab.peers.nameserver import Records, Rule, failing
from lab.root.namespace import SERVER4, SERVER6
from lab.shows.demo import LOCAL, STRANGER
from lab.shows.guide import PASSWORD
from lab.support import Lab

PROGRAM = "filter-senderscore"
ZONE = "score.senderscore.com"
BLOCKED = "550 your IP reputation is too low for this MX"

WORST, BAD, POOR, DOUBTFUL, FAIR, BEST = (
    NO_PTR,
    LYING_PTR,
    *(f"192.0.2.{n}" for n in range(100, 104)),
)
UNREGISTERED, BROKEN, NEW, SIX = "192.0.2.104", "192.0.2.105", CONFIRMED_PTR, CONFIRMED_PTR6
SCORES: dict[str, Sequence[str] | Rule] = {
    WORST: ["127.0.4.0"],
    BAD: ["127.0.4.9"],
    POOR: ["127.0.4.10"],
    DOUBTFUL: ["127.0.4.69"],
    FAIR: ["127.0.4.70"],
    BEST: ["127.0.4.100"],
    UNREGISTERED: ["127.255.255.255"],
    BROKEN: failing(),
}
"""What the DNS says; of NEW, and of clients of IPv6, nothing."""


def name_of(address: str) -> str:
    """Return the name that the service has for an address."""
    return ip_address(address).reverse_pointer.replace("in-addr.arpa", ZONE)


def scored(scores: dict[str, Sequence[str] | Rule]) -> Records:
    """Return the records of the service."""
    return {(name_of(address), "A"): answer for address, answer in scores.items()}


# --- sessions -------------------------------------------------------------------------------------

HELLO = f"EHLO {NAME}"
MAIL, RCPT = f"MAIL FROM:<{STRANGER}>", f"RCPT TO:<{LOCAL}>"
SENT = (MAIL, RCPT, "DATA", ".")
PLAIN = (HELLO, *SENT, "QUIT")
OLD = (f"HELO {NAME}", *SENT, "QUIT")
LOGIN = f"AUTH PLAIN {mail.plain('alice', PASSWORD)}"
TLS = (HELLO, "STARTTLS", HELLO, LOGIN, f"MAIL FROM:<{LOCAL}>", *SENT[1:], "QUIT")
ODD = (
    *("NOOP", MAIL, HELLO, "RSET", MAIL, "RCPT TO:<nobody@example.com>", "RCPT TO:<bad@>", RCPT),
    *("BOGUS", "DATA", ".", "RSET", MAIL, "RSET", "HELP", "QUIT"),
)
"""Things that smtpd refuses by itself are among these."""
MESSAGE = mail.compose(STRANGER, LOCAL, "hello").replace(b"\r\n.", b"\r\n..")


class Said(NamedTuple):
    """A step of a session, and the reply to it."""

    step: str
    """The command; ``connect``, and ``gone`` where the connection was ended by smtpd."""
    reply: str = ""
    message: bytes = b""
    """As smtpd has it in its queue, where this was accepted; see ``queued.Outcome``."""


def talk(
    lab: Lab, source: str, number: int, steps: Sequence[str], message: bytes = MESSAGE
) -> list[Said]:
    """Have a client come to a port, and go through the steps; ``.`` sends the message."""
    host = SERVER6 if ":" in source else SERVER4
    connect = partial(smtplib.SMTP, host, number, NAME, timeout=60, source_address=(source, 0))
    try:
        client = connect()
    except smtplib.SMTPConnectError as error:
        return [Said("connect", _shown(error.smtp_code, error.smtp_error))]
    said = [Said("connect", "220")]
    with client:
        try:
            for step in steps:
                said.append(_said(lab, client, step, message))
        except smtplib.SMTPServerDisconnected:
            said.append(Said("gone"))
        client.close()
    return said


def _said(lab: Lab, client: smtplib.SMTP, step: str, message: bytes) -> Said:
    if step == ".":
        client.send(message + b".\r\n")
        code, text = client.getreply()
        return Said(step, *_accepted(lab, b"%d %s" % (code, text)))
    code, text = client.docmd(step)
    if step == "STARTTLS" and code == 220:
        assert client.sock is not None
        context = mail.trusting(lab.guide)
        client.sock = context.wrap_socket(client.sock, server_hostname=SERVER4)
        client.file = None
    return Said(step, _shown(code, text))


def _accepted(lab: Lab, reply: bytes) -> tuple[str, bytes]:
    found = outcome(lab.guide.view, reply)
    return found.reply.decode("ascii"), found.message


def _shown(code: int, text: bytes | str) -> str:
    return f"{code} {text.decode('ascii') if isinstance(text, bytes) else text}"


def last(said: Sequence[Said]) -> Said:
    """Return the last reply of a session."""
    return next(each for each in reversed(said) if each.step != "gone")
