"""The field table: which fields an event has, in which order, in which protocol version.

The only place that knows orders. Source: ``lka_filter.c`` of OpenSMTPD 6.6 (protocol 0.5),
6.8 (0.6) and 7.6 to 7.9 (0.7); smtpd-filters(7).

A report is ``report|VERSION|TIME|DIRECTION|EVENT|SESSION[|FIELDS]``, where the direction is
``smtp-in`` or ``smtp-out``; a request is
``filter|VERSION|TIME|smtp-in|PHASE|SESSION|TOKEN|FIELDS``. A ``*`` marks the one field of an event
that may hold ``|`` itself; fields that a later smtpd appends to an event without one are skipped.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from opensmtpd.errors import DecisionError, ProtocolError, Refusal, Refused, VersionError
from opensmtpd.filter import events
from opensmtpd.filter.decisions import encode

V05, V06, V07 = (0, 5), (0, 6), (0, 7)
OLDEST, NEWEST = V05, V07

_Table = dict[str, tuple[Callable[..., Any], str | dict[tuple[int, int], str]]]

REPORTS: _Table = {
    "link-connect": (events.LinkConnect, "*rdns fcrdns source destination"),
    "link-disconnect": (events.LinkDisconnect, ""),
    "link-greeting": (events.LinkGreeting, "hostname"),
    "link-identify": (events.LinkIdentify, "verb *identity"),
    "link-tls": (events.LinkTLS, "ciphers"),
    "link-auth": (events.LinkAuth, {V05: "*username result", V07: "result *username"}),
    "tx-reset": (events.TxReset, "msgid"),
    "tx-begin": (events.TxBegin, "msgid"),
    "tx-mail": (events.TxMail, {V05: "msgid *address result", V06: "msgid result *address"}),
    "tx-rcpt": (events.TxRcpt, {V05: "msgid *address result", V06: "msgid result *address"}),
    "tx-envelope": (events.TxEnvelope, "msgid envelope"),
    "tx-data": (events.TxData, "msgid result"),
    "tx-commit": (events.TxCommit, "msgid size"),
    "tx-rollback": (events.TxRollback, "msgid"),
    "protocol-client": (events.ProtocolClient, "*command"),
    "protocol-server": (events.ProtocolServer, "*response"),
    "filter-report": (events.FilterReport, "kind name *message"),
    "filter-response": (events.FilterResponse, "phase decision *parameter?"),
    "timeout": (events.Timeout, ""),
}

REQUESTS: _Table = {
    "connect": (events.Connect, "*rdns address"),
    "helo": (lambda **fields: events.Helo(verb="HELO", **fields), "*identity"),
    "ehlo": (events.Helo, "*identity"),
    "starttls": (events.StartTLS, ""),
    "auth": (events.Auth, "*parameter"),
    "mail-from": (events.MailFrom, "*address"),
    "rcpt-to": (events.RcptTo, "*address"),
    "data": (events.Data, ""),
    "commit": (events.Commit, ""),
    "rset": (events.Rset, ""),
    "quit": (events.Quit, ""),
    "noop": (events.Noop, ""),
    "help": (events.Help, ""),
}
"""All phases but data-line, whose field is one line of a message. (7.8 and older also know
``wiz``; to register it is fatal from 7.9 on, so no filter here can.)"""

_TEXT = {"msgid", "envelope", "result", "fcrdns", "verb", "kind", "phase", "decision"}
"""Fields that are smtpd's own words."""


class Line(NamedTuple):
    """The frame of a line, the same for all events; ``fields`` are the bytes behind the session."""

    kind: bytes
    version: bytes
    stamp: bytes
    direction: bytes
    event: str
    session: bytes
    fields: bytes


def parse(line: bytes) -> Line:
    """Cut a line of smtpd's into its frame. Raises ProtocolError where it has none."""
    try:
        kind, version, stamp, direction, event, session, *rest = line.split(b"|", 6)
    except ValueError:
        raise ProtocolError("a line with too few fields") from None
    fields = rest[0] if rest else b""
    return Line(kind, version, stamp, direction, event.decode("latin-1"), session, fields)


def _time(stamp: bytes) -> float:
    try:
        return float(stamp)
    except ValueError:
        raise ProtocolError("a line without a time") from None


def version(text: bytes) -> tuple[int, int]:
    """Return the protocol version to read by, for the one that smtpd names.

    Raises VersionError for one older than 0.5; one newer than ours is read as our newest, for
    smtpd only ever appended fields or made a version that says so in its own release.
    """
    try:
        major, minor = (int(part) for part in text.split(b".", 1))
    except ValueError:
        raise ProtocolError("not a protocol version") from None
    if (major, minor) < OLDEST:
        raise VersionError(f"filter protocol {major}.{minor} is older than 0.5 and not spoken")
    return min((major, minor), NEWEST)


class _Codec(NamedTuple):
    make: Callable[..., Any]
    names: tuple[str, ...]
    star: int | None
    required: int
    read: tuple[str, ...]
    """The names of fields that are no bytes."""

    def decode(self, stamp: bytes, raw: bytes) -> Any:
        fields = self.fields(raw)
        for name in self.read:
            if name in fields:
                fields[name] = _value(name, fields[name])
        return self.make(time=_time(stamp), **fields)

    def fields(self, raw: bytes) -> dict[str, Any]:
        names, star = self.names, self.star
        if not names:
            return {}
        cells = raw.split(b"|")
        extra = len(cells) - len(names)
        if extra > 0 and star is not None:
            cells[star : star + extra + 1] = [b"|".join(cells[star : star + extra + 1])]
        elif len(cells) < self.required:
            raise ProtocolError("an event with too few fields")
        return dict(zip(names, cells, strict=False))


def _value(name: str, cell: bytes) -> str | int:
    if name in _TEXT:
        return cell.decode("ascii", "backslashreplace")
    try:
        return int(cell)
    except ValueError:
        raise ProtocolError("a size that is no number") from None


def _codec(make: Callable[..., Any], names: str) -> _Codec:
    fields = names.split()
    star = next((i for i, name in enumerate(fields) if name.startswith("*")), None)
    required = sum(not name.endswith("?") for name in fields)
    bare = tuple(name.strip("*?") for name in fields)
    read = tuple(name for name in bare if name in _TEXT or name == "size")
    return _Codec(make, bare, star, required, read)


def _codecs(table: _Table, spoken: tuple[int, int]) -> dict[str, _Codec]:
    return {name: _codec(make, _order(names, spoken)) for name, (make, names) in table.items()}


def _order(names: str | dict[tuple[int, int], str], spoken: tuple[int, int]) -> str:
    if isinstance(names, str):
        return names
    return names[max(since for since in names if since <= spoken)]


class Decoder:
    """Reads the fields of events as one protocol version orders them."""

    def __init__(self, spoken: tuple[int, int]) -> None:
        self._reports = _codecs(REPORTS, spoken)
        self._requests = _codecs(REQUESTS, spoken)

    def report(self, line: Line) -> events.Report:
        """Return the report on a line. Raises ProtocolError for one that makes no sense."""
        codec = self._reports.get(line.event)
        if codec is None:
            raise ProtocolError(f"unknown report {line.event!r:.40}")
        report: events.Report = codec.decode(line.stamp, line.fields)
        return report

    def request(self, phase: str, stamp: bytes, fields: bytes) -> events.FilterRequest:
        """Return the request of a phase. Raises ProtocolError for one that makes no sense."""
        codec = self._requests.get(phase)
        if codec is None:
            raise ProtocolError(f"unknown phase {phase!r:.40}")
        request: events.FilterRequest = codec.decode(stamp, fields)
        return request


def result(phase: str, session: bytes, token: bytes, decision: object) -> bytes:
    """Return the line that answers a request. Raises DecisionError where it would be illegal."""
    return b"filter-result|%s|%s|%s\n" % (session, token, encode(phase, decision))


def refusal(error: Refused) -> Refusal:
    """Return the decision in ``error``. Raises DecisionError where smtpd would not take it.

    Refused checks its decision, but a subclass need not call its constructor.
    """
    decision = getattr(error, "decision", None)
    if not isinstance(decision, Refusal):
        raise DecisionError(f"a {type(error).__name__} without a decision that refuses")
    try:
        encode("commit", decision)
    except AttributeError:  # of a subclass of Reject that has no code
        raise DecisionError(f"a {type(decision).__name__} without code and text") from None
    # One that is raised again and again would keep the frames of each time, lines of mail in them.
    error.__traceback__ = None
    return decision


def dataline_prefix(session: bytes, token: bytes) -> bytes:
    """Return the bytes in front of each line of a message on its way back."""
    return b"filter-dataline|%s|%s|" % (session, token)
