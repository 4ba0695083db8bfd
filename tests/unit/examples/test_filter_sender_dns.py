"""examples/filter_sender_dns.py: only a proven absence rejects."""

from argparse import Namespace

import pytest

from filter_sender_dns import SenderDNS
from opensmtpd.dns import Failed, Found, Question, RecordType, Reply
from opensmtpd.testing import Zone, run_message

REPLIES: dict[Question, Reply] = {
    Question("mx.example", RecordType.MX): Found(("mail.mx.example",)),
    Question("host.example", RecordType.AAAA): Found(("2001:db8::7",)),
    Question("slow.example", RecordType.A): Failed("timeout"),
}


def test_the_resolver_rereads_and_saves() -> None:
    zone = Zone({})
    filter = SenderDNS(zone, Namespace(dns_deadline=3.0))
    filter.reload()
    assert (zone.reread, zone.saved) == (1, 0)
    filter.stop()
    assert (zone.reread, zone.saved) == (1, 1)


@pytest.mark.parametrize("cached", [True, False])
@pytest.mark.parametrize(
    ("sender", "accepted"),
    [
        (b"a@mx.example", True),
        (b"a@HOST.example", True),
        (b"a@slow.example", True),
        (b"a@none.example", False),
        (b"", True),
        (b"a@[192.0.2.5]", True),
    ],
)
def test_domains(sender: bytes, accepted: bool, cached: bool) -> None:
    zone = Zone(REPLIES, cached=cached)
    outcome = run_message(SenderDNS(zone, Namespace(dns_deadline=3.0)), sender=sender)
    assert outcome.accepted is accepted
    if not accepted:
        assert outcome.reply == b"550 5.1.8 The domain of the sender is not in the DNS"
