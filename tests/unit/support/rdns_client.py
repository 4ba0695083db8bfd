"""Clients of filter-rdns: how they come, and what they are answered."""

from collections.abc import Mapping

from opensmtpd.dns import Question, RecordType, Reply
from opensmtpd.testing.zone import Zone
from opensmtpd_filters.rdns import Clients, parser
from unit.support.talk import Talk, report, request, result

PROCEED, JUNK = result(b"proceed"), result(b"junk")
REFUSED = result(b"reject|550 5.7.25 Reverse DNS validation failed")
PTR = Question("5.2.0.192.in-addr.arpa", RecordType.PTR)


def make(*flags: str, prog: str = "filter-rdns") -> Clients:
    return Clients(parser(prog).parse_args(flags))


def link(
    rdns: bytes = b"<unknown>",
    fcrdns: bytes = b"fail",
    source: bytes = b"192.0.2.5:4711",
    destination: bytes = b"192.168.0.1:25",
) -> bytes:
    return report(b"link-connect", rdns, fcrdns, source, destination)


def connect(talk: Talk, *client: bytes) -> bytes:
    """Have a client connect; return what its connect request is answered with."""
    return talk.say(link(*client), request(b"connect", b"name|192.0.2.5"))


def verified(records: Mapping[Question, Reply], *flags: str, prog: str = "filter-rdns") -> Talk:
    clients = make("--verify", *flags, prog=prog)
    clients.dns = Zone(records)
    return Talk(clients)


def greet(talk: Talk, identity: bytes, phase: bytes = b"ehlo") -> bytes:
    talk.say(link(b"good.example.net", b"pass"), report(b"link-greeting", b"Example.com"))
    return talk.say(request(phase, identity))


def a(name: str) -> Question:
    return Question(name, RecordType.A)
