"""filter-rspamd: have rspamd scan messages, and do what it says.

In smtpd.conf::

    filter "rspamd" proc-exec "filter-rspamd"
    listen on 192.0.2.1 port 25 tls pki example.com filter "rspamd"

It takes the flags of the filter-rspamd that is written in Go, and its place. filter-rspamd(8)
describes it, the additions, and the differences between the two.

This process keeps messages and edits them; another one talks to rspamd, and reads what it says.
"""

import argparse

from opensmtpd import options, run
from opensmtpd.errors import ConfigError
from opensmtpd.filter import Filter, LinkDisconnect, Session, TxReset
from opensmtpd.log import log
from opensmtpd.mail.rspamd.message import ScannedMail
from opensmtpd.mail.rspamd.request import USES, fields, told
from opensmtpd.mail.rspamd.scan import GRACE, Scanner
from opensmtpd.mail.rspamd.url import DEFAULT, url
from opensmtpd.needs import Needs

EPILOG = """\
In smtpd.conf, an rspamd on this machine:

  filter "rspamd" proc-exec "filter-rspamd"
  listen on 192.0.2.1 port 25 tls pki example.com filter "rspamd"

Two of them, the second one for the time when the first is away:

  filter "rspamd" proc-exec "filter-rspamd -url http://192.0.2.7:11333 \\
      -url http://192.0.2.8:11333"
"""


class Rspamd(Filter):
    """Has each message scanned."""

    needs = Needs()
    uses = USES

    def __init__(self, flags: argparse.Namespace) -> None:
        """Raises ConfigError for flags that cannot be used, and with -n for a server away."""
        self.flags = flags
        spare = GRACE + 1
        least = flags.timeout + spare
        if least > options.DEADLINE_MAX:
            remedy = f"set it to {options.DEADLINE_MAX - spare:g} or less"
            raise ConfigError("--timeout is longer than smtpd waits", remedy=remedy)
        if flags.deadline < least:
            remedy = f"set --deadline to {least:g} or more"
            raise ConfigError("--timeout is not 3 seconds shorter than --deadline", remedy=remedy)
        if not flags.settings_id.isprintable():
            raise ConfigError("-settings-id holds a character that cannot be printed")
        self.scanner = Scanner(flags.url or [url(DEFAULT)], flags.timeout)
        if flags.check:
            self.need_servers()

    def need_servers(self) -> None:
        """Raise ConfigError for a server that does not answer."""
        away = self.scanner.unreachable()
        if away:
            self.stop()
            raise ConfigError("; ".join(away), remedy="start rspamd there, or change -url")

    def stop(self) -> None:
        """End the worker."""
        self.scanner.pool.close()

    def on_message(self, session: Session) -> ScannedMail:
        """Return a message that goes to rspamd while it arrives."""
        head = fields(session, self.flags.settings_id)
        if told(head) < len(session.recipients):
            log("rspamd-recipients", session.id, told=told(head), of=len(session.recipients))
        mail = ScannedMail(
            self.scanner,
            session.id,
            head,
            self.flags.max_size,
            opens=self.flags.fail == "open",
        )
        if session.data is None:
            session.data = []
        session.data.append(mail)
        return mail

    def on_tx_reset(self, session: Session, report: TxReset) -> None:
        """Stop scanning for a transaction that is over."""
        self.forget(session)

    def on_link_disconnect(self, session: Session, report: LinkDisconnect) -> None:
        """Stop scanning for a client that is gone."""
        self.forget(session)

    def forget(self, session: Session) -> None:
        """Stop scanning the messages of a session."""
        mails: list[ScannedMail] = session.data or []
        session.data = None
        for mail in mails:
            mail.stop()


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    flags = options.filter_parser(
        "filter-rspamd", "Have rspamd scan messages, and do what it says.", EPILOG
    )
    # fmt: off
    flags.add_argument("-url", "--url", action="append", default=[], type=options.typed(url),
        metavar="URL", help="where rspamd is: http://HOST:PORT, https://HOST:PORT, or the path of a"
        f" unix socket (default {DEFAULT}); the next one, if there is another, is asked where one"
        " does not answer")
    flags.add_argument("-settings-id", "--settings-id", default="", metavar="ID",
        help="have rspamd use these settings of its own")
    flags.add_argument("--timeout", type=options.seconds, default=30.0, metavar="SECONDS",
        help="wait for the verdict for so long when a message is complete (default 30)")
    flags.add_argument("--fail", choices=("open", "tempfail"), default="tempfail", help="what"
        " becomes of a message that cannot be scanned: it passes, or 451, so that the client tries"
        " again (default)")
    flags.add_argument("--max-size", type=options.size, default="50M", metavar="SIZE",
        help="let larger messages pass without a scan (default 50M)")
    # fmt: on
    return flags


def main() -> None:
    """Run filter-rspamd."""
    run.filter(Rspamd, parser())


if __name__ == "__main__":
    main()
