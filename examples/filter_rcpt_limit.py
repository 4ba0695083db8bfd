#!/usr/bin/python3
"""Limit the recipients of a session for clients that did not authenticate.

    filter rcpt-limit proc-exec "filter-rcpt-limit --recipients 20"

smtpd asks before it looks at the recipient itself, so those that it refuses count, too.
"""

from argparse import Namespace

from opensmtpd import options, run
from opensmtpd.filter import PROCEED, Disconnect, Filter, ParameterDecision, RcptTo, Session
from opensmtpd.log import log


class RcptLimit(Filter):
    uses = ("username",)

    def __init__(self, flags: Namespace) -> None:
        self.most = flags.recipients

    def on_rcpt_to(self, session: Session, request: RcptTo) -> ParameterDecision:
        session.data = (session.data or 0) + 1
        if session.username is not None or session.data <= self.most:
            return PROCEED
        log("too-many-recipients", session.id, count=session.data)
        return Disconnect(421, "4.7.1 Too many recipients")


if __name__ == "__main__":
    parser = options.filter_parser("filter-rcpt-limit", __doc__)
    parser.add_argument("--recipients", type=int, default=20, metavar="N", help="default 20")
    run.filter(RcptLimit, parser)
