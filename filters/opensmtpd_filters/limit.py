"""filter-limit: refuse or delay more mail than a user, a client or a domain may have.

In smtpd.conf::

    filter "limit" proc-exec "filter-limit \\
        --state /var/lib/opensmtpd-plugins/limit/state.db /etc/mail/limits" \\
        user _limit group _limit
    listen on 192.0.2.1 port 465 smtps pki example.com auth filter "limit"

filter-limit(8) describes the file of rules. This process decides; state is kept in another one.
"""

import argparse
import asyncio
from collections.abc import Callable, Iterable

from opensmtpd import options, run
from opensmtpd.answer import Answer, Deferred, Offload
from opensmtpd.backends.state import options as state_options
from opensmtpd.backends.state.results import UNKNOWN, Kept, MaybePermit
from opensmtpd.filter import (
    PROCEED,
    Commit,
    CommitDecision,
    Filter,
    LinkConnect,
    MailFrom,
    RcptTo,
    Session,
    SessionAttribute,
    StreamedMessage,
)
from opensmtpd.log import log
from opensmtpd.mail import networks
from opensmtpd.mail.client import USES, Client, text
from opensmtpd.mail.envelope import without_route
from opensmtpd.mail.limit.charges import Charge, Names, charges, domain_of, recipient_charges
from opensmtpd.mail.limit.overdrawn import Overdrawn
from opensmtpd.mail.limit.replies import STOPPED, gravity, refusal
from opensmtpd.mail.limit.rules import Excess, LimitRules, Unit, Whose
from opensmtpd.mail.limit.stopped import PREFIX, stop_key, user_name
from opensmtpd.mail.limit.visit import CountedMessage, LimitedVisit, visit_of
from opensmtpd.needs import Needs

EPILOG = """\
In smtpd.conf, for mail of our users:

  filter "limit" proc-exec "filter-limit \\
      --state /var/lib/opensmtpd-plugins/limit/state.db /etc/mail/limits" \\
      user _limit group _limit
  listen on 192.0.2.1 port 465 smtps pki example.com auth filter "limit"

In /etc/mail/limits:

  user              messages    200/1h
  user              recipients  1000/1d   stop
  user news         messages    unlimited
  recipient-domain  messages    1/1s      pace

SIGHUP has it read that file anew.
"""

SHOWN = 100
"""Bytes of a user's name as it was typed, in the log: a line is cut off where it is too long, and
``action`` is its end.
"""
TOGETHER = 16
"""Steps of a message that are asked at the same time, at most.

A message may have a thousand recipients, each in another domain. All their steps at once would take
a server the time that one has, or be more than may wait: then no limit holds for a while.
"""


class Limit(Filter):
    """Counts mail, and refuses or delays more than the rules allow."""

    uses: tuple[SessionAttribute, ...] = (*USES, "username", "sender", "recipients")

    def __init__(self, flags: argparse.Namespace) -> None:
        """Raises ConfigError for flags, files and folders that cannot be used."""
        self.flags = flags
        self.rules = LimitRules(flags.rules)
        self.overdrawn = Overdrawn()
        self.patience = options.patience(flags.deadline)
        self.needs = Needs(reads=(flags.rules,))
        self.state = state_options.state(flags, PREFIX)

    def reload(self) -> Offload[Callable[[], None]]:
        """Have a thread read the rules again: on a dead mount, open(2) never returns."""
        return Offload(self.read_again)

    def read_again(self) -> Callable[[], None]:
        """Return what puts the new rules in the place of the old. Raises ConfigError."""
        rules = LimitRules(self.flags.rules)

        def swap() -> None:
            self.rules, self.overdrawn = rules, Overdrawn()

        return swap

    def stop(self) -> None:
        """End the worker."""
        self.state.close()

    # --- the envelope -----------------------------------------------------------------------------

    def on_link_connect(self, session: Session, report: LinkConnect) -> None:
        """Start the state of a session."""
        session.data = LimitedVisit(Client.of(session))

    def on_mail_from(self, session: Session, request: MailFrom) -> Answer[CommitDecision]:
        """Refuse a user who is stopped, and a message that would be refused at its end."""
        visit_of(session).envelope.begin(request.address)
        names = self.names(session, without_route(request.address))
        if self.stops(names):
            return self.decide_on_user(session, names)
        return self.foreseen(session, names)

    def stops(self, names: Names) -> bool:
        """Return whether the user may be stopped."""
        return any(map(self.rules.stops, names.get(Whose.USER, ())))

    async def decide_on_user(self, session: Session, names: Names) -> CommitDecision:
        """Refuse a user who is stopped."""
        stopped = await self.stopped(session, names)
        return stopped if stopped is not PROCEED else self.foreseen(session, names)

    async def stopped(self, session: Session, names: Names) -> CommitDecision:
        """Refuse a user who is stopped, whatever becomes of others."""
        for user in names.get(Whose.USER, ()):
            found = await self.state.get(stop_key(user))
            if isinstance(found, Kept):
                log("limit-stopped", session.id, user=user, left=round(found.left),
                    address=visit_of(session).client.address)  # fmt: skip
                return STOPPED
        return PROCEED

    def foreseen(self, session: Session, names: Names) -> CommitDecision:
        """Refuse a message that would be refused at its end."""
        due = charges(self.rules, names, Unit.MESSAGES, 1)
        denied = [(each, left) for each in due if (left := self.overdrawn.left(each))]
        return self.refused(session, *gravest(denied)) if denied else PROCEED

    def on_rcpt_to(self, session: Session, request: RcptTo) -> Answer[CommitDecision]:
        """Count a recipient."""
        visit_of(session).envelope.add(request.address)
        names = self.names(session, visit_of(session).envelope.sender(session), [request.address])
        refused = self.foreseen(session, names)
        due = [
            each
            for each in charges(self.rules, names, Unit.RECIPIENTS, 1)
            if each.rule.excess is not Excess.PACE
        ]
        if not due or refused is not PROCEED:
            return refused
        if any(each.rule.excess is Excess.STOP for each in due):
            return self.take_unless_stopped(session, names, due)
        return self.take(session, due)

    def names(self, session: Session, sender: bytes, recipients: Iterable[bytes] = ()) -> Names:
        """Return the names of all that a limit may be for."""
        client = visit_of(session).client
        found: Names = {}
        if session.username is not None:
            found[Whose.USER] = [user_name(session.username)]
        if client.address is not None and not client.local:
            found[Whose.ADDRESS] = [str(client.address)]
            found[Whose.NETWORK] = [networks.network(client.address, self.flags)]
        if sender:
            found[Whose.SENDER] = [text(sender).lower()]
            found[Whose.SENDER_DOMAIN] = domain_of([sender])
        found[Whose.RECIPIENT_DOMAIN] = domain_of(recipients)
        return found

    # --- the message ------------------------------------------------------------------------------

    def on_message(self, session: Session) -> StreamedMessage | None:
        """Count bytes, where a rule is about them."""
        visit = visit_of(session)
        visit.size = 0
        counts = any(each.unit is Unit.BYTES for each in self.rules.all)
        return CountedMessage(visit) if counts else None

    async def on_commit(self, session: Session, request: Commit) -> CommitDecision:
        """Count a message; where it is paced, the client waits for its answer."""
        to = visit_of(session).envelope.recipients(session)
        names = self.names(session, visit_of(session).envelope.sender(session), to)
        if self.stops(names) and (stopped := await self.stopped(session, names)) is not PROCEED:
            return stopped
        recipients = recipient_charges(self.rules, names, to)
        due = [
            *charges(self.rules, names, Unit.MESSAGES, 1),
            *charges(self.rules, names, Unit.BYTES, visit_of(session).size),
        ]
        paced = [each for each in [*due, *recipients] if each.rule.excess is Excess.PACE]
        refused = await self.take(session, [each for each in due if each not in paced])
        if paced and refused is PROCEED:  # if not, it takes no place in the line
            refused = await self.take(session, paced)
        if (due or paced) and refused is PROCEED and self.stops(names):
            # It may have happened meanwhile, and what was taken be that of a rate that began anew.
            return await self.stopped(session, names)
        return refused

    # --- decisions --------------------------------------------------------------------------------

    async def take_unless_stopped(
        self, session: Session, names: Names, due: list[Charge]
    ) -> CommitDecision:
        """Take from all rates; nothing for a user who is stopped: he is to begin anew."""
        stopped = await self.stopped(session, names)
        return stopped if stopped is not PROCEED else await self.take(session, due)

    async def take(self, session: Session, due: list[Charge]) -> CommitDecision:
        """Take from all rates, and decide."""
        permits: list[MaybePermit] = []
        for first in range(0, len(due), TOGETHER):
            some = due[first : first + TOGETHER]
            permits += [await each for each in [self.ask(each) for each in some]]
        known = [(charge, permit) for charge, permit in zip(due, permits, strict=True)
                 if permit is not UNKNOWN]  # fmt: skip
        denied = [(charge, permit.after) for charge, permit in known if not permit.allowed]
        if denied:
            return await self.exceeded(session, denied)
        wait = max((permit.after for _, permit in known), default=0.0)
        if wait:
            log("limit-pace", session.id, wait=f"{wait:.3f}")
            await asyncio.sleep(wait)
        return PROCEED

    def ask(self, charge: Charge) -> Deferred[MaybePermit]:
        """Ask whether a rate allows a charge."""
        patience = self.patience if charge.rule.excess is Excess.PACE else 0.0
        return self.state.allow(charge.key, charge.rule.rate, charge.cost, patience)

    async def exceeded(
        self, session: Session, denied: list[tuple[Charge, float]]
    ) -> CommitDecision:
        """Take note of all that was not allowed, and refuse it by the gravest of the rules."""
        for charge, after in denied:
            if charge.rule.excess is Excess.STOP:
                stopped = self.state.put(stop_key(charge.name), b"", charge.rule.stopped_for)
                if await stopped is True:
                    await self.state.forget(charge.key)  # a user who is released begins anew
            elif charge.rule.unit is Unit.MESSAGES:
                self.overdrawn.note(charge, after)
        return self.refused(session, *gravest(denied))

    def refused(self, session: Session, charge: Charge, after: float) -> CommitDecision:
        """Return the refusal, which the log names: fail2ban reads it."""
        client, rule = visit_of(session).client, charge.rule
        user = session.username and session.username[:SHOWN]
        log("limit-exceeded", session.id, address=client.address, user=user,
            whose=rule.whose, name=charge.name, limit=f"{rule.unit} {rule.written}",
            action=rule.excess)  # fmt: skip
        return refusal(rule, after)


def gravest(denied: list[tuple[Charge, float]]) -> tuple[Charge, float]:
    """Return the charge whose refusal counts, and the seconds until it is allowed."""
    return max(denied, key=lambda each: gravity(each[0].rule, each[1]))


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    flags = options.filter_parser(
        "filter-limit",
        "Refuse or delay more mail than is allowed.",
        EPILOG,
        deadline=options.DEADLINE_MAX,
    )
    flags.add_argument("rules", metavar="FILE", help="the rules: see filter-limit(8)")
    state_options.add(flags)
    networks.add(flags)
    return flags


def main() -> None:
    """Run filter-limit."""
    run.filter(Limit, parser())


if __name__ == "__main__":
    main()
