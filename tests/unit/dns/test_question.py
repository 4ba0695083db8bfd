"""Questions, and replies of three kinds that are never mixed."""

from opensmtpd.dns import (
    Absent,
    Failed,
    Found,
    Reply,
)


def test_the_kinds_of_replies_are_never_mixed() -> None:
    replies: list[Reply] = [Found(("x",)), Absent(), Failed("x"), Found(("y",)), Failed("y")]
    for one in replies:
        assert one
        assert [other for other in replies if other == one] == [one]
    assert len(set(replies)) == 5
    assert replies[0] != ("x",)
    assert Absent() != ()
    assert [repr(one) for one in replies[:3]] == [
        "Found(records=('x',))",
        "Absent()",
        "Failed(ours=False, reason='x')",
    ]
    assert Failed("x", ours=True) != Failed("x")
