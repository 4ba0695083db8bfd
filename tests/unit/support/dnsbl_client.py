"""filter-dnsbl with plain data for a DNS, and clients that meet it."""

from collections.abc import Mapping

from opensmtpd.dns import Failed, Found, Question, RecordType, Reply
from opensmtpd.mail.dnsbl import options
from opensmtpd.testing import Outcome, run_message
from opensmtpd.testing.zone import Zone
from opensmtpd_filters.dnsbl import Dnsbl, parser
from unit.support.talk import Talk, report, request, result

PROCEED, JUNK = result(b"proceed"), result(b"junk")
TWO = Found(("127.0.0.2",))
DEAD = Failed("timeout")
A5, B5, W5 = (f"5.2.0.192.{zone}.example" for zone in "abw")
MESSAGE = b"From: bob@remote.example\nX-Spam: No\nSubject: hello\n\nX-Spam: No\n"
UNMARKED = b"From: bob@remote.example\nSubject: hello\n\nX-Spam: No\n"


def make(line: str, records: Mapping[str, Reply], *more: str) -> Dnsbl:
    """Return the filter of a command line, asking for A and (" TXT" behind the name) TXT."""
    flags = parser().parse_args(options.in_order(parser(), [*line.split(), *more]))
    filter = Dnsbl(flags)
    filter.dns = Zone({question(name): reply for name, reply in records.items()})
    return filter


def question(spelled: str) -> Question:
    name, _, kind = spelled.partition(" ")
    return Question(name, RecordType(kind or "A"))


def send(line: str, records: Mapping[str, Reply], *more: str, **client: bytes) -> Outcome:
    return run_message(make(line, records, *more), MESSAGE, **client)  # type: ignore[arg-type]


def written(outcome: Outcome) -> bytes:
    """Return the message without what smtpd had put on top of it."""
    assert outcome.received.count(b"Received: ") == 1
    assert outcome.message.count(outcome.received) == 1
    return outcome.message.replace(outcome.received, b"")


def link(source: bytes = b"192.0.2.5:4711", rdns: bytes = b"client.example") -> bytes:
    return report(b"link-connect", rdns, b"pass", source, b"192.168.0.1:25")


CONNECT = request(b"connect", b"client.example|192.0.2.5")


def connect(filter: Dnsbl, *client: bytes) -> tuple[Talk, bytes]:
    """Have a client connect; return what it is answered, too."""
    talk = Talk(filter)
    return talk, talk.say(link(*client), CONNECT)
