"""The base class of filters that judge clients: when they do, whom they spare, what they say."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from opensmtpd import events
from opensmtpd.decisions import PROCEED
from opensmtpd.dns import Dns, Lookup, run_lookup
from opensmtpd.filter import Filter
from opensmtpd.log import log
from opensmtpd.message import StreamedMessage
from opensmtpd.screen.client import USES, Client
from opensmtpd.screen.exempt import Exemptions
from opensmtpd.screen.options import Rules
from opensmtpd.screen.response import Action, PhaseDecision, Response, harmless
from opensmtpd.session import Session
from opensmtpd.work import Answer

CONNECT, HELO, MAIL_FROM = PHASES = ("connect", "helo", "mail-from")
"""When a client can be judged, in the order of a session."""

REASONS_MAX = 20
"""Reasons for which a session is junk that are kept."""
_HANDLERS = {CONNECT: "on_connect", HELO: "on_helo", MAIL_FROM: "on_mail_from"}


class Reason(NamedTuple):
    """Why something is done."""

    check: str
    """The name of the check."""
    text: str
    """May hold what a client or the DNS said, as it came."""


class Verdict(NamedTuple):
    """What the checks of a phase came to."""

    response: Response
    reasons: tuple[Reason, ...]
    default: str = "7.1 Refused"
    """The text of a refusal where the administrator gave none: see ``Response.decision``."""
    fields: Mapping[str, str] = {}
    """What texts may name besides the client's own fields, ``check`` and ``reason``."""


class Visit:
    """A session, as far as judging goes."""

    __slots__ = ("client", "data", "junked", "reasons", "spared")

    def __init__(self, client: Client, spared: bool) -> None:
        self.client = client
        self.spared = spared
        """Is nobody to judge this client?"""
        self.reasons: dict[str, tuple[Reason, ...]] = {}
        """What spoke against it, by the phase in which it was found."""
        self.junked: tuple[Reason, ...] = ()
        """Why smtpd holds the whole session for junk, whatever it says in another HELO."""
        self.data: Any = None
        """The subclass's own."""


class Screen(Filter):
    """Judges clients in the phases in which there is something to judge.

    Subclasses say in ``phases`` which these are and what comes of them in ``inquire``.
    """

    def __init__(self, rules: Rules, dns: Dns, phases: Sequence[str]) -> None:
        """Raises ConfigError for files that cannot be used."""
        self.rules = rules
        self.dns = dns
        self.phases = frozenset(phases)
        self.exemptions = Exemptions(rules.exempt)
        self.uses: tuple[str, ...] = USES
        if rules.spare_authenticated:
            self.uses += ("username",)
        asked = self._asked()
        self.unused: set[str] = {name for phase, name in _HANDLERS.items() if phase not in asked}
        if not rules.header:
            self.unused.add("on_message")

    def _asked(self) -> set[str]:
        """Return the phases to be registered for."""
        if not self.rules.spare_authenticated:
            return set(self.phases)
        # All is decided at MAIL FROM; what stands in HELO must be seen nevertheless.
        return {MAIL_FROM} | (self.phases & {HELO})

    def inquire(self, visit: Visit, phases: Sequence[str]) -> Lookup[Verdict | None]:
        """Judge a client by what these phases bring; None where nothing speaks against it."""
        raise NotImplementedError

    def reload(self) -> None:
        """Read the files anew, resolv.conf among them."""
        self.exemptions = Exemptions(self.rules.exempt)
        self.dns.reread_servers()

    def stop(self) -> None:
        """Save what the DNS said."""
        self.dns.save()

    # --- phases -------------------------------------------------------------------------------

    def on_link_connect(self, session: Session, report: events.LinkConnect) -> None:
        """Get to know the client."""
        client = Client.of(session)
        session.data = Visit(client, client.local or client in self.exemptions)

    def on_connect(self, session: Session, request: events.Connect) -> Answer[PhaseDecision]:
        """Judge by name and address."""
        return self._judge(session, CONNECT)

    def on_helo(self, session: Session, request: events.Helo) -> Answer[PhaseDecision]:
        """Judge by what it calls itself."""
        visit = visit_of(session)
        # A transaction ends with another HELO (RFC 5321 section 4.1.4).
        visit.client = visit.client._replace(helo=request.identity, sender=None)
        visit.reasons.pop(MAIL_FROM, None)
        return self._judge(session, HELO)

    def on_mail_from(self, session: Session, request: events.MailFrom) -> Answer[PhaseDecision]:
        """Judge by the sender, or by everything where that had to wait for AUTH."""
        visit = visit_of(session)
        visit.client = visit.client._replace(sender=request.address)
        return self._judge(session, MAIL_FROM)

    def _judge(self, session: Session, phase: str) -> Answer[PhaseDecision]:
        visit = visit_of(session)
        phases = [phase]
        if self.rules.spare_authenticated:
            if phase != MAIL_FROM or session.username is not None:
                return self._nothing(visit, phase)
            phases = [name for name in PHASES if name in self.phases]
        if visit.spared:
            return self._nothing(visit, phase)
        lookup = self._lookup(session, phase, phases)
        return run_lookup(lookup, self.dns, self.rules.deadline)

    @staticmethod
    def _nothing(visit: Visit, phase: str) -> PhaseDecision:
        visit.reasons.pop(phase, None)
        return PROCEED

    def _lookup(self, session: Session, phase: str, phases: Sequence[str]) -> Lookup[PhaseDecision]:
        visit = visit_of(session)
        verdict = yield from self.inquire(visit, phases)
        if verdict is None:
            return self._nothing(visit, phase)
        visit.reasons[phase] = verdict.reasons
        if phase != MAIL_FROM and verdict.response.action is Action.JUNK:
            reasons = dict.fromkeys((*visit.junked, *verdict.reasons))
            visit.junked = tuple(reasons)[:REASONS_MAX]
        return decide(session.id, visit.client, verdict)

    # --- the message --------------------------------------------------------------------------

    def on_message(self, session: Session) -> StreamedMessage | None:
        """Have the message say why."""
        lines = self.reasons(session)
        return InFront(lines) if lines else None

    def reasons(self, session: Session) -> list[bytes]:
        """Return the fields that tell why, if messages are to say so."""
        if not self.rules.header:
            return []
        visit = visit_of(session)
        late = (each for phase in PHASES for each in visit.reasons.get(phase, ()))
        found = dict.fromkeys([*visit.junked, *late])
        return [header_line(each) for each in found]


def visit_of(session: Session) -> Visit:
    """Return what is kept for a session, also where smtpd never said that it began."""
    if session.data is None:
        session.data = Visit(Client.of(session), spared=True)
    visit: Visit = session.data
    return visit


def decide(session: str, client: Client, verdict: Verdict) -> PhaseDecision:
    """Return the decision, and log it with its reason."""
    check = ",".join(dict.fromkeys(reason.check for reason in verdict.reasons))
    why = "; ".join(dict.fromkeys(reason.text for reason in verdict.reasons))
    fields = client.fields() | dict(verdict.fields) | {"check": check, "reason": why}
    action = verdict.response.action
    event = "undecided" if action is Action.OFF else action.name.lower()
    log(
        event,
        session,
        check=check,
        address=client.address,
        rdns=client.rdns,
        helo=client.helo or None,
        reason=why,
    )
    return verdict.response.decision(verdict.default, fields)


def header_line(reason: Reason) -> bytes:
    """Return the field that tells readers and their filing rules why."""
    return harmless(f"X-Spam-Reason: {reason.check}; {reason.text}")[:900].encode("ascii")


class InFront(StreamedMessage):
    """Puts lines in front of a message."""

    def __init__(self, lines: list[bytes]) -> None:
        self.lines = lines

    def header(self, lines: list[bytes]) -> list[bytes]:
        """Put them in front of the first run."""
        front, self.lines = self.lines, []
        return [*front, *lines] if front else lines
