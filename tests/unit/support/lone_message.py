"""A message without a protocol around it: lines in, lines out."""

from collections.abc import Sequence

from opensmtpd._protocol.filter.message import Message
from opensmtpd._protocol.filter.spool import Budget

S, T = b"1718c5e591926d28", b"1f083015d732b8dd"
LONGEST = 65485
"""Bytes of the longest line that can be sent back: 65,536 less the prefix and a line feed."""


def message(handler: object = None, budget: Budget | None = None) -> Message:
    new = Message(S, T, budget or Budget())
    new.attach(handler)
    return new


def sent(message: Message) -> list[bytes]:
    """Return the lines that go out, without their prefix."""
    out = b""
    while message.wants_to_send():
        out += message.take(100)
    lines = out.split(b"\n")
    assert lines.pop() == b""
    prefix = b"filter-dataline|1718c5e591926d28|1f083015d732b8dd|"
    assert all(line.startswith(prefix) for line in lines)
    return [line.removeprefix(prefix) for line in lines]


def through(
    handler: object, lines: Sequence[bytes], run: int = 1000, front: object = ()
) -> list[bytes]:
    m = message(handler)
    for at in range(0, len(lines), run):
        m.receive(list(lines[at : at + run]))
    m.close_input(front)
    return sent(m)
