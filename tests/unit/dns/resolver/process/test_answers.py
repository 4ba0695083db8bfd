"""What is kept of the records of an answer."""

import pytest

from opensmtpd.dns import Absent, Found, RecordType, Reply
from opensmtpd.dns.resolver.process import answers
from opensmtpd.dns.resolver.records import RECORDS_MAX
from unit.support.dns_lab import AAAA, MX, PTR, TXT, A


@pytest.mark.parametrize(
    ("kind", "values", "reply"),
    [
        (A, ["192.0.2.2", "192.0.2.1", "192.0.2.2"], Found(("192.0.2.2", "192.0.2.1"))),
        (AAAA, ["2001:DB8::1", "2001:db8:0::1"], Found(("2001:db8::1",))),
        (PTR, ["A.example.", "a.example", "b c.example", "x..y"], Found(("a.example",))),
        (MX, [b"b.example", b"\xff.example", b"a.example"], Found(("b.example", "a.example"))),
        (MX, ["."], Absent()),
        (
            MX,
            ["a.example", "A:B.example.", "a.example"],
            Found(("a.example", "a:b.example", "a.example")),
        ),
        (RecordType.SOA, ["300"], Found(("300",))),
        (TXT, [b"\xff\0", b""], Found(("\xff\0", ""))),
        (TXT, ["x", "y", "x"], Found(("x", "y", "x"))),
        (TXT, [str(number) for number in range(5000)], Found(tuple(map(str, range(5000))))),
        (TXT, [], Absent()),
    ],
)
def test_records(kind: RecordType, values: list[str | bytes], reply: Reply) -> None:
    ttl = 7.5 if isinstance(reply, Found) else 0.0
    assert answers.reply(kind, values, 7.5) == (reply, ttl)


def test_what_is_no_address() -> None:
    with pytest.raises(ValueError, match="does not appear"):
        answers.reply(A, ["192.0.2.1", "192.0.2"], 7.5)


def test_no_more_records_are_looked_at_than_are_taken() -> None:
    """An answer of 64 KiB holds 4,000, and a client's name may lead to 20 such answers."""
    addresses = [f"192.0.2.{number}" for number in range(RECORDS_MAX)]
    reply, _ = answers.reply(A, [*addresses, "no address"], 60.0)
    assert reply == Found(tuple(addresses))
