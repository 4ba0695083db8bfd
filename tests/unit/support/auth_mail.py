"""filter-auth with plain data for a DNS, and mail that is judged by it."""

import shlex
from collections.abc import Mapping, Sequence
from typing import Any
from unittest.mock import patch

from opensmtpd import worker
from opensmtpd.answer import Deferred
from opensmtpd.dns import Failed, Found, Question, RecordType, Reply
from opensmtpd.dns import options as dns_options
from opensmtpd.errors import WorkerError
from opensmtpd.testing import Outcome, run_message
from opensmtpd.testing.zone import Zone
from opensmtpd_filters.auth import Inbound, parser
from unit.support.dkim_made import BODY, HEADER, RECORDS, field
from unit.support.dkim_verifying import answers

Answers = Mapping[str, "str | list[str] | Reply"]

KEYS = {name: str(value) for name, value in RECORDS.items()}
CLIENT = "192.0.2.5"
SPF = {"example.com": "v=spf1 ip4:192.0.2.5 -all"}
"""The client may send mail of example.com."""
REJECT = {"_dmarc.example.com": "v=DMARC1; p=reject; rua=mailto:dmarc@example.com"}
QUARANTINE = {"_dmarc.example.com": "v=DMARC1; p=quarantine"}
WATCH = {"_dmarc.example.com": "v=DMARC1; p=none"}
SERVFAIL = Failed("SERVFAIL")

PLAIN = b"".join(HEADER) + b"\r\n" + BODY
"""A message of alice@example.com without a signature."""
SIGNED = field() + PLAIN


class Verifiers:
    """The workers that verify signatures, in the process of a test."""

    def __init__(self, *, later: bool = False, broken: bool = False) -> None:
        self.later, self.broken = later, broken
        self.asked: list[list[Any]] = []
        self.waiting: list[tuple[Deferred[Any], list[Any]]] = []

    def ask(self, claims: list[Any]) -> Deferred[Any]:
        self.asked.append(claims)
        end: Deferred[Any] = Deferred()
        if self.later:
            self.waiting.append((end, claims))
        elif self.broken:
            end.fail(WorkerError("died"))
        else:
            end.settle(answers(claims))
        return end

    def close(self) -> None:
        pass


def records(*zones: Answers) -> dict[Question, Reply]:
    """Return the replies of a DNS of TXT records, or of those whose type stands behind the name."""
    found = {}
    for zone in zones:
        for spelled, value in zone.items():
            name, _, kind = spelled.partition(" ")
            reply = Found((value,)) if isinstance(value, str) else value
            reply = Found(tuple(reply)) if isinstance(reply, list) else reply
            found[Question(name, RecordType(kind or "TXT"))] = reply
    return found


class SlowDns(Zone):
    """A DNS whose answers come when the test lets them."""

    def __init__(self, *zones: Answers) -> None:
        super().__init__(records(KEYS, *zones), cached=False)
        self.waiting: list[tuple[Deferred[list[Reply]], Sequence[Question]]] = []
        self.cancelled = 0

    def ask(self, questions: Sequence[Question], until: float) -> Deferred[list[Reply]]:
        end: Deferred[list[Reply]] = Deferred()
        end.on_cancel(self._count)
        self.waiting.append((end, questions))
        return end

    def _count(self) -> None:
        self.cancelled += 1

    def answer(self) -> None:
        waiting, self.waiting = self.waiting, []
        for end, questions in waiting:
            end.settle(self._replies(questions))


def make(
    line: str = "", *zones: Answers, cached: bool = True, authserv_id: str = "mx.test"
) -> Inbound:
    """Return the filter of a command line; the keys of ``dkim_made`` are always in the DNS."""
    flags = parser().parse_args([*shlex.split(line), *([authserv_id] if authserv_id else [])])
    zone = Zone(records(KEYS, *zones), cached=cached)
    with (
        patch.object(dns_options, "resolver", lambda _: zone),
        patch.object(worker, "Pool", lambda *_, **__: Verifiers()),
    ):
        return Inbound(flags)


def send(
    message: bytes, line: str = "", *zones: Answers, cached: bool = True, **client: Any
) -> Outcome:
    """Return what becomes of a message; CRs at the ends of lines are for signers only."""
    about = {"sender": b"alice@example.com", "helo": b"mx.example.com", **client}
    lines = message.replace(b"\r\n", b"\n")
    return run_message(make(line, *zones, cached=cached), lines, **about)


def front(outcome: Outcome) -> bytes:
    """Return what was put in front of smtpd's own lines."""
    return outcome.message.partition(outcome.received)[0]


def results(outcome: Outcome) -> str:
    """Return the value of the field on top, unfolded."""
    name, _, rest = outcome.message.partition(b":")
    assert name in (b"Authentication-Results", b"ARC-Authentication-Results"), outcome.message
    lines = rest.split(b"\n")
    end = next(at for at, each in enumerate(lines) if at and each[:1] not in (b" ", b"\t"))
    return b" ".join(b" ".join(lines[:end]).split()).decode()
