"""One message through a filter, and what smtpd is told of it."""

import re

from opensmtpd._protocol.filter.connection import FilterConnection
from opensmtpd.filter import EditedMessage, Filter, Session

_AT = b"|0.7|1.2|smtp-in|"
_LINE = b"filter" + _AT + b"data-line|7641df9771b4ed00|1ef1c203cc576e5d|"
LINES = (b"X-Spam: no", b"Received: x", b"\tby y", b"Subject: s", b"A: b", b"", b"t", b".")
FIELDS = ((b"Subject", b" s"), (b"A", b" b"))
"""Names and values of the fields below smtpd's own."""
MESSAGE = b"".join(_LINE + line + b"\n" for line in LINES)
SMTPD = (
    b"config|smtpd-version|7.6.0\nconfig|protocol|0.7\nconfig|ready\n"
    b"report" + _AT + b"link-connect|7641df9771b4ed00|a|pass|192.0.2.5:1|[::1]:25\n"
    b"report" + _AT + b"tx-begin|7641df9771b4ed00|018a64ac\n" + MESSAGE +
    b"filter" + _AT + b"commit|7641df9771b4ed00|1ef1c203cc576e5e|\n"
)  # fmt: skip
RESULT = re.compile(rb"proceed|reject\|[45]\d\d [ -~]+|disconnect\|421 [ -~]+")


class _One(Filter):
    """Gives a message to a handler."""

    def __init__(self, mail: EditedMessage) -> None:
        self.mail = mail

    def on_message(self, session: Session) -> EditedMessage:
        return self.mail


def result(mail: EditedMessage) -> bytes:
    """Have a handler see the message, and return the decision: all that smtpd is told is legal."""
    faults: list[str] = []

    def log(event: str, session: str | None = None, **fields: object) -> None:
        faults.append(event)

    protocol = FilterConnection(_One(mail), log=log)
    protocol.receive(SMTPD, 0.0)
    out = b""
    while sent := protocol.data_to_send():
        out += sent
    assert not [event for event in faults if "fail" in event], faults
    assert not {0, 13} & set(out)
    lines = out.split(b"\n")[:-1]
    assert [line for line in lines if line.endswith(b"|.")] == [lines[-2]], lines
    [decision] = [line.split(b"|", 3)[3] for line in lines if line.startswith(b"filter-result|")]
    assert RESULT.fullmatch(decision), decision
    return decision
