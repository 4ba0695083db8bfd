"""The resolver, asking a real name server on loopback."""

import pytest

from lab.peers.nameserver import NameServer
from opensmtpd.dns import Absent, Failed, Found, Question, RecordType, Reply
from unit.support.dns_lab import AAAA, MX, PTR, RECORDS, TXT, A, Lab, port

# --- replies --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "kind", "reply"),
    [
        ("example.org", A, Found(("192.0.2.1", "192.0.2.2"))),
        ("example.org", AAAA, Found(("2001:db8::1",))),
        ("example.org", MX, Found(("a.example.org", "a.example.org", "b.example.org"))),
        ("example.org", TXT, Found(("v=one and two", "\xff\n|"))),
        ("5.2.0.192.in-addr.arpa", PTR, Found(("one.example", "two.example"))),
        ("alias.example.org", A, Found(("192.0.2.1", "192.0.2.2"))),
        ("alias.example.org", PTR, Absent()),
        ("example.org", PTR, Absent()),
        ("none.example.org", A, Absent(nxdomain=True)),
        ("0.2.192.in-addr.arpa", A, Absent(nxdomain=True)),
        ("2.0.192.in-addr.arpa", A, Absent()),  # there are names below it
        ("refused.example.org", A, Failed("DNS server returned general failure")),
    ],
)
def test_replies(lab: Lab, name: str, kind: RecordType, reply: Reply) -> None:
    assert lab.one(name, kind) == reply


def test_no_server_at_all() -> None:
    lab = Lab(NameServer(RECORDS), ("127.0.0.1", port()))
    reply = lab.one("example.org", A)
    assert isinstance(reply, Failed)
    assert reply.reason.isprintable()


# --- deadlines ------------------------------------------------------------------------------------


def test_what_is_not_answered_in_time_has_failed(lab: Lab) -> None:
    """Then c-ares has not given it up by far: its reply would be another."""
    questions = Question("silent.example.org", A), Question("example.org", A)
    assert lab.run(lambda: lab.ask(*questions, within=0.3)) == [
        Failed("no answer in time", ours=True),
        Found(("192.0.2.1", "192.0.2.2")),
    ]


def test_a_deadline_that_is_over(lab: Lab) -> None:
    """A later round of an lookup may begin too late."""
    assert lab.run(lambda: lab.ask(Question("silent.example.org", A), within=-1.0)) == [
        Failed("no answer in time", ours=True)
    ]


def test_a_late_answer_is_kept_for_others(lab: Lab) -> None:
    lab.server.delay = 0.3

    async def job() -> list[Reply] | None:
        assert await lab.ask(Question("example.org", A), within=0.01) == [
            Failed("no answer in time", ours=True)
        ]
        await lab.ask(Question("five.example.org", A))
        return lab.resolver.known([Question("example.org", A)])

    assert lab.run(job) == [Found(("192.0.2.1", "192.0.2.2"))]
