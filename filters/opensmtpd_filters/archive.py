"""filter-archive: keep a copy of each message that smtpd accepts.

In smtpd.conf::

    filter "archive" proc-exec "filter-archive /var/lib/opensmtpd-plugins/archive/Maildir" \\
        user _archive group _archive
    listen on 192.0.2.1 port 25 tls pki example.com filter "archive"

A copy is on the disk before smtpd accepts the message; filter-archive(8) says what becomes of it.
This process reads messages, another one writes copies, and a third hands them on over LMTP.
"""

import argparse
import os
import time
from collections.abc import Iterator
from contextlib import suppress

from opensmtpd import options, run
from opensmtpd.answer import Deferred
from opensmtpd.errors import ConfigError, Refused, WorkerError
from opensmtpd.filter import (
    PROCEED,
    CommitDecision,
    EditedMessage,
    Filter,
    LinkDisconnect,
    MailFrom,
    RcptTo,
    Reject,
    Session,
    SessionAttribute,
    TxCommit,
    TxReset,
)
from opensmtpd.log import log
from opensmtpd.mail.archive import envelope, orders
from opensmtpd.mail.archive.parts import PartWriter
from opensmtpd.mail.envelope import WholeEnvelope
from opensmtpd.mail.place import place
from opensmtpd.needs import Needs
from opensmtpd.timers import every
from opensmtpd.worker import Pool

EPILOG = """\
In smtpd.conf, as the last filter of a listener:

  filter "archive" proc-exec "filter-archive /var/lib/opensmtpd-plugins/archive/Maildir" \\
      user _archive group _archive
  listen on 192.0.2.1 port 25 tls pki example.com filter "archive"

With copies handed on to Dovecot:

  filter "archive" proc-exec "filter-archive --lmtp unix:/run/dovecot/lmtp \\
      --lmtp-recipient archive@example.com /var/lib/opensmtpd-plugins/archive/spool" \\
      user _archive group _archive
"""

WORKER = "opensmtpd.mail.archive.worker:ArchiveWorker"
LMTP = "opensmtpd.mail.archive.lmtp:LmtpWorker"
WRITE_WITHIN = 30.0
"""Seconds until a disk is late."""
HAND_ON_WITHIN = 900.0
"""Seconds until the process that hands copies on is replaced: it is late with one of them."""
WAITING = 20_000
"""Orders that wait, at most."""
PART = 256 << 10
"""Bytes of a message in one order, about."""
LATE_MAX = 10_000
"""Copies to be moved or removed with which no other is begun: each is tried again and again."""
AGAIN = 5.0
"""Seconds until what has failed is tried again."""
END_WITHIN = 3.0
"""Seconds for what is left to do at the end."""
NOT_KEPT = Reject(451, "4.3.0 Service unavailable, please try again later")


class Archive(Filter):
    """Keeps copies."""

    uses: tuple[SessionAttribute, ...] = ("msgid", "sender", "recipients")
    needs = Needs()

    def __init__(self, flags: argparse.Namespace) -> None:
        """Raises ConfigError for flags, and folders that cannot be used."""
        if (flags.lmtp is None) != (flags.lmtp_recipient is None):
            remedy = "name the server by --lmtp, and the archive's address by --lmtp-recipient"
            raise ConfigError("LMTP takes two options", remedy=remedy)
        if not (flags.lmtp_recipient or "").isascii():
            raise ConfigError("--lmtp-recipient is not ASCII", remedy="name an address that is")
        server = None if flags.lmtp is None else place(flags.lmtp, "an LMTP server")
        self.opens: bool = flags.fail == "open"
        self.owner = os.urandom(6).hex()
        self.number = 0
        self.orders: dict[str, int] = {}
        """Copies that are to be accepted or dropped, and are not known to be, in their order."""
        setup = [flags.maildir, self.owner, not flags.check]
        self.pool = Pool(WORKER, setup, deadline=WRITE_WITHIN, queue=WAITING)
        self.writer = PartWriter(self.pool)
        self.lmtp: Pool | None = None
        self.handing_on = False
        self.troubles: dict[str, str | None] = {}
        """The reasons that the log has had of what fails again and again, by the event."""
        if server is not None:
            to = server if isinstance(server, str) else list(server)
            setup = [flags.maildir, to, flags.lmtp_recipient]
            self.lmtp = Pool(LMTP, setup, deadline=HAND_ON_WITHIN)

    def stop(self) -> None:
        """End the workers, when they have done what smtpd has decided.

        Copies of messages under way stay: smtpd may have accepted them.
        """
        lmtp, self.lmtp = self.lmtp, None
        end = time.monotonic() + END_WITHIN
        with suppress(WorkerError):
            for name, order in list(self.orders.items()):
                self.pool.request([order, name], max(0.0, end - time.monotonic()))
        self.pool.close()
        if lmtp is not None:
            lmtp.close()

    # --- messages -----------------------------------------------------------------------------

    def on_mail_from(self, session: Session, request: MailFrom) -> CommitDecision:
        """Take note of the sender."""
        visit_of(session).envelope.begin(request.address)
        return PROCEED

    def on_rcpt_to(self, session: Session, request: RcptTo) -> CommitDecision:
        """Take note of a recipient."""
        visit_of(session).envelope.add(request.address)
        return PROCEED

    def on_message(self, session: Session) -> "ArchivedMail":
        """Return a message that is copied when it is complete."""
        self.number += 1
        ident = f"{session.msgid}N{self.number}.{self.owner}"
        mail = ArchivedMail(self, session, f"{int(time.time())}.M{ident}", ident)
        visit_of(session).mails.append(mail)
        return mail

    def on_tx_commit(self, session: Session, report: TxCommit) -> None:
        """Move a copy to the accepted ones."""
        self.decide(session, orders.ACCEPT)

    def on_tx_reset(self, session: Session, report: TxReset) -> None:
        """Drop the copy of a message that was not accepted."""
        self.decide(session, orders.DROP)

    def on_link_disconnect(self, session: Session, report: LinkDisconnect) -> None:
        """Drop the copy of a message that was not accepted."""
        self.decide(session, orders.DROP)

    # --- copies -------------------------------------------------------------------------------

    def decide(self, session: Session, order: int) -> None:
        """Have the copies of a session's message accepted or dropped, sooner or later."""
        visit = visit_of(session)
        mails, visit.mails = visit.mails, []
        for mail in mails:
            if mail.begun:
                self.orders[mail.name] = order if mail.kept else orders.DROP
                self.ask(mail.name)

    def ask(self, name: str) -> None:
        """Ask for what was decided about a copy; where that fails, it is asked for again."""

        def end(_: object, error: BaseException | None) -> None:
            if self.went_well("archive-late", error, file=name):
                self.orders.pop(name, None)
                self.hand_on()

        self.pool.ask([self.orders[name], name]).on_end(end)

    @every(AGAIN)
    def try_again(self) -> None:
        """Do again what has failed, and look for what others have left, and for what waits."""
        for name in list(self.orders):
            self.ask(name)
        self.pool.ask([orders.RECOVER]).on_end(lambda *_: self.hand_on())

    def went_well(self, event: str, error: BaseException | None, file: str | None = None) -> bool:
        """Return whether something did; log it otherwise, unless the log has had it last time."""
        reason = None if error is None else str(error)
        if reason is not None and self.troubles.get(event) != reason:
            log(event, file=file, reason=reason)
        self.troubles[event] = reason
        return reason is None

    def hand_on(self) -> None:
        """Have copies handed on, unless that is being done."""
        if self.lmtp is None or self.handing_on:
            return
        self.handing_on = True

        def end(more: object, error: BaseException | None) -> None:
            self.handing_on = False
            if self.lmtp is not None and self.went_well("archive-lmtp-away", error) and more:
                self.hand_on()

        self.lmtp.ask([]).on_end(end)


class ArchivedVisit:
    """The state of a session."""

    __slots__ = ("envelope", "mails")

    def __init__(self) -> None:
        self.envelope = WholeEnvelope()
        self.mails: list[ArchivedMail] = []
        """The messages under way: several where a chain names this process more than once."""


def visit_of(session: Session) -> ArchivedVisit:
    """Return the state of a session."""
    if session.data is None:
        session.data = ArchivedVisit()
    visit: ArchivedVisit = session.data
    return visit


class ArchivedMail(EditedMessage):
    """A message, and its copy."""

    def __init__(self, archive: Archive, session: Session, name: str, ident: str) -> None:
        self.archive, self.session, self.name, self.ident = archive, session, name, ident
        self.begun = False
        """True when there may be a copy."""
        self.kept = False
        """True when the copy is on the disk."""

    def end(self) -> Deferred[None] | None:
        """Write the copy. The header stays in the spool, as a coroutine would not have it.

        Raises Refused where the copy cannot be written, and mail is not to pass.
        """
        if len(self.archive.orders) >= LATE_MAX:
            self.take(WorkerError(f"{LATE_MAX} copies wait to be moved or removed"))
            return None
        self.begun = True
        return self.archive.writer.write(self.name, self.parts()).then(self.take)

    def take(self, error: WorkerError | None) -> None:
        """Take note that the copy is written, or why it is not. Raises Refused."""
        if error is None:
            self.kept = True
            return
        log("archive-failed", self.session.id, reason=error)
        if not self.archive.opens:
            raise Refused(NOT_KEPT)

    def parts(self) -> Iterator[tuple[bytes, bool]]:
        """Yield the parts of the copy, and whether each is the last one."""
        session, reader, last = self.session, self.reader(), False
        whole = visit_of(session).envelope
        left = envelope.head(self.ident, whole.sender(session), whole.recipients(session))
        while not last:
            left += reader.read(PART)
            part, left = left[: 2 * PART], left[2 * PART :]
            last = not left and reader.left == 0
            yield part, last


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    flags = options.filter_parser(
        "filter-archive", "Keep a copy of each message that is accepted.", EPILOG
    )
    # fmt: off
    flags.add_argument("maildir", metavar="MAILDIR", help="the folder of copies, which is made")
    flags.add_argument("--fail", choices=("open", "tempfail"), default="tempfail", help="what"
        " becomes of a message that cannot be copied: it passes, or 451, so that the client tries"
        " again (default)")
    flags.add_argument("--lmtp", metavar="SERVER", help="hand copies on to this server, and remove"
        " them then: unix:/PATH, inet:PORT@HOST or inet:HOST:PORT")
    flags.add_argument("--lmtp-recipient", metavar="ADDRESS", help="the address of the archive"
        " there")
    # fmt: on
    return flags


def main() -> None:
    """Run filter-archive."""
    run.filter(Archive, parser())


if __name__ == "__main__":
    main()
