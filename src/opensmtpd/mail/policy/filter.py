"""The base class of filters that judge clients.

It decides in which phases a client is judged, exempts clients, and reports the reasons.
"""

from collections.abc import Callable, Sequence
from typing import Any

from opensmtpd.answer import Answer, Offload
from opensmtpd.dns import Dns, Lookup, run_lookup
from opensmtpd.filter import (
    PROCEED,
    Filter,
    PhaseDecision,
    Session,
    SessionAttribute,
    StreamedMessage,
    events,
)
from opensmtpd.mail.client import USES, Client
from opensmtpd.mail.policy.action import Action
from opensmtpd.mail.policy.exemptions import Exemptions
from opensmtpd.mail.policy.options import Rules
from opensmtpd.mail.policy.reason_field import PrependedFields, header_line
from opensmtpd.mail.policy.verdict import PolicyVerdict, Reason, decide
from opensmtpd.needs import Needs

CONNECT, HELO, MAIL_FROM = PHASES = ("connect", "helo", "mail-from")
"""The phases in which a client can be judged, in the order of a session."""

REASONS_MAX = 20
"""Reasons that are kept for a session that is junk, at most."""
_HANDLERS = {CONNECT: "on_connect", HELO: "on_helo", MAIL_FROM: "on_mail_from"}


class ClientState:
    """The state that a policy filter keeps of a session."""

    __slots__ = ("client", "data", "exempt", "junked", "reasons")

    def __init__(self, client: Client, exempt: bool) -> None:
        self.client = client
        self.exempt = exempt
        """True for a client that is not to be judged."""
        self.reasons: dict[str, tuple[Reason, ...]] = {}
        """The reasons against the client, by the phase in which they were found."""
        self.junked: tuple[Reason, ...] = ()
        """The reasons for which smtpd marks the whole session as junk: it stays so, even if the
        client sends another HELO.
        """
        self.data: Any = None
        """Data of the subclass."""


class PolicyFilter(Filter):
    """Judges clients in the phases for which it has checks.

    A subclass gives these phases to ``__init__`` and judges in ``judge``.
    """

    def __init__(self, rules: Rules, dns: Dns, phases: Sequence[str]) -> None:
        """Raises ConfigError for files that cannot be used."""
        self.rules = rules
        self.dns = dns
        self.phases = frozenset(phases)
        self.exemptions = Exemptions(rules.exempt)
        self.needs = Needs(reads=tuple(rules.exempt))
        self.uses: tuple[SessionAttribute, ...] = USES
        if rules.spare_authenticated:
            self.uses += ("username",)
        needed = self._needed_phases()
        self.unused: set[str] = {name for phase, name in _HANDLERS.items() if phase not in needed}
        if not rules.header:
            self.unused.add("on_message")

    def _needed_phases(self) -> set[str]:
        """Return the phases that the filter must register for."""
        if not self.rules.spare_authenticated:
            return set(self.phases)
        # The decision falls at MAIL FROM; checks of HELO need its argument nevertheless.
        return {MAIL_FROM} | (self.phases & {HELO})

    def judge(self, state: ClientState, phases: Sequence[str]) -> Lookup[PolicyVerdict | None]:
        """Return the verdict of the checks of these phases; None lets the client proceed."""
        raise NotImplementedError

    def reload(self) -> Offload[Callable[[], None]]:
        """Have a thread read the exemptions again: on a dead mount, open(2) never returns.

        Then resolv.conf is read with the next question.
        """
        return Offload(self.read_again)

    def read_again(self) -> Callable[[], None]:
        """Return what puts the new exemptions in the place of the old. Raises ConfigError."""
        exemptions = Exemptions(self.rules.exempt)

        def swap() -> None:
            self.exemptions = exemptions
            self.dns.reread_servers()

        return swap

    def stop(self) -> None:
        """Save the cache of the DNS."""
        self.dns.save()

    # --- phases -------------------------------------------------------------------------------

    def on_link_connect(self, session: Session, report: events.LinkConnect) -> None:
        """Start the state of a session."""
        client = Client.of(session)
        session.data = ClientState(client, client.local or client in self.exemptions)

    def on_connect(self, session: Session, request: events.Connect) -> Answer[PhaseDecision]:
        """Judge the client by its name and address."""
        return self._answer(session, CONNECT)

    def on_helo(self, session: Session, request: events.Helo) -> Answer[PhaseDecision]:
        """Judge the client by the name that it gives itself."""
        state = state_of(session)
        # A transaction ends with another HELO (RFC 5321 section 4.1.4).
        state.client = state.client._replace(helo=request.identity, sender=None)
        state.reasons.pop(MAIL_FROM, None)
        return self._answer(session, HELO)

    def on_mail_from(self, session: Session, request: events.MailFrom) -> Answer[PhaseDecision]:
        """Judge the client by the sender; with ``--spare-authenticated``, by all phases."""
        state = state_of(session)
        state.client = state.client._replace(sender=request.address)
        return self._answer(session, MAIL_FROM)

    def _answer(self, session: Session, phase: str) -> Answer[PhaseDecision]:
        state = state_of(session)
        phases = [phase]
        if self.rules.spare_authenticated:
            if phase != MAIL_FROM or session.username is not None:
                return self._proceed(state, phase)
            phases = [name for name in PHASES if name in self.phases]
        if state.exempt:
            return self._proceed(state, phase)
        lookup = self._decide(session, phase, phases)
        return run_lookup(lookup, self.dns, self.rules.deadline)

    @staticmethod
    def _proceed(state: ClientState, phase: str) -> PhaseDecision:
        state.reasons.pop(phase, None)
        return PROCEED

    def _decide(self, session: Session, phase: str, phases: Sequence[str]) -> Lookup[PhaseDecision]:
        state = state_of(session)
        verdict = yield from self.judge(state, phases)
        if verdict is None:
            return self._proceed(state, phase)
        state.reasons[phase] = verdict.reasons
        if phase != MAIL_FROM and verdict.response.action is Action.JUNK:
            reasons = dict.fromkeys((*state.junked, *verdict.reasons))
            state.junked = tuple(reasons)[:REASONS_MAX]
        return decide(session.id, state.client, verdict)

    # --- the message --------------------------------------------------------------------------

    def on_message(self, session: Session) -> StreamedMessage | None:
        """Prepend the reasons to the message."""
        lines = self.reasons(session)
        return PrependedFields(lines) if lines else None

    def reasons(self, session: Session) -> list[bytes]:
        """Return the header fields with the reasons; the list is empty without ``--header``."""
        if not self.rules.header:
            return []
        state = state_of(session)
        current = (each for phase in PHASES for each in state.reasons.get(phase, ()))
        found = dict.fromkeys([*state.junked, *current])
        return [header_line(each) for each in found]


def state_of(session: Session) -> ClientState:
    """Return the state of a session; a session whose beginning was not reported is exempt."""
    if session.data is None:
        session.data = ClientState(Client.of(session), exempt=True)
    state: ClientState = session.data
    return state
