"""filter-archive: keep a copy of each message that smtpd accepts.

In smtpd.conf::

    filter "archive" proc-exec "filter-archive /var/lib/opensmtpd-plugins/archive/Maildir" \\
        user _archive group _archive
    listen on 192.0.2.1 port 25 tls pki example.com filter "archive"

A copy is on the disk before smtpd accepts the message; filter-archive(8) says what becomes of it.
This process reads messages, another one writes copies, and a third hands them on over LMTP.
"""

import argparse
import secrets
import time

from opensmtpd import options, run
from opensmtpd.errors import ConfigError, Refused, WorkerError
from opensmtpd.filter import (
    EditedMessage,
    Filter,
    LinkDisconnect,
    Reject,
    Session,
    SessionAttribute,
    TxCommit,
    TxReset,
)
from opensmtpd.log import log
from opensmtpd.mail.archive import envelope, orders
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
HAND_ON_WITHIN = 120.0
"""Seconds until the process that hands copies on is replaced: it is late with one of them."""
WAITING = 20_000
"""Orders that wait, at most."""
PART = 256 << 10
"""Bytes of a message in one order, about."""
AGAIN = 5.0
"""Seconds until what has failed is tried again."""
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
        self.owner = secrets.token_hex(6)
        self.number = 0
        self.accepted: dict[str, None] = {}
        """Copies of accepted messages that are not known to be moved, in their order."""
        setup = [flags.maildir, self.owner, not flags.check]
        self.pool = Pool(WORKER, setup, deadline=WRITE_WITHIN, queue=WAITING)
        self.lmtp: Pool | None = None
        self.handing_on = False
        if server is not None:
            to = server if isinstance(server, str) else list(server)
            setup = [flags.maildir, to, flags.lmtp_recipient]
            self.lmtp = Pool(LMTP, setup, deadline=HAND_ON_WITHIN)

    def stop(self) -> None:
        """End the workers. Copies of messages under way stay: smtpd may have accepted them."""
        self.pool.close()
        if self.lmtp is not None:
            self.lmtp.close()

    # --- messages -----------------------------------------------------------------------------

    def on_message(self, session: Session) -> "ArchivedMail":
        """Return a message that is copied when it is complete."""
        self.number += 1
        ident = f"{session.msgid}N{self.number}.{self.owner}"
        mail = ArchivedMail(self, session, f"{int(time.time())}.M{ident}", ident)
        session.data = mail
        return mail

    def on_tx_commit(self, session: Session, report: TxCommit) -> None:
        """Move a copy to the accepted ones."""
        mail: ArchivedMail | None = session.data
        if mail is not None and mail.kept:
            session.data = None
            self.accept(mail.name)

    def on_tx_reset(self, session: Session, report: TxReset) -> None:
        """Drop the copy of a message that was not accepted."""
        self.drop(session)

    def on_link_disconnect(self, session: Session, report: LinkDisconnect) -> None:
        """Drop the copy of a message that was not accepted."""
        self.drop(session)

    def drop(self, session: Session) -> None:
        """Drop a copy; where that fails, it is taken for one that was left by a crash."""
        mail: ArchivedMail | None = session.data
        session.data = None
        if mail is not None and mail.begun:
            self.pool.ask([orders.DROP, mail.name])

    # --- copies -------------------------------------------------------------------------------

    def accept(self, name: str) -> None:
        """Have a copy moved to the accepted ones, sooner or later."""
        self.accepted[name] = None

        def end(_: object, error: BaseException | None) -> None:
            if error is None:
                self.accepted.pop(name, None)
                self.hand_on()
            else:
                log("archive-late", file=name, reason=error)

        self.pool.ask([orders.ACCEPT, name]).on_end(end)

    @every(AGAIN)
    def try_again(self) -> None:
        """Do again what has failed, and hand on what was left."""
        for name in list(self.accepted):
            self.accept(name)
        self.hand_on()

    def hand_on(self) -> None:
        """Have copies handed on, unless that is being done."""
        if self.lmtp is None or self.handing_on:
            return
        self.handing_on = True

        def end(more: object, error: BaseException | None) -> None:
            self.handing_on = False
            if error is not None:
                log("archive-lmtp-away", reason=error)
            elif more:
                self.hand_on()

        self.lmtp.ask([]).on_end(end)


class ArchivedMail(EditedMessage):
    """A message, and its copy."""

    def __init__(self, archive: Archive, session: Session, name: str, ident: str) -> None:
        self.archive, self.session, self.name, self.ident = archive, session, name, ident
        self.begun = False
        """True when there may be a copy."""
        self.kept = False
        """True when the copy is on the disk."""

    async def end(self) -> None:
        """Write the copy. Raises Refused where it cannot be written, and mail is not to pass."""
        self.begun = True
        try:
            await self.write()
        except WorkerError as error:
            log("archive-failed", self.session.id, reason=error)
            if not self.archive.opens:
                raise Refused(NOT_KEPT) from None
        else:
            self.kept = True

    async def write(self) -> None:
        """Write the copy part by part. Raises WorkerError."""
        session, reader, at = self.session, self.reader(), 0
        part = envelope.head(self.ident, session.sender or b"", session.recipients)
        while True:
            part += reader.read(PART)
            last = reader.left == 0
            await self.archive.pool.ask([orders.WRITE, self.name, at, part, last])
            if last:
                return
            at, part = at + len(part), b""


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
