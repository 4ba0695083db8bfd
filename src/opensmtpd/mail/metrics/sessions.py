"""Counts of sessions and transactions, from the reports of smtpd."""

from bisect import bisect_left
from typing import TypeAlias

from opensmtpd._counters.counts import Counts
from opensmtpd._counters.names import DIRECTIONS, SMTPD, TLS_VERSIONS, Metric
from opensmtpd.filter import Session, events

Answered: TypeAlias = events.TxMail | events.TxRcpt | events.TxData
COMMANDS = {events.TxMail: "mail", events.TxRcpt: "rcpt", events.TxData: "data"}


class Histogram:
    """Observations in buckets: the number in each, and the sum of all."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """Add a value; a bound belongs to the bucket below it."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value


class Begun:
    """The facts of a session that are kept until it ends."""

    __slots__ = ("began", "tls")

    def __init__(self, began: float) -> None:
        self.began = began
        self.tls = "none"


class SessionCounts:
    """All counts of smtpd's sessions. ``session.data`` is used for a Begun."""

    def __init__(self) -> None:
        self.counts = Counts(metric for metric in SMTPD if metric.kind != "histogram")
        self.histograms = {
            (metric.name, direction): Histogram(metric.buckets)
            for metric in SMTPD
            if metric.kind == "histogram"
            for direction in DIRECTIONS
        }

    def connect(self, session: Session, report: events.LinkConnect) -> None:
        """Take the beginning of a session."""
        session.data = Begun(report.time)
        self.counts.add("opensmtpd_connections", direction(session), report.fcrdns)
        self.counts.add("opensmtpd_open_sessions", direction(session))

    def tls(self, session: Session, report: events.LinkTLS) -> None:
        """Take the version of TLS, which stands in front of the ciphers."""
        if isinstance(session.data, Begun):
            version = report.ciphers.partition(b":")[0].decode("latin-1")
            session.data.tls = version if version in TLS_VERSIONS else "other"

    def authenticate(self, session: Session, report: events.LinkAuth) -> None:
        """Take the end of AUTH."""
        self.counts.add("opensmtpd_authentications", direction(session), report.result)

    def answer(self, session: Session, report: Answered) -> None:
        """Take the answer to a command of a transaction."""
        command = COMMANDS[type(report)]
        self.counts.add("opensmtpd_commands", direction(session), command, report.result)

    def commit(self, session: Session, report: events.TxCommit) -> None:
        """Take a message that was accepted."""
        self.counts.add("opensmtpd_messages", direction(session), "commit")
        histogram = self.histograms["opensmtpd_message_size_bytes", direction(session)]
        histogram.observe(max(0, report.size))

    def roll_back(self, session: Session) -> None:
        """Take a transaction that was given up."""
        self.counts.add("opensmtpd_messages", direction(session), "rollback")

    def respond(self, report: events.FilterResponse) -> None:
        """Take the decision of the filters."""
        self.counts.add("opensmtpd_filter_responses", report.phase, report.decision)

    def time_out(self, session: Session) -> None:
        """Take the end of patience."""
        self.counts.add("opensmtpd_timeouts", direction(session))

    def disconnect(self, session: Session, report: events.LinkDisconnect) -> None:
        """Take the end of a session. One whose beginning was not reported is not counted."""
        if not isinstance(session.data, Begun):
            return
        self.counts.add("opensmtpd_open_sessions", direction(session), by=-1)
        self.counts.add("opensmtpd_sessions", direction(session), session.data.tls)
        seconds = max(0.0, report.time - session.data.began)  # a clock may be set back
        self.histograms["opensmtpd_session_duration_seconds", direction(session)].observe(seconds)


def direction(session: Session) -> str:
    """Return the label of a session."""
    return "out" if session.outgoing else "in"


def histograms_of(counts: SessionCounts, metric: Metric) -> list[tuple[str, Histogram]]:
    """Return the histograms of a metric, each with its direction."""
    return [(each, counts.histograms[metric.name, each]) for each in DIRECTIONS]
