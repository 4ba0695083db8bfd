"""What smtpd itself does to a message between its filters and the delivery agent.

The one list of it, so that a test can ask for everything else to be byte for byte what was sent
(smtp_session.c: ``smtp_tx_dataline``, ``smtp_message_begin``, ``header_domain_append_callback``):

- a NUL ends its line, and one CR in front of each LF is taken for part of the line end;
- ``Received`` is put in front;
- ``Bcc`` is dropped;
- an address without a domain in From, To or Cc gets that of the listener;
- on port 587 and on local listeners ``Date`` and ``Message-ID`` are added where they lack;
- a header section with a line that is neither field nor continuation is refused with 550.
"""

import re
from dataclasses import dataclass, field

RECEIVED = b"Received: "
FRONT = re.compile(
    rb"(?P<signature>(?:DKIM-Signature: .*\n(?:\t.*\n)+)*)"
    rb"Received: (?:from .*)?\n\tby example\.com \(OpenSMTPD\) with E?SMTPS?A? id [0-9a-f]{8}"
    rb"(?: \(TLS.*\))?\n\tfor <.*>;\n\t.*\n"
)
"""Our signature and smtpd's Received, as they stand in front of a delivered message."""

ADDED_DATE = (
    rb"Date: [A-Z][a-z]{2}, [ \d]?\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d [+-]\d{4} \(\w+\)\n"
)
ADDED_MESSAGE_ID = rb"Message-ID: <[0-9a-f]{16}@example\.com>\n"


@dataclass
class Passage:
    """A message as it leaves smtpd, without what was put in front; LF ends each line."""

    header: list[bytes] = field(default_factory=list)
    body: list[bytes] = field(default_factory=list)
    """The blank line and what follows; empty where the message is a header alone."""
    fields: set[bytes] = field(default_factory=set)
    """The names of the fields in ``header``, in lower case."""
    completed: set[bytes] = field(default_factory=set)
    """Those of which smtpd completed an address."""

    def difference(self, delivered: bytes, submission: bool) -> str | None:
        """Tell where ``delivered`` begins to differ; None if it does not.

        ``submission``: it came in on port 587 or locally.
        """
        header = b"".join(line + b"\n" for line in self.header)
        if not delivered.startswith(header):
            return first_difference(header, delivered)
        place = len(header)
        for name, pattern in ((b"date", ADDED_DATE), (b"message-id", ADDED_MESSAGE_ID)):
            if submission and name not in self.fields:
                added = re.compile(pattern).match(delivered, place)
                if added is None:
                    return f"no {name.decode()} added: {delivered[place : place + 80]!r}"
                place = added.end()
        return first_difference(b"".join(line + b"\n" for line in self.body), delivered[place:])


def first_difference(wanted: bytes, got: bytes) -> str | None:
    """Show where two messages begin to differ; None if they do not."""
    if wanted == got:
        return None
    place = next(
        (n for n, (one, other) in enumerate(zip(wanted, got, strict=False)) if one != other),
        min(len(wanted), len(got)),
    )
    start = max(0, place - 40)
    return f"at {place}: wanted {wanted[start : place + 40]!r}, got {got[start : place + 40]!r}"


def through_smtpd(message: bytes, domain: bytes = b"example.com") -> Passage | None:
    """Return what smtpd makes of ``message`` (dot-stuffing undone); None if it refuses it."""
    passage = Passage()
    if not message:
        return passage
    lines = [
        line.removesuffix(b"\r").partition(b"\0")[0]
        for line in message.removesuffix(b"\n").split(b"\n")
    ]
    current = [RECEIVED]
    for number, line in enumerate(lines):
        if line.startswith((b" ", b"\t")):
            current.append(line)
            continue
        _finish(passage, current, domain)
        if b":" not in line:
            passage.body = lines[number:]
            return None if line else passage
        current = [line]
    _finish(passage, current, domain)
    return passage


def _finish(passage: Passage, lines: list[bytes], domain: bytes) -> None:
    """Take a whole field into the header as smtpd writes it."""
    if (
        lines[0] is RECEIVED
    ):  # the message began with a folded line: it belongs to smtpd's own field
        passage.header += lines[1:]
        return
    name, _, rest = lines[0].partition(b":")
    lowered = name.lower()
    if lowered == b"bcc":
        return
    passage.fields.add(lowered)
    if lowered in (b"from", b"to", b"cc"):
        sent = b"\n".join([rest, *lines[1:], b""])
        value = complete(sent, domain)
        if value != sent:
            passage.completed.add(lowered)
        lines = (name + b":" + value).removesuffix(b"\n").split(b"\n")
    passage.header += lines


def complete(value: bytes, domain: bytes) -> bytes:
    """Return an address field with ``domain`` behind each address that has none."""
    parts = [b""]
    escape = quote = False
    comment = 0
    for byte in _each(value):
        if byte == b"(" and not escape and not quote:
            comment += 1
        elif byte == b'"' and not escape and not comment:
            quote = not quote
        elif byte == b")" and not escape and not quote and comment:
            comment -= 1
        if byte != b"\n":  # smtpd looks at lines: their ends leave its state as it was
            escape = byte == b"\\" and not escape and not comment
        if byte == b"," and not quote and not comment:
            parts.append(b"")
        else:
            parts[-1] += byte
    return b",".join(_complete_one(part, domain) for part in parts)


def _each(value: bytes) -> list[bytes]:
    return [value[n : n + 1] for n in range(len(value))]


def _complete_one(address: bytes, domain: bytes) -> bytes:
    escape = quote = bracket = False
    comment = last = close = 0
    for place, byte in enumerate(_each(address)):
        outside = not quote and not comment  # a backslash in front of these hides none of them
        if byte == b"(" and not escape and not quote:
            comment += 1
        elif byte == b")" and not escape and not quote and comment:
            comment -= 1
        elif byte == b'"' and not escape and not comment:
            quote = not quote
        elif outside and byte in b"@:":
            return address  # it has a domain, or is a group
        elif outside and byte == b"<":
            bracket = True
        elif outside and byte == b">" and bracket:
            bracket, close = False, place
        escape = byte == b"\\" and outside and not escape
        if not comment and byte != b")" and not byte.isspace():
            last = place
    if escape or quote or comment or bracket:
        return address  # smtpd does not touch what it cannot read
    if close:
        before = address[:close].rstrip()
        if before.endswith(b"<"):
            return address
        last = len(before) - 1
    elif not address[last : last + 1].strip():
        return address  # empty, or nothing but white space and comments
    return address[: last + 1] + b"@" + domain + address[last + 1 :]
