"""A session, what reports said about it, and what is under way for it."""

from collections import deque
from typing import Any

from opensmtpd._protocol.filter.message import Message
from opensmtpd.errors import Refusal
from opensmtpd.filter import Session, SessionAttribute
from opensmtpd.filter.events import Report
from opensmtpd.filter.session import _EMPTY, REPORT_OF, TRANSACTION

_FIELD: dict[SessionAttribute, str] = {
    "greeting": "hostname",
    "tls": "ciphers",
    "sender": "address",
    "recipients": "address",
}
"""Attribute to the field of its report, where the field has another name."""
_FILLED: dict[str, list[SessionAttribute]] = {}
"""Report to the attributes that it fills."""
for _name, _report in REPORT_OF.items():
    _FILLED.setdefault(_report, []).append(_name)


def reports_for(uses: tuple[SessionAttribute, ...]) -> frozenset[str]:
    """Return the names of the reports that fill or empty the attributes in ``uses``."""
    reports = {REPORT_OF[name] for name in uses}
    if TRANSACTION & set(uses):
        reports.add("tx-reset")
    return frozenset(reports)


def record_report(session: Session, event: str, report: Report) -> None:
    """Write the values of ``report`` into ``session``; those of a refused command do not count."""
    kept = session.__dict__
    if event == "tx-reset":
        for name in TRANSACTION & kept.keys():
            kept[name] = _EMPTY[name]()
    elif getattr(report, "result", "ok") in ("ok", "pass"):
        for name in _FILLED.get(event, ()):
            if name in kept:
                _fill(kept, name, report)


def _fill(kept: dict[str, Any], name: SessionAttribute, report: Report) -> None:
    value = getattr(report, _FIELD.get(name, name))
    if name == "recipients":
        kept[name].append(value)
    else:
        kept[name] = value


class SessionState:
    """A session, its messages in flight, and the refusal that its next commit is answered with."""

    __slots__ = ("id", "messages", "out", "refusal", "session", "streams")

    def __init__(self, id: bytes, session: Session) -> None:
        self.id = id
        self.session = session
        self.messages: dict[bytes, Message] = {}  # by token
        self.out: deque[Message] = deque()  # messages with lines to send, in order
        self.refusal: Refusal | None = None  # the answer to the next commit
        self.streams: dict[bytes, Message] = {}  # by the bytes that their lines begin with
