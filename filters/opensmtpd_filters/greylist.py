"""filter-greylist: have clients that are not known come again later.

In smtpd.conf::

    filter "greylist" proc-exec "filter-greylist \\
        --state /var/lib/opensmtpd-plugins/greylist/state.db" user _greylist group _greylist
    listen on 192.0.2.1 port 25 tls pki example.com filter "greylist"

It takes the flags of the filter-greylist in Go, which keeps all in memory. filter-greylist(8)
describes it, the additions, and the differences between the two.

This process decides; the DNS is asked, for SPF, and state is kept in processes of their own.
"""

import argparse
import math
import time
from collections.abc import Callable
from functools import partial

from opensmtpd import options, run
from opensmtpd.answer import Answer, Deferred, Offload
from opensmtpd.backends.state import options as state_options
from opensmtpd.backends.state.results import UNKNOWN, Attempt, Greylisting, StateUnknown
from opensmtpd.backends.state.steps import NUMBER_MAX, GreylistTimes
from opensmtpd.dns import options as dns_options
from opensmtpd.dns import run_lookup
from opensmtpd.filter import (
    PROCEED,
    Data,
    Filter,
    LinkConnect,
    LinkDisconnect,
    PhaseDecision,
    RcptTo,
    Reject,
    Session,
    SessionAttribute,
    StreamedMessage,
    TxMail,
    TxRcpt,
    TxReset,
)
from opensmtpd.log import log
from opensmtpd.mail import networks
from opensmtpd.mail.client import USES, Client, text
from opensmtpd.mail.dates import date
from opensmtpd.mail.envelope import without_route
from opensmtpd.mail.greylist import keys
from opensmtpd.mail.greylist import options as greylist_options
from opensmtpd.mail.greylist.visit import GreylistVisit, Standing, visit_of
from opensmtpd.mail.policy.reason_field import PrependedFields
from opensmtpd.mail.spf.check import SpfResult, check_host
from opensmtpd.mail.spf.identity import helo_identity, mail_from_identity
from opensmtpd.needs import Needs

EPILOG = """\
In smtpd.conf, what is known kept in a file:

  filter "greylist" proc-exec "filter-greylist \\
      --state /var/lib/opensmtpd-plugins/greylist/state.db" user _greylist group _greylist
  listen on 192.0.2.1 port 25 tls pki example.com filter "greylist"

Several mail servers that know the same, and the lists of postgrey:

  filter "greylist" proc-exec "filter-greylist --state redis://valkey.example.org/0 \\
      --whitelist-clients /etc/postgrey/whitelist_clients \\
      --whitelist-recipients /etc/postgrey/whitelist_recipients" \\
      user _greylist group _greylist

SIGHUP has it read the lists anew.
"""

PREFIX = "greylist:"
"""The beginning of all keys on a server, where the URL has no other."""
UNREPORTED = b"(too long)"
"""In the place of a sender of 255 bytes or more, which smtpd takes and does not report."""
EVERYBODY = ("all", "+all")
"""The terms of SPF by which a domain lets everybody send for it."""
NEVER = NUMBER_MAX
"""The count that nobody reaches."""


class Greylist(Filter):
    """Refuses attempts that are new, for some time."""

    uses: tuple[SessionAttribute, ...] = (*USES, "identity", "username", "recipients")

    def __init__(self, flags: argparse.Namespace) -> None:
        """Raises ConfigError for flags, files and folders that cannot be used."""
        greylist_options.check(flags)
        self.flags = flags
        self.spared = greylist_options.spared(flags)
        self.needs = Needs(reads=greylist_options.files(flags))
        self.times = GreylistTimes(flags.passtime, flags.greyexp, flags.whiteexp)
        self.within = dns_options.deadline(flags)
        self.dns = dns_options.resolver(flags)
        self.state = state_options.state(flags, PREFIX)

    def reload(self) -> Offload[Callable[[], None]]:
        """Have a thread read the lists again: on a dead mount, open(2) never returns."""
        return Offload(self.read_again)

    def read_again(self) -> Callable[[], None]:
        """Return what puts the new lists in the place of the old. Raises ConfigError."""
        spared = greylist_options.spared(self.flags)

        def swap() -> None:
            self.spared = spared
            self.dns.reread_servers()

        return swap

    def stop(self) -> None:
        """Save the cache of the DNS, and end the worker."""
        self.dns.save()
        self.state.close()

    # --- the client -------------------------------------------------------------------------------

    def on_link_connect(self, session: Session, report: LinkConnect) -> None:
        """Start the state of a session."""
        session.data = GreylistVisit(Client.of(session))

    def on_tx_mail(self, session: Session, report: TxMail) -> None:
        """Find out about the client, while it goes on.

        A MAIL FROM amid a transaction is refused, and reported: the transaction goes on.
        """
        if report.result == "ok":
            visit_of(session).end_transaction()
            self.begin(session, without_route(report.address))

    def begin(self, session: Session, sender: bytes) -> None:
        """Begin to find out about the client of a transaction, where it is not spared."""
        visit = visit_of(session)
        visit.sender = sender
        visit.envelope.begin(sender)
        client = visit.client._replace(helo=session.identity, sender=sender)
        if not (is_ours(session, client) or self.spared.has(client)):
            visit.standing = self.standing(client)

    def standing(self, client: Client) -> Deferred[Standing]:
        """Return the standing of a client: SPF is asked where its network is not white."""
        assert client.address is not None
        network = networks.network(client.address, self.flags)

        def ask_spf(white: bool | StateUnknown) -> Standing | Deferred[Standing]:
            if white is not False:  # as if it was white where the state is not known
                return Standing(True)
            found = self.spf(client)
            judge = partial(self.judged, network)
            return found.then(judge) if isinstance(found, Deferred) else judge(found)

        return self.white(network).then(ask_spf)

    def spf(self, client: Client) -> SpfResult | Deferred[SpfResult]:
        """Return the result for MAIL FROM, or for HELO where it is empty."""
        assert client.address is not None
        domain, sender = mail_from_identity(client.sender or b"", client.helo)
        helo, _ = helo_identity(client.helo)
        lookup = check_host(client.address, domain, sender, helo, receiver=text(self.admd))
        return run_lookup(lookup, self.dns, self.within)

    def judged(self, network: str, spf: SpfResult) -> Standing | Deferred[Standing]:
        """Return the standing of a client whose network is not white.

        What a domain lets everybody do tells nothing of who does it.
        """
        if spf.result != "pass" or spf.mechanism.lower() in EVERYBODY:
            return Standing(False, network)
        name = keys.sender_domain(spf.domain)
        return self.white(name).then(lambda white: Standing(white is not False, name))

    def white(self, name: str, by: int = 0) -> Deferred[bool | StateUnknown]:
        """Return whether mail of a network, or a domain, passes; ``by`` is added to its count."""
        return self.state.white([name], self.flags.auto_white or NEVER, self.times.keep, by)

    # --- recipients -------------------------------------------------------------------------------

    def on_rcpt_to(self, session: Session, request: RcptTo) -> Answer[PhaseDecision]:
        """Decide on a recipient. A null sender waits for DATA: it may be a callout."""
        visit = visit_of(session)
        if visit.sender is None:
            self.begin(session, UNREPORTED)
        visit.envelope.add(request.address)
        recipient = without_route(request.address)
        return self.decision(session, recipient) if visit.sender else PROCEED

    async def on_data(self, session: Session, request: Data) -> PhaseDecision:
        """Decide on all recipients of a null sender; each attempt is noted."""
        refused: PhaseDecision = PROCEED
        visit = visit_of(session)
        if not visit.sender:
            for recipient in visit.envelope.recipients(session):
                found = self.decision(session, recipient)
                decision = (await found) if isinstance(found, Deferred) else found
                refused = decision if decision is not PROCEED else refused
        return refused

    def decision(
        self, session: Session, recipient: bytes
    ) -> PhaseDecision | Deferred[PhaseDecision]:
        """Return the decision on a recipient."""
        visit = visit_of(session)
        if visit.standing is None or visit.white or recipient in self.spared.recipients:
            return PROCEED
        return visit.standing.then(partial(self.attempt, session, recipient))

    def attempt(
        self, session: Session, recipient: bytes, standing: Standing
    ) -> PhaseDecision | Deferred[PhaseDecision]:
        """Note an attempt, and decide."""
        if standing.white:
            return PROCEED
        key = [standing.name, keys.sender(visit_of(session).sender or b""), text(recipient).lower()]
        found = self.state.greylist(key, self.times)
        return found.then(partial(self.decide, session, recipient, standing.name))

    def decide(
        self, session: Session, recipient: bytes, name: str, found: Greylisting | StateUnknown
    ) -> PhaseDecision | Deferred[PhaseDecision]:
        """Decide on an attempt."""
        if found is UNKNOWN or found.attempt is Attempt.KNOWN:
            return PROCEED
        visit = visit_of(session)
        about = {"address": visit.client.address, "mailfrom": visit.sender, "rcpt": recipient}
        if not found.passes:
            wait = math.ceil(found.wait)
            log("greylist-defer", session.id, client=name, wait=wait, **about)
            return Reject(451, f"4.7.1 Greylisted, please try again in {wait} seconds")
        log("greylist-pass", session.id, client=name, delay=round(found.age), **about)
        visit.delay = max(visit.delay, found.age)
        return self.white(name, 1).then(partial(self.passed, visit))

    def passed(self, visit: GreylistVisit, white: bool | StateUnknown) -> PhaseDecision:
        """Let the other recipients of the message pass, too, where the client is white now."""
        visit.white = white is True
        return PROCEED

    def on_tx_rcpt(self, session: Session, report: TxRcpt) -> None:
        """Let those pass whom our own users write to, where SPF says that it is them.

        What has no sender, an answer by a program above all, goes to whoever wrote before.
        """
        visit = visit_of(session)
        domain = visit.client._replace(sender=report.address).domain
        if report.result == "ok" and domain and visit.sender and is_ours(session, visit.client):
            self.white(keys.sender_domain(domain), self.flags.auto_white)

    # --- the message ------------------------------------------------------------------------------

    def on_message(self, session: Session) -> StreamedMessage | None:
        """Say for how long a message was delayed."""
        delay = round(visit_of(session).delay)
        if not delay:
            return None
        value = f"delayed {delay} seconds by filter-greylist at {text(self.admd)}"
        return PrependedFields([f"X-Greylist: {value}; {date(time.time())}".encode()])

    def on_tx_reset(self, session: Session, report: TxReset) -> None:
        """Forget a transaction that is over."""
        visit_of(session).end_transaction()

    def on_link_disconnect(self, session: Session, report: LinkDisconnect) -> None:
        """Stop asking for a client that is gone."""
        visit_of(session).end_transaction()


def is_ours(session: Session, client: Client) -> bool:
    """Return whether a client is a user of ours, or a program on this machine."""
    return session.username is not None or client.local


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    flags = options.filter_parser(
        "filter-greylist", "Have clients that are not known come again later.", EPILOG
    )
    state_options.add(flags)
    greylist_options.add(flags)
    networks.add(flags)
    dns_options.add(flags, what="SPF")
    return flags


def main() -> None:
    """Run filter-greylist."""
    run.filter(Greylist, parser())


if __name__ == "__main__":
    main()
