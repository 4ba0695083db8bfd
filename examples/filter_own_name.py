#!/usr/bin/python3
"""Reject clients that greet this server with one of its own names.

    filter own-name proc-exec "filter-own-name mail.example.com example.com"
    listen on 192.0.2.1 port 25 filter own-name

Spam programs do that to hide who they are. The arguments are the names.
"""

from argparse import Namespace

from opensmtpd import options, run
from opensmtpd.filter import PROCEED, Filter, Helo, ParameterDecision, Reject, Session


class OwnName(Filter):
    def __init__(self, flags: Namespace) -> None:
        self.names = {name.lower().encode() for name in flags.names}

    def on_helo(self, session: Session, request: Helo) -> ParameterDecision:
        if request.identity.lower() in self.names:
            return Reject(550, "5.7.1 That is my name, not yours")
        return PROCEED


if __name__ == "__main__":
    parser = options.filter_parser("filter-own-name", __doc__)
    parser.add_argument("names", nargs="+", metavar="NAME", help="a name of this server")
    run.filter(OwnName, parser)
