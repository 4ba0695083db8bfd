"""filter-auth: judge incoming mail by SPF, DKIM, ARC and DMARC.

In smtpd.conf::

    filter "auth" proc-exec "filter-auth --enforce" user _auth group _auth
    listen on 192.0.2.1 port 25 tls pki example.com filter "auth"

It takes the flags of the C filter-auth, and writes the same Authentication-Results (RFC 8601), or
ARC-Authentication-Results with -A (RFC 8617). SPF is RFC 7208, DKIM RFC 6376, and DMARC RFC 9989.
filter-auth(8) describes it, the additions, and the differences between the two.

This process reads messages and decides; the DNS is asked, public keys are used and results are
kept for reports in processes of their own.
"""

import argparse
import time
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec

from opensmtpd import options, run, worker
from opensmtpd.answer import Answer, Deferred, Offload
from opensmtpd.dns import options as dns_options
from opensmtpd.dns import run_lookup
from opensmtpd.errors import ConfigError
from opensmtpd.filter import (
    PROCEED,
    EditedMessage,
    Filter,
    LinkConnect,
    LinkDisconnect,
    MailFrom,
    PhaseDecision,
    Session,
    SessionAttribute,
    TxMail,
    TxReset,
)
from opensmtpd.log import log
from opensmtpd.mail.client import USES, Client, text
from opensmtpd.mail.dmarc.reports.keeper import ReportKeeper
from opensmtpd.mail.envelope import without_route
from opensmtpd.mail.inbound import options as inbound_options
from opensmtpd.mail.inbound.exemption import exemption
from opensmtpd.mail.inbound.identities import SpfResults, spf_results
from opensmtpd.mail.inbound.message import Court, JudgedMail, SparedMail, refusal
from opensmtpd.needs import Needs

EPILOG = """\
In smtpd.conf, results for all to read, and nothing else:

  filter "auth" proc-exec "filter-auth" user _auth group _auth
  listen on 192.0.2.1 port 25 tls pki example.com filter "auth"

With DMARC enforced, and "maildir junk" for what is to be quarantined:

  filter "auth" proc-exec "filter-auth --enforce --exempt /etc/mail/spared" \\
      user _auth group _auth
  action "inbox" maildir junk

SIGHUP has it read the files of --exempt, --forwarder and --policy anew.
"""

PACKAGES = ("aiodns", "cryptography", "dns")
WORKER = "opensmtpd.mail.dkim.verify.keys_worker:PublicKeyWorker"
VERIFY_WITHIN = 5.0
"""Seconds until a worker that does not verify is replaced; its signatures are temperror then."""
WAITING = 20_000
"""Messages whose signatures wait for the worker, at most: all that the engine lets wait."""


class Inbound(Filter):
    """Judges messages, and writes what it found out."""

    def __init__(self, flags: argparse.Namespace) -> None:
        """Raises ConfigError for flags, files and folders that cannot be used."""
        need_packages()
        self.flags = flags
        within, rules = inbound_options.deadline(flags), inbound_options.rules(flags)
        self.exempt = inbound_options.exempt(flags)
        self.needs = Needs(reads=inbound_options.files(flags))
        self.uses: tuple[SessionAttribute, ...] = (*USES, "identity", "username", "sender")
        if flags.reports:
            self.uses += ("recipients",)
        self.unused = () if flags.spf_reject else ("on_mail_from",)
        dns = dns_options.resolver(flags)
        pool = worker.Pool(WORKER, deadline=VERIFY_WITHIN, queue=WAITING)
        keeper = ReportKeeper(flags.reports, new=not flags.check) if flags.reports else None
        self.court = Court(dns, pool, keeper, rules, within)
        self.court.authserv_id = flags.authserv_id or "localhost"
        self.court.arc, self.court.reasons = flags.arc, flags.header

    def reload(self) -> Offload[Callable[[], None]]:
        """Have a thread read the files again: on a dead mount, open(2) never returns."""
        return Offload(self.read_again)

    def read_again(self) -> Callable[[], None]:
        """Return what puts the new rules in the place of the old. Raises ConfigError."""
        rules, exempt = inbound_options.rules(self.flags), inbound_options.exempt(self.flags)

        def swap() -> None:
            self.court.rules, self.exempt = rules, exempt
            self.court.dns.reread_servers()

        return swap

    def stop(self) -> None:
        """Save the cache of the DNS, and end the workers."""
        self.court.dns.save()
        self.court.pool.close()
        if self.court.keeper is not None:
            self.court.keeper.close()

    # --- the envelope -------------------------------------------------------------------------

    def on_link_connect(self, session: Session, report: LinkConnect) -> None:
        """Start the state of a session."""
        if self.admd and not self.flags.authserv_id:
            self.court.authserv_id = text(self.admd)
        session.data = Visit(Client.of(session))

    def on_mail_from(self, session: Session, request: MailFrom) -> Answer[PhaseDecision]:
        """Refuse a client that SPF says may not send: with ``--spf-reject`` only."""
        client = self.client(session, request.address)
        if (
            exemption(client, session.username, self.exempt)
            or client in self.court.rules.forwarders
        ):
            return PROCEED
        found = self.spf(session, client)
        decide = partial(spf_decision, session.id, client)
        return found.then(decide) if isinstance(found, Deferred) else decide(found)

    def on_tx_mail(self, session: Session, report: TxMail) -> None:
        """Have SPF asked while the client goes on."""
        client = self.client(session, report.address)
        if report.result == "ok" and not exemption(client, session.username, self.exempt):
            self.spf(session, client)

    def on_tx_reset(self, session: Session, report: TxReset) -> None:
        """Stop what is asked for a transaction that is over."""
        visit_of(session).end_transaction()

    def on_link_disconnect(self, session: Session, report: LinkDisconnect) -> None:
        """Stop what is asked for a client that is gone."""
        visit_of(session).end_transaction()

    def client(self, session: Session, sender: bytes | None) -> Client:
        """Return the client, with HELO and MAIL FROM of now; None for one that is not reported."""
        sender = None if sender is None else without_route(sender)
        return visit_of(session).client._replace(helo=session.identity, sender=sender)

    def spf(self, session: Session, client: Client) -> SpfResults | Deferred[SpfResults]:
        """Return the results for the envelope; ask unless that is done already."""
        visit = visit_of(session)
        if visit.spf is None or visit.asked_for != client:
            visit.forget_spf()
            lookup = spf_results(client, self.court.authserv_id, int(time.time()))
            visit.asked_for, visit.spf = (
                client,
                run_lookup(lookup, self.court.dns, self.court.within),
            )
        return visit.spf

    # --- the message --------------------------------------------------------------------------

    def on_message(self, session: Session) -> EditedMessage:
        """Return a message that gets its results when it is complete."""
        client = self.client(session, session.sender)
        spared = exemption(client, session.username, self.exempt)
        if spared is not None:
            return SparedMail(self.court, session.id, client, spared)
        recipient = session.recipients[0] if self.flags.reports and session.recipients else b""
        mail = JudgedMail(self.court, session.id, client, recipient, self.spf(session, client))
        visit_of(session).mails.append(mail)
        return mail


class Visit:
    """The state of a session."""

    __slots__ = ("asked_for", "client", "mails", "spf")

    def __init__(self, client: Client) -> None:
        self.client = client
        self.asked_for: Client | None = None
        """The client with the envelope that ``spf`` is about."""
        self.spf: SpfResults | Deferred[SpfResults] | None = None
        self.mails: list[JudgedMail] = []

    def forget_spf(self) -> None:
        """Stop asking for an envelope."""
        if isinstance(self.spf, Deferred):
            self.spf.cancel()
        self.spf = self.asked_for = None

    def end_transaction(self) -> None:
        """Stop asking for an envelope, and for its messages."""
        self.forget_spf()
        for mail in self.mails:
            mail.stop()
        self.mails.clear()


def visit_of(session: Session) -> Visit:
    """Return the state of a session; one whose beginning was not reported is local."""
    if session.data is None:
        session.data = Visit(Client.of(session))
    visit: Visit = session.data
    return visit


def spf_decision(session: str, client: Client, found: SpfResults) -> PhaseDecision:
    """Return the decision on MAIL FROM (RFC 7208 section 8.4, RFC 7372 section 3.2)."""
    failed = next((each for each in (found.sender, found.helo) if each.result == "fail"), None)
    if failed is None:
        return PROCEED
    log("spf-reject", session, address=client.address, helo=client.helo, mailfrom=client.sender,
        domain=failed.domain, mechanism=failed.mechanism)  # fmt: skip
    why = f"5.7.23 SPF: {client.address} may not send mail of {failed.domain}"
    return refusal(f"{why}: {failed.explanation}" if failed.explanation else why)


def need_packages() -> None:
    """Raise ConfigError where a package is missing that a worker imports."""
    for name in PACKAGES:
        try:
            there = find_spec(name) is not None
        except ImportError:  # of an import hook
            there = False
        if not there:
            remedy = "pip install 'opensmtpd-plugins[auth]'"
            raise ConfigError(f"judging mail needs {name}", remedy=remedy)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    flags = options.filter_parser(
        "filter-auth", "Judge incoming mail by SPF, DKIM, ARC and DMARC.", EPILOG
    )
    # fmt: off
    flags.add_argument("authserv_id", nargs="?", metavar="authserv-id", help="the name under which"
        " results are written (default: admd of smtpd.conf, or else the server's name)")
    flags.add_argument("-A", "--arc", action="store_true", help="write ARC-Authentication-Results,"
        " to be sealed by filter-dkimsign -A and -S behind this filter")
    inbound_options.add(flags)
    flags.add_argument("--reports", metavar="FILE", help="keep results in this database, for"
        " reports to the domains that want them (opensmtpd-plugins dmarc report)")
    # fmt: on
    dns_options.add(flags, 20, "SPF, and as much again for all other questions about a message")
    return flags


def main() -> None:
    """Run filter-auth."""
    run.filter(Inbound, parser())


if __name__ == "__main__":
    main()
