"""Messages that smtpd has accepted, read where they wait.

They are what an agent of delivery would get, without the time that a delivery takes. Have smtpd
keep them: ``smtpctl pause mda``.
"""

import re
from pathlib import Path
from typing import NamedTuple

QUEUE = "var/spool/smtpd/queue"
ACCEPTED = re.compile(rb"([0-9a-f]{8}) Message accepted")
RECEIVED = re.compile(rb"(?<= id )[0-9a-f]{8}(?=[ ;\n])|(?<=;\n\t)\w{3}, .*(?=\n)")


class Outcome(NamedTuple):
    """What smtpd made of a mail."""

    reply: bytes
    """To its final dot, or what refused it before; without the number of the message."""
    message: bytes = b""
    """As smtpd has it in its queue, without the number and the time in its own Received."""


def outcome(view: Path, reply: bytes) -> Outcome:
    """Return a reply to a client, and the message that smtpd has accepted with it."""
    found = ACCEPTED.search(reply)
    if not found:
        return Outcome(reply)
    number = found[1].decode("ascii")
    message = (view / QUEUE / number[:2] / number / "message").read_bytes()
    said = ACCEPTED.sub(b"(number) Message accepted", reply)
    return Outcome(said, RECEIVED.sub(b"", message, count=2))
