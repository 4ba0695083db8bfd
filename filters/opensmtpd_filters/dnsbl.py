"""filter-dnsbl: judge clients by the DNS lists (RFC 5782) that list them.

In smtpd.conf::

    filter "dnsbl" proc-exec "filter-dnsbl -m zen.spamhaus.org"
    listen on 192.0.2.1 port 25 tls pki example.com filter "dnsbl"

It takes the flags of the C filter-dnsbl, for addresses, names, and senders. filter-dnsbl(8)
describes them, the additions, and the differences between the two.
"""

import argparse
import sys
import time
from collections.abc import Sequence

from opensmtpd import options, run
from opensmtpd.dns import Lookup
from opensmtpd.dns import options as dns_options
from opensmtpd.filter import LinkConnect, Session, StreamedMessage
from opensmtpd.mail.dnsbl import options as dnsbl_options
from opensmtpd.mail.dnsbl.findings import ListFinding, ask, log_findings, questions
from opensmtpd.mail.dnsbl.header_fields import header_fields
from opensmtpd.mail.dnsbl.health import Health
from opensmtpd.mail.dnsbl.lists import List, Subject
from opensmtpd.mail.dnsbl.score import Tally
from opensmtpd.mail.policy import options as policy_options
from opensmtpd.mail.policy.action import FIELDS, JUNK_IT, OFF, Action, Response, response
from opensmtpd.mail.policy.filter import (
    CONNECT,
    HELO,
    MAIL_FROM,
    PHASES,
    ClientState,
    PolicyFilter,
    state_of,
)
from opensmtpd.mail.policy.reason_field import PrependedFields
from opensmtpd.mail.policy.verdict import PolicyVerdict, Reason
from opensmtpd.mail.spam_fields import Cleaner

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


class Dnsbl(PolicyFilter):
    """Asks the lists, and adds up their scores."""

    def __init__(self, flags: argparse.Namespace) -> None:
        """Raises ConfigError for flags and files that cannot be used."""
        self.lists = dnsbl_options.lists(flags)
        self.junk_at, self.refuse_at = dnsbl_options.thresholds(flags)
        usual = REFUSAL if flags.reject_at else AS_C
        self.refusals = {each: refusal(each.text, usual) for each in self.lists}
        self.mark: bool = flags.mark
        self.verbose: bool = flags.verbose
        self.health = Health(time.monotonic)
        # Lists in the client's favor must be asked before a decision against it.
        sparing = {PHASE[each.subject] for each in self.lists if each.spares}
        self.judges_from = max(sparing, key=PHASES.index, default=CONNECT)
        phases = {PHASE[each.subject] for each in self.lists}
        rules, resolver = policy_options.rules(flags), dns_options.resolver(flags)
        super().__init__(rules, resolver, sorted(phases))
        if self.mark:
            self.unused.discard("on_message")

    def on_link_connect(self, session: Session, report: LinkConnect) -> None:
        """Start the tally of a session."""
        super().on_link_connect(session, report)
        state_of(session).data = Tally(session.id)

    def judge(self, state: ClientState, phases: Sequence[str]) -> Lookup[PolicyVerdict | None]:
        """Ask the lists of these phases, and judge by the findings of all phases."""
        lists = [each for each in self.lists if PHASE[each.subject] in phases]
        asked = list(questions(lists, state.client))
        findings = yield from ask(asked, self.health)
        tally: Tally = state.data
        tally.put(phases[-1], findings)
        if self.verbose:
            log_findings(tally.session, asked, findings)
        later = PHASES.index(phases[-1]) - PHASES.index(self.judges_from)
        # The findings of earlier phases have been decided on then.
        return self.verdict(tally) if later == 0 or (later > 0 and findings) else None

    def verdict(self, tally: Tally) -> PolicyVerdict | None:
        """Return the verdict on a client, None to let it proceed."""
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
        findings: list[ListFinding] = [*listed, *unknown]
        reasons = tuple(Reason("dnsbl", each.words) for each in findings)
        return PolicyVerdict(strongest, reasons, fields=leading.fields if leading else {})

    def response(self, score: int, leading: List) -> Response:
        """Return the response to a client with a score; ``leading`` has the highest of its own."""
        if score >= self.refuse_at:
            return self.refusals[leading]
        if score >= self.junk_at:
            return MARK if self.mark else JUNK_IT
        return OFF

    def on_message(self, session: Session) -> StreamedMessage | None:
        """Mark the message, and prepend the reasons."""
        state = state_of(session)
        lines = self.reasons(session)
        known = self.rules.spare_authenticated and session.username is not None
        if self.mark and not state.exempt and not known:
            return MarkedMessage([*header_fields(state.data, self.junk_at), *lines])
        return PrependedFields(lines) if lines else None


class MarkedMessage(PrependedFields):
    """A message with header fields prepended and the client's own X-Spam fields removed."""

    def __init__(self, lines: list[bytes]) -> None:
        super().__init__(lines)
        self.cleaner = Cleaner()

    def header(self, lines: list[bytes]) -> list[bytes]:
        """Return a run of header lines, edited."""
        return super().header(self.cleaner.clean(lines))


def refusal(text: str, usual: Response) -> Response:
    """Return the refusal with a list's own text. Raises ConfigError."""
    return response(f"{usual.action.name.lower()}:{text}", TEXT_FIELDS) if text else usual


def parser() -> argparse.ArgumentParser:
    """Return the parser of a command line that ``dnsbl_options.in_order`` has prepared."""
    flags = options.filter_parser(
        "filter-dnsbl", "Judge clients by what DNS lists say of them.", EPILOG
    )
    flags.usage = "%(prog)s [-mnVv] [OPTION ...] [[FLAG ...] LIST] ..."
    add = flags.add_argument_group(
        "what to do (default: disconnect whom a list lists)"
    ).add_argument
    # fmt: off
    add("-m", "--mark", action="store_true", help="let mail through, and mark it: X-Spam-DNSBL for"
        " each list, X-Spam: Yes from the score of --junk-at on (default 1)")
    add("--junk-at", type=options.typed(dnsbl_options.threshold), metavar="SCORE",
        help="have smtpd junk the mail of clients with this score")
    add("--reject-at", type=options.typed(dnsbl_options.threshold), metavar="SCORE",
        help="refuse clients with this score")
    add("-v", "--verbose", action="store_true",
        help="log what each list says, and who is not listed")
    # fmt: on
    dnsbl_options.add(flags)
    dnsbl_options.keep_keys(flags)
    policy_options.add(flags)
    dns_options.add(flags)
    return flags


def main() -> None:
    """Run filter-dnsbl."""
    flags = parser()
    run.filter(Dnsbl, flags, dnsbl_options.in_order(flags, sys.argv[1:]))


if __name__ == "__main__":
    main()
