"""filter-milter: any milter in smtpd, or several.

In smtpd.conf::

    filter "milters" proc-exec "filter-milter unix:/run/opendkim/opendkim.sock" \\
        user _smtpd group _smtpd
    listen on 192.0.2.1 port 25 tls pki example.com filter "milters"

It is to milters what Sendmail and Postfix are, with versions 2 to 6 of their protocol.
filter-milter(8) says which of their wishes smtpd cannot fulfil, and what becomes of these.

This process keeps messages and edits them; another one has the connections to the milters.
"""

import argparse

from opensmtpd import options, run
from opensmtpd.answer import Answer
from opensmtpd.errors import ConfigError
from opensmtpd.filter import (
    PROCEED,
    Connect,
    Data,
    Filter,
    Helo,
    LinkDisconnect,
    MailFrom,
    ParameterDecision,
    PhaseDecision,
    RcptTo,
    Session,
    TxReset,
)
from opensmtpd.mail.envelope import without_route
from opensmtpd.mail.milter.client import MilterClient, Milters
from opensmtpd.mail.milter.macros import USES
from opensmtpd.mail.milter.message import MilterMail
from opensmtpd.mail.milter.process import orders
from opensmtpd.mail.place import place
from opensmtpd.needs import Needs

EPILOG = """\
In smtpd.conf, mail of our users signed by OpenDKIM:

  filter "opendkim" proc-exec "filter-milter unix:/run/opendkim/opendkim.sock" \\
      user _smtpd group _smtpd
  listen on 192.0.2.1 port 465 smtps pki example.com auth filter "opendkim"

Incoming mail through OpenDKIM and then OpenDMARC, which reads what OpenDKIM has written:

  filter "milters" proc-exec "filter-milter inet:8891@localhost inet:8893@localhost" \\
      user _smtpd group _smtpd
"""


class Milter(Filter):
    """Shows each session and each message to milters."""

    needs = Needs()
    uses = USES

    def __init__(self, flags: argparse.Namespace) -> None:
        """Raises ConfigError for places that cannot be used, and with -n for a milter away."""
        self.milters = Milters(
            [place(each) for each in flags.milter],
            flags.milter,
            (flags.connect_timeout, flags.command_timeout, flags.content_timeout),
            patience=options.patience(flags.deadline),
            opens=flags.fail == "open",
            rejects_discarded=flags.discard == "reject",
            refuses_envelopes=flags.envelope == "tempfail",
        )
        if flags.check:
            away = self.milters.unreachable()
            if away:
                self.stop()
                remedy = "start the milter, or name its place and, for a unix socket, its group"
                raise ConfigError("; ".join(away), remedy=remedy)

    def stop(self) -> None:
        """End the worker."""
        self.milters.pool.close()

    def client(self, session: Session) -> MilterClient:
        """Return the state of a session; one whose beginning was not seen has a new one."""
        if session.data is None:
            session.data = MilterClient(self.milters, session)
        client: MilterClient = session.data
        return client

    # --- the session ------------------------------------------------------------------------------

    def on_connect(self, session: Session, request: Connect) -> Answer[PhaseDecision]:
        """Connect to the milters, and have them judge the client."""
        self.milters.server = self.admd
        client = self.client(session)
        client.begin()
        return client.connect().then(client.greeted)

    def on_helo(self, session: Session, request: Helo) -> Answer[ParameterDecision]:
        """Have HELO judged, and the second one behind STARTTLS."""
        client = self.client(session)
        if client.refusal is not None:
            return client.refusal
        if client.message:  # smtpd 7.9: the message is over, if no other filter minds
            client.outdated = True
            return PROCEED
        if not client.number or not client.wanted:
            return PROCEED
        client.begin()
        return client.helo(request.identity).then(client.greeted)

    def on_link_disconnect(self, session: Session, report: LinkDisconnect) -> None:
        """Close the connections of a client that is gone."""
        if session.data is not None:
            self.client(session).close()

    # --- the message ------------------------------------------------------------------------------

    def on_mail_from(self, session: Session, request: MailFrom) -> Answer[ParameterDecision]:
        """Have the sender judged: a message begins."""
        return self.client(session).mail(without_route(request.address), session.identity)

    def on_rcpt_to(self, session: Session, request: RcptTo) -> Answer[ParameterDecision]:
        """Have a recipient judged."""
        client, recipient = self.client(session), without_route(request.address)
        return client.command(orders.RCPT, recipient, client.macros(recipient))

    def on_data(self, session: Session, request: Data) -> Answer[PhaseDecision]:
        """Tell of DATA."""
        client = self.client(session)
        return client.command(orders.DATA, client.macros())

    def on_message(self, session: Session) -> MilterMail | None:
        """Return a message that milters see, None where none of them wants to."""
        client = self.client(session)
        silent = client.message in ("", "passes") and not client.discarded
        return None if silent else MilterMail(client)

    def on_tx_reset(self, session: Session, report: TxReset) -> None:
        """Forget a message that is over."""
        self.client(session).reset()


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    flags = options.filter_parser(
        "filter-milter",
        "Have milters judge and change mail.",
        EPILOG,
        deadline=options.DEADLINE_MAX,
    )
    # fmt: off
    flags.add_argument("milter", nargs="+", metavar="MILTER", help="where one listens: unix:/PATH,"
        " inet:PORT@HOST or inet:HOST:PORT; several are asked in this order, and each sees what"
        " those before it have changed")
    flags.add_argument("--fail", choices=("open", "tempfail"), default="tempfail", help="what"
        " becomes of mail while a milter cannot be asked: it passes without it, or 451, so that"
        " the client tries again (default)")
    flags.add_argument("--discard", choices=("junk", "reject"), default="junk", help="what becomes"
        " of a message that a milter wants to be thrown away, which no filter can do: mark it"
        " X-Spam: Yes (default), or 550")
    flags.add_argument("--envelope", choices=("ignore", "tempfail"), default="ignore", help="what"
        " becomes of a message whose envelope a milter wants to change, which no filter can do: it"
        " goes on, and the log says so (default), or 451")
    for name, default, what in (
        ("connect", 30.0, "for the connection to a milter"),
        ("command", 30.0, "for a milter's reply to a command"),
        ("content", 300.0, "for a milter's reply to a part of the message"),
    ):
        flags.add_argument(f"--{name}-timeout", type=options.seconds, default=default,
            metavar="SECONDS", help=f"wait so long {what} (default {default:g})")
    # fmt: on
    return flags


def main() -> None:
    """Run filter-milter."""
    run.filter(Milter, parser())


if __name__ == "__main__":
    main()
