"""filter-senderscore: judge clients by the reputation that senderscore.org gives their addresses.

In smtpd.conf::

    filter "senderscore" proc-exec "filter-senderscore -blockBelow 10 -junkBelow 70"
    listen on 192.0.2.1 port 25 tls pki example.com filter "senderscore"

It takes the flags of the filter-senderscore in Go. filter-senderscore(8) describes them, and the
differences between the two.
"""

import argparse
import asyncio
from collections.abc import Callable

from opensmtpd import options, run
from opensmtpd.answer import Answer, Deferred, Offload
from opensmtpd.dns import Lookup, run_lookup
from opensmtpd.dns import options as dns_options
from opensmtpd.errors import ConfigError
from opensmtpd.filter import (
    JUNK,
    PROCEED,
    Auth,
    Commit,
    CommitDecision,
    Connect,
    Data,
    Disconnect,
    Filter,
    Helo,
    LinkConnect,
    LinkDisconnect,
    MailFrom,
    PhaseDecision,
    Quit,
    RcptTo,
    Session,
    SessionAttribute,
    StartTLS,
    StreamedMessage,
)
from opensmtpd.log import log
from opensmtpd.mail.client import USES, Client
from opensmtpd.mail.dnsbl.reputation import Reputation
from opensmtpd.mail.policy.exemptions import Exemptions
from opensmtpd.mail.policy.reason_field import PrependedFields
from opensmtpd.mail.spam_fields import Cleaner
from opensmtpd.needs import Needs

EPILOG = """\
In smtpd.conf, bad clients refused, and mail of doubtful ones marked:

  filter "senderscore" proc-exec "filter-senderscore -blockBelow 10 -junkBelow 70"
  listen on 192.0.2.1 port 25 tls pki example.com filter "senderscore"
"""

PHASES = ("connect", "helo", "ehlo", "starttls", "auth", "mail-from", "rcpt-to", "quit")
"""Where clients may be blocked. Their answers to DATA and to a message are delayed only."""
BLOCKED = Disconnect(550, "your IP reputation is too low for this MX")
FIELD = b"X-SenderScore"
ALLOWED = 100
"""The score of those who are on a list of ours."""


class ScoredVisit:
    """The state of a session."""

    __slots__ = ("_asked", "score")

    def __init__(self, asked: int | Deferred[int | None] | None) -> None:
        self._asked = asked if isinstance(asked, Deferred) else None
        """The answer of the DNS, while it is waited for."""
        self.score = None if isinstance(asked, Deferred) else asked
        """0 to 100; None where it is not known."""
        if self._asked is not None:
            self._asked.on_end(self._take)

    def _take(self, score: int | None, error: BaseException | None) -> None:
        self.score, self._asked = score, None

    async def known(self) -> int | None:
        """Return the score, when the DNS has told it.

        Any request may be the first one: smtpd asks nobody behind a filter that junks a client.
        """
        if self._asked is None:
            return self.score
        try:
            return await self._asked
        finally:
            self._asked = None  # it is asked no more where this was cancelled: too late

    def forget(self) -> None:
        """Ask no more."""
        if self._asked is not None:
            self._asked.cancel()


class SenderScore(Filter):
    """Asks for the score of each client, and does what the flags say."""

    uses: tuple[SessionAttribute, ...] = USES

    def __init__(self, flags: argparse.Namespace) -> None:
        """Raises ConfigError for flags and files that cannot be used."""
        self.flags = flags
        self.within = dns_options.deadline(flags)
        if flags.slowFactor > 900 * (flags.deadline - self.within):  # both are before a greeting
            remedy = "answers would be late: make it less, or --deadline more"
            raise ConfigError("-slowFactor is more than --deadline leaves", remedy=remedy)
        self.allowed = Exemptions(flags.allowlist)
        self.needs = Needs(reads=tuple(flags.allowlist))
        self.dns = dns_options.resolver(flags)
        self.reputation = Reputation()
        self.unused = self.handlers_without_work()

    def handlers_without_work(self) -> set[str]:
        """Return the handlers that neither delay an answer nor block."""
        unused = {f"on_{each}" for each in ("starttls", "auth", "mail_from", "rcpt_to", "data")}
        unused |= {"on_helo", "on_commit", "on_quit"}
        if self.flags.slowFactor > 0:
            unused = {"on_auth"}  # it would show passwords
        if self.flags.blockBelow > 0:  # no score is below 0: nobody is blocked
            phase = self.flags.blockPhase.replace("-", "_").replace("ehlo", "helo")
            unused.discard(f"on_{phase}")
        if self.flags.scoreHeader:
            unused.discard("on_data")  # behind which the score is written
        else:
            unused.add("on_message")
        return unused

    def reload(self) -> Offload[Callable[[], None]]:
        """Have a thread read the list again: on a dead mount, open(2) never returns."""
        return Offload(self.read_again)

    def read_again(self) -> Callable[[], None]:
        """Return what puts the new list in the place of the old. Raises ConfigError."""
        allowed = Exemptions(self.flags.allowlist)

        def swap() -> None:
            self.allowed = allowed
            self.dns.reread_servers()

        return swap

    def stop(self) -> None:
        """Save the cache of the DNS."""
        self.dns.save()

    # --- the client -------------------------------------------------------------------------------

    def on_link_connect(self, session: Session, report: LinkConnect) -> None:
        """Ask for the score."""
        client = Client.of(session)
        session.data = ScoredVisit(run_lookup(self.score(client), self.dns, self.within))

    def score(self, client: Client) -> Lookup[int | None]:
        """Return the score of a client, None where it has none."""
        if client.address is None or client.address.version != 4:
            return None
        if client in self.allowed:
            return ALLOWED
        if self.flags.testMode:
            last = client.address.packed[-1]
            return None if last == 255 else min(last, ALLOWED)
        return (yield from self.reputation.score(client.address))

    def on_link_disconnect(self, session: Session, report: LinkDisconnect) -> None:
        """Stop asking for a client that is gone."""
        visit_of(session).forget()

    # --- answers: each is delayed -----------------------------------------------------------------

    async def on_connect(self, session: Session, request: Connect) -> PhaseDecision:
        """Decide on the client."""
        decision: PhaseDecision = await self.delayed(session, "connect")
        score = visit_of(session).score
        if decision is PROCEED and score is not None and score < self.flags.junkBelow:
            log("senderscore-junk", session.id, score=score)
            return JUNK
        return decision

    async def delayed(self, session: Session, phase: str) -> CommitDecision:
        """Wait for the score, and the longer the lower it is; then block, if it is the phase."""
        score = await visit_of(session).known()
        if score is None:
            return PROCEED
        delay = self.flags.slowFactor * (100 - score) // 100
        if delay > 0:
            await asyncio.sleep(delay / 1000)
        if score < self.flags.blockBelow and phase == self.flags.blockPhase:
            log("senderscore-block", session.id, score=score, phase=phase)
            return BLOCKED
        return PROCEED

    def on_helo(self, session: Session, request: Helo) -> Answer[CommitDecision]:
        """Delay the answer to HELO or EHLO."""
        return self.delayed(session, request.verb.lower())

    def on_starttls(self, session: Session, request: StartTLS) -> Answer[CommitDecision]:
        """Delay the answer to STARTTLS."""
        return self.delayed(session, "starttls")

    def on_auth(self, session: Session, request: Auth) -> Answer[CommitDecision]:
        """Block at AUTH: only then is this asked for."""
        return self.delayed(session, "auth")

    def on_mail_from(self, session: Session, request: MailFrom) -> Answer[CommitDecision]:
        """Delay the answer to MAIL FROM."""
        return self.delayed(session, "mail-from")

    def on_rcpt_to(self, session: Session, request: RcptTo) -> Answer[CommitDecision]:
        """Delay the answer to RCPT TO."""
        return self.delayed(session, "rcpt-to")

    def on_data(self, session: Session, request: Data) -> Answer[CommitDecision]:
        """Delay the answer to DATA."""
        return self.delayed(session, "data")

    def on_commit(self, session: Session, request: Commit) -> Answer[CommitDecision]:
        """Delay the answer to a message."""
        return self.delayed(session, "commit")

    def on_quit(self, session: Session, request: Quit) -> Answer[CommitDecision]:
        """Delay the answer to QUIT."""
        return self.delayed(session, "quit")

    # --- the message ------------------------------------------------------------------------------

    def on_message(self, session: Session) -> StreamedMessage | None:
        """Write the score into the message, and remove what the client wrote there."""
        score = visit_of(session).score
        return ScoredMessage([] if score is None else [b"%s: %d" % (FIELD, score)])


class ScoredMessage(PrependedFields):
    """A message with its score in front, and no other."""

    def __init__(self, lines: list[bytes]) -> None:
        super().__init__(lines)
        self.cleaner = Cleaner(lambda name: name == FIELD.lower())

    def header(self, lines: list[bytes]) -> list[bytes]:
        """Return a run of header lines, edited."""
        return super().header(self.cleaner.clean(lines))


def visit_of(session: Session) -> ScoredVisit:
    """Return the state of a session; one whose beginning was not reported has no score."""
    if session.data is None:
        session.data = ScoredVisit(None)
    visit: ScoredVisit = session.data
    return visit


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    flags = options.filter_parser(
        "filter-senderscore", "Judge clients by their reputation at senderscore.org.", EPILOG
    )
    # fmt: off
    add = flags.add_argument_group("what to do (default: nothing)").add_argument
    for name, what in (
        ("blockBelow", "refuse clients whose score is below this"),
        ("junkBelow", "have smtpd junk the mail of clients whose score is below this"),
    ):
        add(f"-{name}", f"--{name}", dest=name, type=int, default=-1, metavar="SCORE", help=what)
    add("-blockPhase", "--blockPhase", dest="blockPhase", choices=PHASES, default="connect",
        metavar="PHASE", help="refuse them at this phase: connect (default),"
        " helo, ehlo, starttls, auth, mail-from, rcpt-to or quit")
    add("-slowFactor", "--slowFactor", dest="slowFactor", type=int, default=-1,
        metavar="MILLISECONDS", help="delay each answer by so much for a client whose score is 0,"
        " by nothing for 100, and by a part of it in between")
    add("-scoreHeader", "--scoreHeader", dest="scoreHeader", action="store_true",
        help="write the score into messages, as X-SenderScore")
    add("-allowlist", "--allowlist", dest="allowlist", action="append", default=[], metavar="FILE",
        help="take the score of these clients for 100: an address or a network a line")
    add("-testMode", "--testMode", dest="testMode", action="store_true",
        help="ask nobody: the last number of an address is its score")
    # fmt: on
    dns_options.add(flags, what="the score")
    return flags


def main() -> None:
    """Run filter-senderscore."""
    run.filter(SenderScore, parser())


if __name__ == "__main__":
    main()
