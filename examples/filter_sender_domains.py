#!/usr/bin/python3
"""Reject senders whose domain is in a file, one domain in each line.

    filter sender-domains proc-exec "filter-sender-domains /etc/mail/rejected"

After a change of the file, ``pkill -HUP -f filter-sender-domains`` has it read again.
"""

from argparse import Namespace

from opensmtpd import options, run
from opensmtpd.errors import ConfigError
from opensmtpd.filter import PROCEED, Filter, MailFrom, ParameterDecision, Reject, Session


class SenderDomains(Filter):
    def __init__(self, flags: Namespace) -> None:
        self.path = flags.path
        self.reload()

    def reload(self) -> None:
        try:
            with open(self.path, "rb") as file:
                self.domains = {line.strip().lower() for line in file} - {b""}
        except OSError as error:  # at the start: exit with 1; at SIGHUP: keep the old domains
            raise ConfigError(error.strerror or "cannot be read", path=self.path) from None

    def on_mail_from(self, session: Session, request: MailFrom) -> ParameterDecision:
        if request.address.rpartition(b"@")[2].lower() in self.domains:
            return Reject(550, "5.7.1 No mail from this domain, please")
        return PROCEED


if __name__ == "__main__":
    parser = options.filter_parser("filter-sender-domains", __doc__)
    parser.add_argument("path", metavar="FILE", help="the file of rejected domains")
    run.filter(SenderDomains, parser)
