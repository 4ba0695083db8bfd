"""Questions, and replies of three kinds that are never mixed."""

from math import inf

import pytest

from opensmtpd.dns import Absent, Failed, Found, Question, RecordType, Reply


def test_the_kinds_of_replies_are_never_mixed() -> None:
    replies: list[Reply] = [
        *(Found(("x",)), Absent(), Failed("x")),
        *(Found(("y",)), Failed("y"), Absent(nxdomain=True)),
    ]
    for one in replies:
        assert one
        assert [other for other in replies if other == one] == [one]
    assert len(set(replies)) == 6
    assert replies[0] != ("x",)
    assert Absent() != ()
    assert [repr(one) for one in replies[:3]] == [
        "Found(records=('x',))",
        "Absent(nxdomain=False)",
        "Failed(ours=False, reason='x')",
    ]
    assert Failed("x", ours=True) != Failed("x")


@pytest.mark.parametrize(
    ("reply", "other"),
    [
        (Found(("x",)), Found(("x",))),
        (Absent(), Absent()),
        (Failed("x", ours=True), Failed("x", ours=True)),
    ],
)
def test_the_time_of_a_reply_is_not_compared(reply: Reply, other: Reply) -> None:
    assert reply.received_at == inf
    other.received_at = 7.5
    assert other == reply
    assert hash(other) == hash(reply)
    assert repr(other) == repr(reply)


def test_records_have_an_order() -> None:
    assert Found(("x", "y")) != Found(("y", "x"))
    assert len({Found(("x", "y")), Found(("y", "x")), Found(("x", "y"))}) == 2


def test_a_failure_is_no_ones_fault_until_it_is_said() -> None:
    assert (Failed("timeout").reason, Failed("timeout").ours) == ("timeout", False)


def test_questions_are_the_same_by_name_and_type() -> None:
    one = Question("example.org", RecordType.A)
    assert one == Question("example.org", RecordType("A"))
    assert one not in (Question("example.org", RecordType.AAAA), Question("a", RecordType.A))
    assert [kind.value for kind in RecordType] == ["A", "AAAA", "PTR", "TXT", "MX", "SOA"]
    assert f"{one.name} {one.kind}" == "example.org A"
