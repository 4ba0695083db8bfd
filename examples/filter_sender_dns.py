#!/usr/bin/python3
"""Reject senders whose domain is not in the DNS.

    filter sender-dns proc-exec "filter-sender-dns --dns-deadline 3"

Where the DNS does not answer in time, they pass.
"""

from argparse import Namespace

from opensmtpd import options, run
from opensmtpd.answer import Answer
from opensmtpd.dns import Absent, Dns, Lookup, Question, RecordType, run_lookup
from opensmtpd.dns import options as dns_options
from opensmtpd.dns.names import is_query_name
from opensmtpd.filter import PROCEED, Filter, MailFrom, PhaseDecision, Reject, Session


class SenderDNS(Filter):
    def __init__(self, dns: Dns, flags: Namespace) -> None:
        self.dns, self.deadline = dns, flags.dns_deadline

    def on_mail_from(self, session: Session, request: MailFrom) -> Answer[PhaseDecision]:
        domain = request.address.rpartition(b"@")[2].decode("ascii", "replace").lower()
        return run_lookup(self.judge(domain), self.dns, self.deadline)

    def judge(self, domain: str) -> Lookup[PhaseDecision]:
        if is_query_name(domain):  # a bounce has no domain
            kinds = (RecordType.MX, RecordType.A, RecordType.AAAA)
            replies = yield [Question(domain, kind) for kind in kinds]
            if all(isinstance(reply, Absent) for reply in replies):
                return Reject(550, "5.1.8 The domain of the sender is not in the DNS")
        return PROCEED


if __name__ == "__main__":
    parser = options.filter_parser("filter-sender-dns", __doc__)
    dns_options.add(parser)
    run.filter(lambda flags: SenderDNS(dns_options.resolver(flags), flags), parser)
