"""filter-headers: refuse, mark and change messages by the fields of their header.

In smtpd.conf::

    filter "headers" proc-exec "filter-headers /etc/mail/headers"
    listen on 192.0.2.1 port 25 tls pki example.com filter "headers"

filter-headers(8) describes the file of rules.
"""

import argparse
from collections.abc import Callable

from opensmtpd import options, run
from opensmtpd.answer import Offload
from opensmtpd.errors import Refused
from opensmtpd.filter import EditedMessage, Filter, Session, SessionAttribute
from opensmtpd.log import log
from opensmtpd.mail.client import USES, Client
from opensmtpd.mail.headers.rules import HeaderRules
from opensmtpd.needs import Needs

EPILOG = """\
In smtpd.conf:

  filter "headers" proc-exec "filter-headers /etc/mail/headers"
  listen on 192.0.2.1 port 25 tls pki example.com filter "headers"

In /etc/mail/headers:

  reject   Subject       /buy now/
  junk     From          *@spam.example*
  remove   X-Internal-*

SIGHUP has it read that file anew.
"""


class Headers(Filter):
    """Follows rules about the headers of messages."""

    uses: tuple[SessionAttribute, ...] = (*USES, "username")

    def __init__(self, flags: argparse.Namespace) -> None:
        """Raises ConfigError for rules that cannot be used."""
        self.path: str = flags.rules
        self.rules = HeaderRules(self.path)
        self.needs = Needs(reads=(self.path,))

    def reload(self) -> Offload[Callable[[], None]]:
        """Have a thread read the rules again: on a dead mount, open(2) never returns."""
        return Offload(self.read_again)

    def read_again(self) -> Callable[[], None]:
        """Return what puts the new rules in the place of the old. Raises ConfigError."""
        rules = HeaderRules(self.path)

        def swap() -> None:
            self.rules = rules

        return swap

    def on_message(self, session: Session) -> "RuledMail":
        """Return a message that the rules see when it is complete."""
        ours = session.username is not None or Client.of(session).local
        return RuledMail(self.rules, session.id, ours)


class RuledMail(EditedMessage):
    """A message that the rules judge and change."""

    def __init__(self, rules: HeaderRules, session: str, ours: bool) -> None:
        self.rules, self.session, self.ours = rules, session, ours

    def end(self) -> None:
        """Follow the rules. Raises Refused."""
        verdict = self.rules.follow(self, ours=self.ours)
        if verdict.refusal is not None:
            event = "headers-too-long" if verdict.too_long else "headers-reject"
            log(event, self.session, line=verdict.line)
            raise Refused(verdict.refusal)
        if verdict.junk:
            log("headers-junk", self.session, line=verdict.line)
            self.prepend(b"X-Spam", b"Yes")


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    flags = options.filter_parser(
        "filter-headers", "Refuse, mark and change messages by their headers.", EPILOG
    )
    flags.add_argument("rules", metavar="FILE", help="the rules: see filter-headers(8)")
    return flags


def main() -> None:
    """Run filter-headers."""
    run.filter(Headers, parser())


if __name__ == "__main__":
    main()
