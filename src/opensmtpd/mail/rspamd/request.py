"""The headers of a request: all that smtpd knows about a client and an envelope.

The names are those of rspamd's protocol. Those that the filter in Go sends have the same values;
``Deliver-To``, ``TLS-Version``, ``TLS-Cipher`` and ``Milter`` are additions.
"""

from typing import TypeAlias

from opensmtpd.filter import Session, SessionAttribute
from opensmtpd.mail.envelope import without_route

RequestFields: TypeAlias = list[list[bytes]]
"""Names and values, each pair a list: plain data for a worker."""

HEAD_MAX = 60 << 10
"""Bytes of all headers: rspamd closes the connection at 80 KiB, without an answer."""
VALUE_MAX = 2048
"""Bytes of each value: what a client says has no bound of its own but that of a line."""

USES: tuple[SessionAttribute, ...] = (
    *("rdns", "source", "greeting", "identity", "tls", "username"),
    *("msgid", "sender", "recipients"),
)
"""The attributes of a session that ``fields`` reads."""


def fields(session: Session, settings_id: str) -> RequestFields:
    """Return the headers for the transaction of a session.

    ``Milter`` has rspamd end the lines of folded values in LF; without it they end as those of the
    message, and a carriage return stops smtpd. ``Deliver-To`` names the user whose statistics
    count, where the message has one recipient alone. Recipients beyond HEAD_MAX are left out:
    ``told`` counts the others.
    """
    recipients = [*map(without_route, session.recipients)]
    found = [
        (b"Pass", b"All"),
        (b"Milter", b"Yes"),
        (b"Ip", _address(session.source)),
        (b"Helo", session.identity),
        (b"MTA-Name", session.greeting),
        (b"Queue-Id", (session.msgid or "").encode()),
        (b"From", without_route(session.sender or b"")),
    ]
    if session.rdns != b"<unknown>":  # rspamd takes all else for a name
        found.append((b"Hostname", session.rdns))
    if len(recipients) == 1:
        found.append((b"Deliver-To", recipients[0]))
    if session.username is not None:
        found.append((b"User", session.username))
    if settings_id:
        found.append((b"Settings-ID", settings_id.encode()))
    if session.tls is not None:
        version, _, cipher = session.tls.partition(b":")
        found += [(b"TLS-Version", version), (b"TLS-Cipher", cipher.partition(b":")[0])]
    found += [(b"Rcpt", recipient) for recipient in recipients]
    head: RequestFields = []
    room = HEAD_MAX
    for name, value in found:
        line = _line(value)
        room -= len(name) + len(line) + len(b": \r\n")
        if room < 0:
            break
        head.append([name, line])
    return head


def told(head: RequestFields) -> int:
    """Return the number of recipients that rspamd is told of."""
    return sum(name == b"Rcpt" for name, _ in head)


def _address(source: bytes) -> bytes:
    """Return the client's address; that of this host for a client at smtpd's own socket."""
    if source.startswith(b"unix:"):
        return b"127.0.0.1"
    host, _, _ = source.rpartition(b":")
    return host.removeprefix(b"[").removesuffix(b"]")


def _line(value: bytes) -> bytes:
    """Return a value as a header of HTTP may hold it (RFC 9110 section 5.5)."""
    return value[:VALUE_MAX].translate(None, b"\r\n\0").strip(b" \t")
