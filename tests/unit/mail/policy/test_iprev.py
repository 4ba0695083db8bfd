"""Our own lookups of a client's name: PTR, then forward, with smtpd's words for the result."""

from collections.abc import Mapping
from ipaddress import ip_address
from typing import TypeVar

import pytest

from opensmtpd.answer import Deferred
from opensmtpd.dns import Failed, Found, Lookup, Question, RecordType, Reply, run_lookup
from opensmtpd.mail.client import Client
from opensmtpd.mail.policy.iprev import NAMES_MAX, has_address, look_up
from opensmtpd.testing.zone import Zone
from unit.support.mail_client import client

T = TypeVar("T")
PTR = Question("5.2.0.192.in-addr.arpa", RecordType.PTR)
YES, OTHER, DEAD = Found(("203.0.113.9", "192.0.2.5")), Found(("192.0.2.6",)), Failed("timeout")


def a(name: str) -> Question:
    return Question(name, RecordType.A)


def settled(lookup: Lookup[T], zone: Zone) -> T:
    """Run a lookup in data that is all known."""
    found = run_lookup(lookup, zone, 1)
    assert not isinstance(found, Deferred)
    return found


def looked_up(zone: Zone, address: str = "192.0.2.5") -> tuple[str | None, str]:
    """Return name and verdict; what smtpd said before counts for nothing."""
    told = client(address, "told.example", "pass", helo=b"helo.example")
    made: Client = settled(look_up(told, ip_address(address)), zone)
    assert made._replace(rdns="told.example", fcrdns="pass") == told
    return made.rdns, made.fcrdns


# --- PTR, then forward ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "forward", "result"),
    [
        (("m.example",), {"m.example": YES}, ("m.example", "pass")),
        (("m.example",), {"m.example": OTHER}, ("m.example", "fail")),
        (("m.example",), {}, ("m.example", "fail")),
        (("m.example",), {"m.example": DEAD}, ("m.example", "error")),
        (("x.example", "m.example"), {"m.example": YES}, ("m.example", "pass")),
        (("x.example", "m.example"), {"x.example": DEAD, "m.example": YES}, ("m.example", "pass")),
        (("x.example", "m.example"), {"x.example": YES, "m.example": YES}, ("x.example", "pass")),
        (("x.example", "m.example"), {"m.example": DEAD}, ("x.example", "error")),
        (("192.0.2.9",), {}, (None, "fail")),
        (("192.0.2.9",), {"192.0.2.9": YES}, (None, "pass")),
        (("192.0.2.9", "m.example"), {}, ("m.example", "fail")),
    ],
)
def test_the_first_name_that_leads_back(
    names: tuple[str, ...], forward: Mapping[str, Reply], result: tuple[str | None, str]
) -> None:
    zone = Zone({PTR: Found(names), **{a(name): reply for name, reply in forward.items()}})
    assert looked_up(zone) == result
    assert zone.asked[0] == PTR
    assert sorted(zone.asked[1:]) == sorted(map(a, names))


@pytest.mark.parametrize(("reply", "verdict"), [(None, "fail"), (DEAD, "error")])
def test_without_a_ptr_record_nothing_else_is_asked(reply: Reply | None, verdict: str) -> None:
    zone = Zone({} if reply is None else {PTR: reply})
    assert looked_up(zone) == (None, verdict)
    assert zone.asked == [PTR]


def test_an_ipv6_address_is_asked_for_with_aaaa() -> None:
    nibbles = ".".join(reversed("20010db8000000000000000000000005"))
    pointer = Question(f"{nibbles}.ip6.arpa", RecordType.PTR)
    forward = Question("m.example", RecordType.AAAA)
    zone = Zone({pointer: Found(("m.example",)), forward: Found(("2001:db8::5",))})
    assert looked_up(zone, "2001:db8::5") == ("m.example", "pass")
    assert zone.asked == [pointer, forward]


def test_of_many_names_only_the_first_are_tried() -> None:
    names = [f"n{number}.example" for number in range(21)]
    zone = Zone({PTR: Found(tuple(names)), a("n20.example"): YES})
    assert looked_up(zone) == ("n0.example", "fail")
    assert NAMES_MAX == 20
    assert zone.asked == [PTR, *map(a, names[:20])]


# --- a name with an address -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("replies", "known"),
    [
        ({}, False),
        ({RecordType.A: YES}, True),
        ({RecordType.AAAA: Found(("2001:db8::5",))}, True),
        ({RecordType.MX: Found(("mx.example",))}, True),
        ({RecordType.A: DEAD}, None),
        ({RecordType.MX: DEAD}, None),
        ({RecordType.A: DEAD, RecordType.AAAA: DEAD, RecordType.MX: YES}, True),
    ],
)
def test_a_name_with_an_address_or_an_mx(
    replies: Mapping[RecordType, Reply], known: bool | None
) -> None:
    zone = Zone({Question("m.example", kind): reply for kind, reply in replies.items()})
    assert settled(has_address("m.example"), zone) is known
    assert [question.kind for question in zone.asked] == ["A", "AAAA", "MX"]
    assert {question.name for question in zone.asked} == {"m.example"}
