#!/usr/bin/python3
"""Reject senders whose domain is not in the DNS.

    filter sender-dns proc-exec "filter-sender-dns --dns-deadline 3"

Where the DNS does not answer in time, they pass."""

from argparse import Namespace

from opensmtpd import answer, options, run
from opensmtpd.dns import Absent, Dns, Lookup, Question, RecordType, names, run_lookup
from opensmtpd.dns import options as dns_options
from opensmtpd.filter import PROCEED, Filter, MailFrom, PhaseDecision, Reject, Session


class SenderDNS(Filter):
    def __init__(self, dns: Dns, flags: Namespace) -> None:
        self.dns, self.deadline = dns, flags.dns_deadline

    def reload(self) -> None:
        self.dns.reread_servers()

    def stop(self) -> None:
        self.dns.save()  # the file that --dns-cache names

    def on_mail_from(self, session: Session, request: MailFrom) -> answer.Answer[PhaseDecision]:
        return run_lookup(self.judge(request.address), self.dns, self.deadline)

    def judge(self, sender: bytes) -> Lookup[PhaseDecision]:
        if names.is_query_name(domain := sender.rpartition(b"@")[2].decode("latin-1").lower()):
            replies = yield [Question(domain, RecordType[kind]) for kind in ("MX", "A", "AAAA")]
            if all(isinstance(reply, Absent) for reply in replies):
                return Reject(550, "5.1.8 The domain of the sender is not in the DNS")
        return PROCEED  # a bounce, too: it has no domain


if __name__ == "__main__":
    dns_options.add(parser := options.filter_parser("filter-sender-dns", __doc__))
    run.filter(lambda flags: SenderDNS(dns_options.resolver(flags), flags), parser)
