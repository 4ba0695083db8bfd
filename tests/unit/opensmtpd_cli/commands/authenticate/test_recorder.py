"""The DNS of one command: it waits for replies that come, and keeps them."""

from collections.abc import Sequence

import pytest

from opensmtpd.answer import Deferred
from opensmtpd.dns import Absent, Failed, Found, Lookup, Question, RecordType, Reply
from opensmtpd.dns.resolver.resolver import Resolver
from opensmtpd.dns.servers import ServerAddress
from opensmtpd.testing import Zone
from opensmtpd_cli.commands.authenticate.recorder import DnsRecorder

ONE, TWO = Question("one.test", RecordType.TXT), Question("two.test", RecordType.A)
ZONE: dict[Question, Reply] = {ONE: Found(("a text",))}


def both() -> Lookup[list[Reply]]:
    [first] = yield [ONE]
    [second] = yield [TWO]
    return [first, second]


@pytest.mark.parametrize("cached", [True, False])
def test_it_keeps_replies_in_the_order_of_the_questions(cached: bool) -> None:
    dns = DnsRecorder(Zone(ZONE, cached=cached))
    assert dns.result(both(), 1.0) == [Found(("a text",)), Absent(nxdomain=True)]
    assert list(dns.replies.items()) == [(ONE, Found(("a text",))), (TWO, Absent(nxdomain=True))]


class _Late(Zone):
    """The reply to the first question never comes."""

    def ask(self, questions: Sequence[Question], until: float) -> Deferred[list[Reply]]:
        super().ask(questions, until)
        return Deferred()


def test_a_question_without_a_reply_is_not_kept() -> None:
    dns = DnsRecorder(_Late({}, cached=False))
    dns.ask([ONE], 1.0)
    assert dns.replies == {}


def test_a_question_that_was_only_begun_is_asked() -> None:
    zone = Zone(ZONE, cached=False)
    dns = DnsRecorder(zone)
    dns.start([ONE])
    assert (zone.started, dns.replies) == ([ONE], {})


def broken() -> Lookup[str]:
    yield [ONE]
    raise ValueError("as it is")


def test_what_a_lookup_raises_is_raised() -> None:
    with pytest.raises(ValueError, match="as it is"):
        DnsRecorder(Zone(ZONE, cached=False)).result(broken(), 1.0)


def test_it_waits_for_the_process_that_asks() -> None:
    """Nobody serves port 1 of this address: the process says so, or the time is over."""
    resolver = Resolver([ServerAddress("127.0.0.1", 1)])
    try:
        [reply, _] = DnsRecorder(resolver).result(both(), 0.5)
    finally:
        resolver.close()
    assert isinstance(reply, Failed)
