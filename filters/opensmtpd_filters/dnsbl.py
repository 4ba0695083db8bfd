"""filter-dnsbl: judge clients by what DNS lists (RFC 5782) say of them.

In smtpd.conf::

    filter "dnsbl" proc-exec "filter-dnsbl -m zen.spamhaus.org"
    listen on 192.0.2.1 port 25 tls pki example.com filter "dnsbl"

Takes the flags of the C filter-dnsbl, for addresses, names, and senders. filter-dnsbl(8) describes
them, what there is besides, and where the two differ.
"""

import argparse
import sys
import time
from collections.abc import Sequence

from opensmtpd import events, options, run
from opensmtpd.dns import Lookup
from opensmtpd.dns import options as dns_options
from opensmtpd.dnsbl import command, marks
from opensmtpd.dnsbl.answers import Finding, ask, questions, tell
from opensmtpd.dnsbl.health import Health
from opensmtpd.dnsbl.lists import List, Subject, Visitor
from opensmtpd.dnsbl.tally import Tally
from opensmtpd.message import StreamedMessage
from opensmtpd.screen import helo
from opensmtpd.screen import options as screen_options
from opensmtpd.screen.client import Client
from opensmtpd.screen.response import FIELDS, JUNK_IT, OFF, Action, Response, response
from opensmtpd.screen.screen import (
    CONNECT,
    HELO,
    MAIL_FROM,
    PHASES,
    InFront,
    Reason,
    Screen,
    Verdict,
    Visit,
    visit_of,
)
from opensmtpd.session import Session

EPILOG = """\
In smtpd.conf, mail of listed clients marked, and those of an allow list spared:

  filter "dnsbl" proc-exec "filter-dnsbl -m zen.spamhaus.org \\
      -e '127.0.[0-255].[1-3]' -w list.dnswl.org"
  listen on 192.0.2.1 port 25 tls pki example.com filter "dnsbl"

Several lists that add up, one of them for the domain of MAIL FROM:

  filter "dnsbl" proc-exec "filter-dnsbl --junk-at 2 --reject-at 4 \\
      -e '127.0.0.[2-4]' --score 3 --text 'See {txt}' zen.spamhaus.org \\
      --score 2 bl.spamcop.net -s dbl.spamhaus.org"
"""

PHASE = {
    Subject.ADDRESS: CONNECT,
    Subject.RDNS: CONNECT,
    Subject.HELO: HELO,
    Subject.SENDER: MAIL_FROM,
}
TEXT_FIELDS = (*FIELDS, "list", "code", "txt")
AS_C = Response(Action.DISCONNECT, 421, "Listed at {list}")
"""The C filter's answer to a client that is listed."""
REFUSAL = Response(Action.REJECT, 550, "5.7.1 Listed at {list}")
MARK = Response(Action.HEADER)


class Dnsbl(Screen):
    """Asks lists, and adds up what they say."""

    def __init__(self, flags: argparse.Namespace) -> None:
        """Raises ConfigError for flags and files that cannot be used."""
        self.lists = command.lists(flags)
        self.junk_at, self.refuse_at = command.thresholds(flags)
        usual = REFUSAL if flags.reject_at else AS_C
        self.refusals = {each: refusal(each.text, usual) for each in self.lists}
        self.mark: bool = flags.mark
        self.verbose: bool = flags.verbose
        self.health = Health(time.monotonic)
        # Who is spared must be known before anybody is punished.
        sparing = {PHASE[each.subject] for each in self.lists if each.spares}
        self.judges_from = max(sparing, key=PHASES.index, default=CONNECT)
        phases = {PHASE[each.subject] for each in self.lists}
        rules, resolver = screen_options.rules(flags), dns_options.resolver(flags)
        super().__init__(rules, resolver, sorted(phases))
        if self.mark:
            self.unused.discard("on_message")

    def on_link_connect(self, session: Session, report: events.LinkConnect) -> None:
        """Get to know the client."""
        super().on_link_connect(session, report)
        visit_of(session).data = Tally(session.id)

    def inquire(self, visit: Visit, phases: Sequence[str]) -> Lookup[Verdict | None]:
        """Ask the lists of these phases, and judge by what all phases have brought."""
        lists = [each for each in self.lists if PHASE[each.subject] in phases]
        asked = list(questions(lists, visitor(visit.client)))
        findings = yield from ask(asked, self.health)
        tally: Tally = visit.data
        tally.put(phases[-1], findings)
        if self.verbose:
            tell(tally.session, asked, findings)
        late = PHASES.index(phases[-1]) - PHASES.index(self.judges_from)
        # What an earlier phase brought was decided upon then.
        return self.verdict(tally) if late == 0 or (late > 0 and findings) else None

    def verdict(self, tally: Tally) -> Verdict | None:
        """Return what is to be done about a client, None for nothing."""
        listed, unknown = tally.listed, tally.unknown
        if tally.allowed or not (listed or unknown):
            return None
        said = [self.rules.dns_failure] if unknown else []
        leading = max(listed, key=lambda each: each.list.score, default=None)
        if leading is not None and not tally.doubtful:
            said.append(self.response(tally.score, leading.list))
        strongest = max(said, key=lambda each: each.action)
        if strongest is OFF and not unknown:
            return None
        findings: list[Finding] = [*listed, *unknown]
        reasons = tuple(Reason("dnsbl", each.words) for each in findings)
        return Verdict(strongest, reasons, fields=leading.fields if leading else {})

    def response(self, score: int, leading: List) -> Response:
        """Return what is to be done about a client with a score, one list above all."""
        if score >= self.refuse_at:
            return self.refusals[leading]
        if score >= self.junk_at:
            return MARK if self.mark else JUNK_IT
        return OFF

    def on_message(self, session: Session) -> StreamedMessage | None:
        """Mark the message, and have it say why."""
        visit = visit_of(session)
        lines = self.reasons(session)
        known = self.rules.spare_authenticated and session.username is not None
        if self.mark and not visit.spared and not known:
            return Marked([*marks.fields(visit.data, self.junk_at), *lines])
        return InFront(lines) if lines else None


class Marked(InFront):
    """Puts lines in front of a message, and takes away the client's own marks."""

    def __init__(self, lines: list[bytes]) -> None:
        super().__init__(lines)
        self.cleaner = marks.Cleaner()

    def header(self, lines: list[bytes]) -> list[bytes]:
        """Edit a run."""
        return super().header(self.cleaner.clean(lines))


def visitor(client: Client) -> Visitor:
    """Return a client as lists are asked for it."""
    confirmed = client.fcrdns == "pass"
    return Visitor(client.address, client.rdns, confirmed, helo.identity(client), client.domain)


def refusal(text: str, usual: Response) -> Response:
    """Return the refusal with a list's own text. Raises ConfigError."""
    return response(f"{usual.action.name.lower()}:{text}", TEXT_FIELDS) if text else usual


def parser() -> argparse.ArgumentParser:
    """Return the parser of a command line that ``command.in_order`` has seen."""
    flags = options.parser("filter-dnsbl", "Judge clients by what DNS lists say of them.", EPILOG)
    flags.usage = "%(prog)s [-mnVv] [OPTION ...] [[FLAG ...] LIST] ..."
    add = flags.add_argument_group(
        "what to do (default: disconnect whom a list lists)"
    ).add_argument
    # fmt: off
    add("-m", "--mark", action="store_true", help="let mail through, and mark it: X-Spam-DNSBL for"
        " each list, X-Spam: Yes from the score of --junk-at on (default 1)")
    add("--junk-at", type=options.typed(command.threshold), metavar="SCORE",
        help="have smtpd junk the mail of clients with this score")
    add("--reject-at", type=options.typed(command.threshold), metavar="SCORE",
        help="refuse clients with this score")
    add("-v", "--verbose", action="store_true",
        help="log what each list says, and who is not listed")
    # fmt: on
    command.add(flags)
    command.keep_keys(flags)
    screen_options.add(flags)
    dns_options.add(flags)
    return flags


def main() -> None:
    """Be filter-dnsbl."""
    flags = parser()
    run.main(Dnsbl, flags, command.in_order(flags, sys.argv[1:]))


if __name__ == "__main__":
    main()
