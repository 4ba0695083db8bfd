"""A milter that is played by the test: its bytes come whole or in pieces."""

from collections.abc import Iterator
from ipaddress import ip_address

from opensmtpd.mail.milter.negotiation import Negotiated
from opensmtpd.mail.milter.replies import MilterReply
from opensmtpd.mail.milter.session import MilterSession, Sent

SIZES = (1, 2, 7, 1_000_000)
"""Bytes that come at once."""


def packet(letter: bytes, data: bytes = b"") -> bytes:
    """Return a frame, made without our own code."""
    return bytes([0, *divmod((len(data) + 1) // 256, 256), (len(data) + 1) % 256]) + letter + data


def answer(version: int, actions: int, steps: int, symbols: bytes = b"") -> bytes:
    """Return a milter's answer to the offer."""
    numbers = b"".join(number.to_bytes(4) for number in (version, actions, steps))
    return packet(b"O", numbers + symbols)


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    for at in range(0, len(data), size):
        yield data[at : at + size]


def hear(
    session: MilterSession, data: bytes, size: int = 1_000_000
) -> list[Negotiated | MilterReply]:
    """Return the replies in a milter's bytes."""
    return [reply for piece in pieces(data, size) for reply in session.receive(piece)]


def negotiated(
    actions: int = 0x1FF, steps: int = 0, version: int = 6, symbols: bytes = b""
) -> MilterSession:
    """Return a session whose milter has answered."""
    session = MilterSession()
    session.negotiate()
    hear(session, answer(version, actions, steps, symbols))
    return session


def replied(session: MilterSession, sent: Sent, reply: bytes = b"c") -> bytes:
    """Have the milter reply where it has to, and return the bytes that it got."""
    assert sent.due is session.due
    if sent.due:
        hear(session, packet(reply))
        assert not session.due
    return sent.data


def at_message(session: MilterSession) -> MilterSession:
    """Lead a session to the end of a message without a body, before ``eom``."""
    replied(session, session.connect(b"", ip_address("127.0.0.1")))
    replied(session, session.helo(b"c.example.org"))
    replied(session, session.mail(b"a@example.org"))
    replied(session, session.rcpt(b"b@example.net"))
    replied(session, session.data())
    replied(session, session.header(b"From", b" a@example.org"))
    replied(session, session.eoh())
    return session


def at_eom(session: MilterSession) -> MilterSession:
    """Lead a session to where the modifications come."""
    assert at_message(session).eom().due
    return session
