"""A client of smtpd, as the milters hear of it: the front's end of a chain in the worker."""

from collections.abc import Sequence
from time import monotonic
from typing import Any, Literal

from opensmtpd.answer import Deferred
from opensmtpd.errors import WorkerError
from opensmtpd.filter import PROCEED, Disconnect, PhaseDecision, Reject, Session
from opensmtpd.log import log
from opensmtpd.mail.client import Client
from opensmtpd.mail.milter.macros import address, host_name, macros, port
from opensmtpd.mail.milter.outcome import MilterFate, MilterOutcome
from opensmtpd.mail.milter.process import orders
from opensmtpd.mail.place import Place
from opensmtpd.worker import Pool

WORKER = "opensmtpd.mail.milter.process.worker:MilterWorker"
LATE = 15.0
"""Seconds until a worker is replaced that does not even say that a milter takes its time."""
WAITING = 20_000
"""Sessions that wait for milters at a time, at most."""
PING_WITHIN = 4.0
"""Seconds that ``-n`` waits for all milters."""

UNAVAILABLE = Reject(451, "4.7.1 Service unavailable, please try again later")
DISCARDED = Reject(550, "5.7.1 Message refused")


class Milters:
    """The worker, and the options that all sessions share."""

    def __init__(
        self,
        places: Sequence[Place],
        names: Sequence[str],
        timeouts: Sequence[float],
        *,
        patience: float,
        opens: bool,
        rejects_discarded: bool,
        refuses_envelopes: bool,
    ) -> None:
        """``names`` are for the log; ``timeouts`` those of ``process.connection``.

        ``patience`` is the seconds that all milters together have for what smtpd asks: a command,
        or a message. ``opens`` lets mail pass that a milter cannot be asked about.

        Raises ConfigError.
        """
        self.names, self.patience, self.opens = names, patience, opens
        self.rejects_discarded, self.refuses_envelopes = rejects_discarded, refuses_envelopes
        plain = [each if isinstance(each, str) else list(each) for each in places]
        setup = [plain, list(timeouts), opens]
        self.server = b""
        """The server's name, once smtpd has said it."""
        self.pool = Pool(WORKER, setup, deadline=LATE, queue=WAITING, window=WAITING)
        self._number = 0

    def number(self) -> int:
        """Return a number for a new chain."""
        self._number += 1
        return self._number

    def unreachable(self) -> list[str]:
        """Return what is wrong with each milter that cannot be asked now; waits for all."""
        found, seconds = [], PING_WITHIN / len(self.names)
        for index, name in enumerate(self.names):
            try:
                self.pool.request([orders.PING, index, 0.9 * seconds], seconds)
            except WorkerError as error:
                found.append(f"{name}: {error}")
        return found


class MilterClient:
    """One session of smtpd."""

    def __init__(self, milters: Milters, session: Session) -> None:
        self.milters, self.session = milters, session
        self.client = Client.of(session)
        self.sender: bytes | None = None
        """MAIL FROM, which smtpd does not report where it has 255 bytes or more."""
        self.until = 0.0
        """The time of ``time.monotonic`` when the milters must be done with what smtpd asks."""
        self.number = 0
        """The number of the chain, 0 where there is none: it comes with the next message."""
        self.wanted = True
        """False where no milter wants to hear more of this session."""
        self.message: Literal["", "under way", "failed", "passes"] = ""
        """The state of the message, "" where there is none."""
        self.data_passed = False
        """True where the milters have let DATA pass. They take no recipient behind it, and no DATA:
        a filter behind this one may refuse it, and a client may say either again."""
        self.discarded = False
        """True where a milter wants the message to be thrown away."""
        self.outdated = False
        """True where a chain is to be begun anew with the next message: mail passes without milters
        that it has lost, or the client has said another EHLO amid a message."""
        self.refusal: Reject | Disconnect | None = None
        """The refusal of the session, which holds to its end: smtpd lets a client say EHLO again
        that was refused."""
        self.refused_message: Reject | Disconnect | None = None
        """The refusal of a message, which holds to its end: a client may say DATA again, or name
        other recipients."""

    # --- the worker -----------------------------------------------------------------------------

    def begin(self) -> None:
        """Begin the time that smtpd waits, for all steps that its question takes."""
        self.until = monotonic() + self.milters.patience

    def ask(self, order: int, *arguments: Any) -> Deferred[Any]:
        """Return the reply of the worker, however long a milter takes. Fails with WorkerError."""
        pool, number = self.milters.pool, self.number
        result: Deferred[Any] = Deferred()

        def take(reply: Any, error: BaseException | None) -> None:
            if error is not None:
                result.fail(error)
            elif reply is None:
                pool.ask([orders.WAIT, number]).on_end(take)
            else:
                result.settle(reply)

        pool.ask([order, number, *arguments]).on_end(take)
        return result

    def step(self, order: int, *arguments: Any) -> Deferred[MilterOutcome]:
        """Return the outcome of a step, in time; a worker that fails is one, too."""
        result: Deferred[MilterOutcome] = Deferred()
        number = self.number

        def take(reply: Any, error: BaseException | None) -> None:
            if error is not None and number != self.number:
                outcome = MilterOutcome(MilterFate.FAILED)  # closed, for the client is gone
            elif error is not None:
                outcome = self.lost(error)
            else:
                outcome = MilterOutcome.of(reply)
                for index, reason in outcome.lost:
                    name = self.milters.names[index]
                    log("milter-lost", self.session.id, milter=name, reason=reason)
                self.outdated |= bool(outcome.lost)
                if outcome.fate is MilterFate.FAILED:
                    self.close()
                elif outcome.fate is MilterFate.REFUSED:
                    name = self.milters.names[outcome.milter]
                    log("milter-refused", self.session.id, milter=name,
                        reply=f"{outcome.code} {outcome.text}")  # fmt: skip
            result.settle(outcome)

        self.ask(order, self.until, *arguments).on_end(take)
        return result

    def lost(self, error: BaseException) -> MilterOutcome:
        """Take note that the worker has failed; return the outcome."""
        log("milter-lost", self.session.id, reason=error)
        self.close()
        return MilterOutcome(MilterFate.GOES_ON if self.milters.opens else MilterFate.FAILED)

    def macros(self, recipient: bytes | None = None) -> dict[str, bytes]:
        """Return the macros of now."""
        return macros(self.session, self.client, self.milters.server, self.sender, recipient)

    # --- the session ------------------------------------------------------------------------------

    def connect(self) -> Deferred[MilterOutcome]:
        """Begin a chain."""
        self.number, self.wanted, self.outdated = self.milters.number(), True, False
        client = self.client
        where = (host_name(client), address(client), port(self.session))
        return self.step(orders.CONNECT, *where, self.macros())

    def helo(self, identity: bytes) -> Deferred[MilterOutcome]:
        """Tell of HELO."""
        return self.step(orders.HELO, identity, self.macros())

    def begun(self, identity: bytes) -> Deferred[MilterOutcome]:
        """Begin a chain for a message, where that of the session is gone."""

        def greet(outcome: MilterOutcome) -> MilterOutcome | Deferred[MilterOutcome]:
            silent = outcome.fate is not MilterFate.GOES_ON or not self.number or not identity
            return outcome if silent else self.helo(identity)

        def note(outcome: MilterOutcome) -> MilterOutcome:
            if outcome.fate is MilterFate.REFUSED:
                self.refusal = refused(outcome)
            return outcome

        return self.connect().then(greet).then(note)

    def close(self) -> None:
        """End the chain; milters that work on something are left."""
        if self.number:
            self.milters.pool.ask([orders.QUIT, self.number])
            self.number = 0

    # --- the message ------------------------------------------------------------------------------

    def mail(self, sender: bytes, identity: bytes) -> PhaseDecision | Deferred[PhaseDecision]:
        """Return the decision on MAIL FROM; a chain that is gone is begun anew."""
        self.reset()
        if self.refusal is not None:
            return self.refusal
        self.message = "under way"
        if self.number and not self.wanted:
            self.message = "passes"
            return PROCEED
        self.sender = sender
        self.begin()
        macros = self.macros()

        def ask(outcome: MilterOutcome) -> MilterOutcome | Deferred[MilterOutcome]:
            asked = outcome.fate is MilterFate.GOES_ON and self.number and outcome.wanted
            return self.step(orders.MAIL, sender, macros) if asked else outcome

        def ask_anew(outcome: MilterOutcome) -> MilterOutcome | Deferred[MilterOutcome]:
            if self.number and not outcome.lost:
                return outcome
            self.close()
            return self.begun(identity).then(ask)

        if not self.number:
            return self.begun(identity).then(ask).then(self.decide)
        return self.step(orders.MAIL, sender, macros).then(ask_anew).then(self.decide)

    def command(self, order: int, *arguments: Any) -> PhaseDecision | Deferred[PhaseDecision]:
        """Return the decision on another command of a message."""
        if self.refused_message is not None:
            return self.refused_message
        if self.message == "failed":
            return UNAVAILABLE
        if self.message != "under way":
            return PROCEED
        if self.data_passed:
            return PROCEED if order == orders.DATA else UNAVAILABLE
        self.begin()
        decide = self.decide_data if order == orders.DATA else self.decide
        return self.step(order, *arguments).then(decide)

    def reset(self) -> None:
        """Forget the message; an outdated chain is begun anew with the next one."""
        if self.message and self.outdated:
            self.close()
        elif self.message and self.number:
            self.milters.pool.ask([orders.ABORT, self.number])
        self.message, self.discarded, self.refused_message = "", False, None
        self.sender, self.data_passed = None, False

    def greeted(self, outcome: MilterOutcome) -> PhaseDecision:
        """Return the decision on a connection or HELO: a failure counts for mail only."""
        if outcome.fate is MilterFate.REFUSED:
            self.refusal = refused(outcome)
            return self.refusal
        self.wanted = outcome.wanted
        return PROCEED

    def decide_data(self, outcome: MilterOutcome) -> PhaseDecision:
        """Return the decision on DATA, and remember it."""
        if outcome.fate is MilterFate.REFUSED:
            self.refused_message = refused(outcome)
        decision = self.decide(outcome)
        self.data_passed = decision is PROCEED
        return decision

    def decide(self, outcome: MilterOutcome) -> PhaseDecision:
        """Return the decision on a command of a message."""
        if outcome.fate is MilterFate.REFUSED:
            return refused(outcome)
        if outcome.fate is MilterFate.FAILED:
            self.message = "failed"
            log("milter-unavailable", self.session.id, action="tempfail")
            return UNAVAILABLE
        if outcome.discarded and self.milters.rejects_discarded:
            self.refused_message = DISCARDED
            return DISCARDED
        self.discarded |= outcome.discarded
        if not self.number:
            self.message = "passes"
            log("milter-unavailable", self.session.id, action="open")
        elif not outcome.wanted:
            self.message = "passes"
        return PROCEED


def refused(outcome: MilterOutcome) -> Reject | Disconnect:
    """Return the refusal: a milter closes a connection with 421, as for Postfix."""
    return (Disconnect if outcome.code == 421 else Reject)(outcome.code, outcome.text)
