"""A message on its way through filter-auth, judged while it arrives."""

import time
from functools import partial
from typing import Any

from opensmtpd._counters.counts import count
from opensmtpd.answer import Answer, Deferred
from opensmtpd.dns import Dns, run_lookup
from opensmtpd.errors import Refused
from opensmtpd.filter import REPLY_MAX, EditedMessage, Reject
from opensmtpd.log import log
from opensmtpd.mail.client import Client
from opensmtpd.mail.dmarc.reports.keeper import ReportKeeper
from opensmtpd.mail.inbound.disposition import dispose
from opensmtpd.mail.inbound.edits import write_exemption, write_results
from opensmtpd.mail.inbound.exemption import Exemption
from opensmtpd.mail.inbound.findings import Findings
from opensmtpd.mail.inbound.identities import SpfResults
from opensmtpd.mail.inbound.judgement import Judgement
from opensmtpd.mail.inbound.log_fields import log_fields
from opensmtpd.mail.inbound.report import judged_message
from opensmtpd.mail.inbound.rules import InboundRules
from opensmtpd.mail.policy.action import harmless
from opensmtpd.worker import Pool

HEADERS_MAX = 64 << 20
"""Bytes of memory that the headers of all messages under way may take."""
SMALL, KEPT = 16 << 10, 2048
"""Bytes of a small header, and those that count of it when it has been read: little of it is kept
then. Of a larger one its signatures count besides.
"""
HEADER_MAX = 256 << 10
"""Bytes of the header of one message, or else few messages could take up the room of all."""
LINE_COST = 1
"""Bytes that a line takes beyond its own."""
BUSY = Reject(451, "4.3.2 Too many messages at a time, please try again later")
TOO_LARGE = Reject(550, "5.6.0 Message refused: header too large to be judged")
LOOKS_LIKE_RESULTS = Reject(550, "5.6.0 Message refused: a line of its header is no field")
LEAST_WAIT = 1.0
"""Seconds that policies may be waited for, at least: they were asked for with the keys."""


class Court:
    """The resolver, the workers and the rules that all messages of a filter share."""

    def __init__(
        self,
        dns: Dns,
        pool: Pool,
        keeper: ReportKeeper | None,
        rules: InboundRules,
        within: float,
    ) -> None:
        """``pool`` has PublicKeyWorkers; ``within`` is the time for the DNS, in seconds."""
        self.dns, self.pool, self.keeper = dns, pool, keeper
        self.rules, self.within = rules, within
        self.authserv_id = ""
        """The name under which results are written (RFC 8601 section 2.5)."""
        self.arc = False
        """True to write ARC-Authentication-Results."""
        self.reasons = False
        """True to tell reasons in the header of each message that has one."""
        self.in_headers = 0
        """Bytes of memory that the headers of messages under way take."""


class SparedMail(EditedMessage):
    """A message that is not judged: log and header say so."""

    def __init__(self, court: Court, session: str, client: Client, spared: Exemption) -> None:
        self.court, self.session, self.client, self.spared = court, session, client, spared

    def end(self) -> None:
        """Write that it is not judged."""
        client = self.client
        log("auth-exempt", self.session, exempt=self.spared, address=client.address,
            rdns=client.rdns, helo=client.helo, mailfrom=client.sender)  # fmt: skip
        write_exemption(self, self.court.authserv_id, self.spared)


class JudgedMail(EditedMessage):
    """A message that is judged."""

    def __init__(
        self,
        court: Court,
        session: str,
        client: Client,
        recipient: bytes,
        spf: SpfResults | Deferred[SpfResults],
    ) -> None:
        self.court, self.session, self.recipient, self.spf = court, session, recipient, spf
        self.now = int(time.time())
        self.judgement = Judgement(court.rules, client, self.now)
        self.asked: Deferred[None] | None = None
        self.begun = False
        self.waits_since = 0.0
        self.size = 0

    def header(self, lines: list[bytes]) -> None:
        """Keep a run of header lines. Raises Refused where headers take too much memory."""
        size = sum(map(len, lines)) + LINE_COST * len(lines)
        if self.size + size > HEADER_MAX:
            raise Refused(TOO_LARGE)
        self.count(size)
        self.judgement.header(lines)

    def count(self, size: int) -> None:
        """Count more bytes of memory for the header, or fewer. Raises Refused for too many."""
        if size > 0 and self.court.in_headers + size > HEADERS_MAX:
            raise Refused(BUSY)
        self.court.in_headers += size
        self.size += size

    def body(self, lines: list[bytes]) -> None:
        """Hash a run of body lines."""
        if not self.begun:
            self.begin()
        self.judgement.body(lines)

    def begin(self) -> None:
        """Ask for keys and policies as soon as the header is complete. Raises Refused."""
        self.begun = True
        self.judgement.header_ends()
        if self.judgement.hides_results:
            raise Refused(LOOKS_LIKE_RESULTS)
        if self.size > KEPT:
            signatures = self.judgement.kept if self.size > SMALL else 0
            self.count(KEPT + signatures - self.size)
        asked = run_lookup(self.judgement.ask(), self.court.dns, self.court.within)
        self.asked = asked if isinstance(asked, Deferred) else None

    def stop(self) -> None:
        """Stop asking: the transaction is over."""
        self.count(-self.size)
        if self.asked is not None:
            self.asked.cancel()

    # --- the end: keys, signatures, SPF and DMARC, one after another ----------------------------

    def end(self) -> Answer[None]:
        """Judge the message, and write the results, when all that was asked has come."""
        if not self.begun:
            self.begin()
        self.judgement.body_ends()
        self.waits_since = time.monotonic()
        return self.asked.then(self.verify) if self.asked is not None else self.verify(None)

    def verify(self, _: None) -> Deferred[None] | None:
        """Have a worker verify the signatures. One that fails leaves them undecided."""
        claims = self.judgement.claims()
        if not claims:
            return self.take_spf([])
        verdicts: Deferred[list[Any]] = Deferred()
        asked = self.court.pool.ask(claims)

        def take(replies: Any, error: BaseException | None) -> None:
            if error is not None:
                log("auth-unverified", self.session, reason=error)
            verdicts.settle([] if error is not None else replies)

        verdicts.on_cancel(asked.cancel)
        asked.on_end(take)
        return verdicts.then(self.take_spf)

    def take_spf(self, replies: list[Any]) -> Deferred[None] | None:
        """Wait for SPF, which has its own time."""
        waited = time.monotonic() - self.waits_since
        judge = partial(self.judge, replies, max(LEAST_WAIT, self.court.within - waited))
        return self.spf.then(judge) if isinstance(self.spf, Deferred) else judge(self.spf)

    def judge(self, replies: list[Any], within: float, spf: SpfResults) -> Deferred[None] | None:
        """Ask for the policy, and judge."""
        found = run_lookup(self.judgement.findings(spf, replies), self.court.dns, within)
        if isinstance(found, Deferred):
            return found.then(self.finish)
        self.finish(found)
        return None

    def finish(self, found: Findings) -> None:
        """Log, keep and write the results. Raises Refused."""
        court = self.court
        disposition = dispose(found, court.rules)
        log("auth", self.session, **log_fields(found, disposition))
        count_results(found)
        if court.keeper is not None:
            record = judged_message(found, disposition, self.recipient, self.now)
            if record is not None:
                court.keeper.keep(record)
        if disposition.action == "reject":
            raise Refused(refusal(disposition.reply))
        write_results(
            self, court.authserv_id, found, disposition, arc=court.arc, reasons=court.reasons
        )


def count_results(found: Findings) -> None:
    """Count the results of a message, of DKIM those of all signatures."""
    for method, results in (
        ("spf", [found.spf.sender.result]),
        ("dkim", [each.result for each in found.dkim] or ["none"]),
        ("arc", [found.arc.result]),
        ("dmarc", [found.dmarc.result]),
    ):
        for result in results:
            count("opensmtpd_plugin_verifications", method, result)


def refusal(words: str) -> Reject:
    """Return a refusal with a text that may hold any characters."""
    return Reject(550, harmless(words)[: REPLY_MAX - 4].rstrip())
