"""Findings about a client at some DNS lists."""

from opensmtpd.dns import Question, RecordType
from opensmtpd.mail.dnsbl.findings import Asked, Listed, ListFinding, Unknown
from opensmtpd.mail.dnsbl.lists import List
from opensmtpd.mail.dnsbl.score import Tally

A = List("a.example", "a.example")
B = List("b.example", "b.example", score=3)
GOOD = List("good.example", "good.example", score=-2)
KEY = List("k3y.zen.dq.spamhaus.net", "zen.dq.spamhaus.net")
WHITE = List("w.example", "w.example", allow=True)


def listed(each: List) -> Listed:
    return Listed(Asked(each, "192.0.2.5", Question("name", RecordType.A)), ("127.0.0.2",))


def unknown(each: List) -> Unknown:
    return Unknown(each, "timeout")


def tally(*findings: ListFinding) -> Tally:
    made = Tally("1718c5e591926d28")
    made.put("connect", findings)
    return made
