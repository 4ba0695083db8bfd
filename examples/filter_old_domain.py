#!/usr/bin/python3
"""Take mail for a domain that was given up, and deliver it in the new one.

    filter old-domain proc-exec "filter-old-domain old.example example.com"

smtpd looks at the new address only: whether it takes that one decides about the recipient.
"""

from argparse import Namespace

from opensmtpd import options, run
from opensmtpd.filter import PROCEED, Filter, ParameterDecision, RcptTo, Rewrite, Session


class OldDomain(Filter):
    def __init__(self, flags: Namespace) -> None:
        self.old, self.new = flags.old.lower().encode(), flags.new.encode()

    def on_rcpt_to(self, session: Session, request: RcptTo) -> ParameterDecision:
        user, at, domain = request.address.rpartition(b"@")
        if at and domain.lower() == self.old:
            return Rewrite(user + b"@" + self.new)
        return PROCEED


if __name__ == "__main__":
    parser = options.filter_parser("filter-old-domain", __doc__)
    parser.add_argument("old", help="the domain that was given up")
    parser.add_argument("new", help="the domain in its place")
    run.filter(OldDomain, parser)
