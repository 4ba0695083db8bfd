"""The macros that milters know: facts about a client and a message, by the names of Sendmail.

``{auth_type}`` is always PLAIN: smtpd tells filters of no mechanism. There are no ESMTP arguments
and no certificates of clients, because filters hear of neither.
"""

from opensmtpd.filter import Session, SessionAttribute
from opensmtpd.mail.client import Client

USES: tuple[SessionAttribute, ...] = (
    *("rdns", "fcrdns", "source", "destination", "greeting", "identity", "tls", "username"),
    "msgid",
)
"""The attributes of a session that are read here."""


def host_name(client: Client) -> bytes:
    """Return the name of a client as CONNECT has it: a name that is confirmed, or the address."""
    if client.address is None:
        return b"localhost"
    if client.rdns is not None and client.fcrdns == "pass":
        return client.rdns.encode("utf-8", "replace")
    return b"[%s]" % str(client.address).encode()


def address(client: Client) -> str:
    """Return the address of a client; a program at smtpd's own socket is one of this host."""
    return "127.0.0.1" if client.address is None else str(client.address)


def port(session: Session) -> int:
    """Return the port of a client, 0 where it has none."""
    number = session.source.rpartition(b":")[2]
    return int(number) if number.isdigit() and len(number) <= 5 and int(number) <= 65535 else 0


def macros(
    session: Session,
    client: Client,
    server: bytes,
    sender: bytes | None = None,
    recipient: bytes | None = None,
) -> dict[str, bytes]:
    """Return all macros that have values now.

    ``server`` is the server's name before it has greeted the client, ``sender`` and ``recipient``
    are the arguments of commands.
    """
    name, shown = host_name(client), address(client).encode()
    found = {
        "j": session.greeting or server or b"localhost",
        "v": b"OpenSMTPD",
        "_": b"%s [%s]" % (name, shown),
        "{daemon_name}": b"smtpd",
        "{client_addr}": shown,
        "{client_name}": b"unknown" if name.startswith(b"[") else name,
        "{client_ptr}": (client.rdns or "unknown").encode("utf-8", "replace"),
        "{client_port}": b"%d" % port(session),
    }
    if client.listener is not None:
        found["{if_addr}"] = str(client.listener).encode()
    if session.tls is not None:
        version, cipher, bits, *_ = (*session.tls.split(b":"), b"", b"")
        found |= {"{tls_version}": version, "{cipher}": cipher, "{cipher_bits}": bits}
    if session.username is not None:
        found |= {"{auth_authen}": session.username, "{auth_type}": b"PLAIN"}
    if session.msgid is not None:
        found["i"] = session.msgid.encode()
    if sender is not None:
        found["{mail_addr}"] = sender
    if recipient is not None:
        found["{rcpt_addr}"] = recipient
    return found
