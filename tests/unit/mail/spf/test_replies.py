"""What terms find in the replies so far."""

from ipaddress import ip_address

import pytest

from opensmtpd.dns import Absent, Failed, Found, Question, RecordType, Reply
from opensmtpd.mail.spf.replies import KnownReplies, is_within

A, AAAA, MX, PTR, TXT = (
    RecordType.A,
    RecordType.AAAA,
    RecordType.MX,
    RecordType.PTR,
    RecordType.TXT,
)
POINTER = Question("7.2.0.192.in-addr.arpa", PTR)


def replies(known: dict[Question, Reply], address: str = "192.0.2.7") -> KnownReplies:
    return KnownReplies(ip_address(address), known)


def test_what_is_known_is_found() -> None:
    found = replies(
        {
            Question("a.example", MX): Found(("mx.example", "mx2.example")),
            Question("mx.example", A): Found(("192.0.2.7", "nonsense")),
            Question("mx.example", AAAA): Found(("2001:db8::1",)),
        }
    )
    assert found.records("a.example", MX) == ("mx.example", "mx2.example")
    assert found.addresses("mx.example") == [0xC0000207]
    assert list(found.missing) == []


def test_an_ipv6_client_asks_for_its_own_family() -> None:
    known: dict[Question, Reply] = {Question("mx.example", AAAA): Found(("2001:DB8::1",))}
    assert replies(known, "2001:db8::1").addresses("mx.example") == [int(ip_address("2001:db8::1"))]


def test_what_is_missing_is_told_in_order_and_once() -> None:
    found = replies({})
    assert found.addresses("b.example") == []
    assert found.records("a.example", MX) == ()
    assert found.addresses("b.example") == []
    assert list(found.missing) == [Question("b.example", A), Question("a.example", MX)]


def test_a_failure_is_no_answer() -> None:
    found = replies({Question("a.example", MX): Failed("refused")})
    with pytest.raises(TimeoutError, match=r"^a\.example MX: refused$"):
        found.records("a.example", MX)


@pytest.mark.parametrize("name", ["a..example", "", "x" * 64 + ".example", "a." * 126 + "bc"])
def test_a_name_that_fits_no_question_does_not_exist_and_is_not_void(name: str) -> None:
    found = replies({})
    for _ in range(4):
        assert found.records(name, A) == ()
        assert found.addresses(name) == []
    assert found.reply(name, TXT) == Absent(nxdomain=True)
    assert list(found.missing) == []


def test_odd_octets_are_legal_in_a_name() -> None:
    found = replies({})
    found.records("a b+c=\xff%.example", A)
    assert list(found.missing) == [Question("a b+c=\xff%.example", A)]


NOWHERE = {Question(f"{name}.example", A): Absent(nxdomain=True) for name in "abc"}


def test_a_third_void_question_is_an_error() -> None:
    found = replies({**NOWHERE})
    assert found.addresses("a.example") == []
    assert found.records("b.example", A) == ()
    with pytest.raises(ValueError, match=r"^more than 2 questions that found nothing$"):
        found.addresses("c.example")
    assert list(found.missing) == []


def test_pointers_of_a_client_without_a_name_are_void() -> None:
    found = replies({**NOWHERE, POINTER: Absent()})
    found.addresses("a.example")
    found.addresses("b.example")
    with pytest.raises(ValueError, match="found nothing"):
        found.pointers()


def test_hosts_of_the_other_family_are_not_void() -> None:
    """An IPv6 client, and hosts with IPv4 addresses only."""
    known: dict[Question, Reply] = {Question(f"{name}.example", AAAA): Absent() for name in "abcd"}
    found = replies(known, "2001:db8::7")
    for name in "abc":
        assert found.addresses(f"{name}.example") == []
    assert list(found.missing) == [Question(f"{name}.example", A) for name in "abc"]

    known |= {Question(f"{name}.example", A): Found(("192.0.2.1",)) for name in "ab"}
    known[Question("c.example", A)] = Failed("timeout")  # not proven void
    found = replies(known, "2001:db8::7")
    for name in "abc":
        assert found.addresses(f"{name}.example") == []
    assert found.addresses("d.example") == []
    assert list(found.missing) == [Question("d.example", A)]


def test_hosts_without_any_address_are_void() -> None:
    known: dict[Question, Reply] = {
        Question(f"{name}.example", kind): Absent() for name in "abc" for kind in (A, AAAA)
    }
    found = replies(known, "2001:db8::7")
    found.addresses("a.example")
    found.addresses("b.example")
    with pytest.raises(ValueError, match="found nothing"):
        found.addresses("c.example")


def test_the_other_family_does_not_help_where_any_address_would_do() -> None:
    found = replies({Question(f"{name}.example", A): Absent() for name in "abc"}, "2001:db8::7")
    found.records("a.example", A)
    found.records("b.example", A)
    with pytest.raises(ValueError, match="found nothing"):
        found.records("c.example", A)


def test_names_of_the_client_are_ten_at_most() -> None:
    names = tuple(f"{number}.example" for number in range(12))
    assert replies({POINTER: Found(names)}).pointers() == names[:10]
    assert replies({POINTER: Failed("timeout")}).pointers() == ()
    missing = replies({})
    assert missing.pointers() == ()
    assert list(missing.missing) == [POINTER]


def test_a_name_of_the_client_leads_back_to_it() -> None:
    found = replies(
        {
            Question("a.example", A): Found(("192.0.2.1", "192.0.2.7")),
            Question("b.example", A): Found(("192.0.2.1",)),
            Question("c.example", A): Absent(),
            Question("d.example", A): Failed("timeout"),
        }
    )
    valid = [found.is_valid(f"{name}.example") for name in "abcde"]
    assert valid == [True, False, False, False, None]


def test_the_best_name_of_the_client() -> None:
    names = ("other.test", "mx.example.org", "example.org", "notexample.org")
    known: dict[Question, Reply] = {POINTER: Found(names)}
    known |= {Question(name, A): Found(("192.0.2.7",)) for name in names}
    assert replies(known).client_name("example.org") == "example.org"
    known[Question("example.org", A)] = Found(("192.0.2.1",))
    assert replies(known).client_name("example.org") == "mx.example.org"
    known[Question("mx.example.org", A)] = Failed("timeout")
    assert replies(known).client_name("example.org") == "other.test"
    assert replies({**known, POINTER: Absent()}).client_name("example.org") == "unknown"
    assert replies({POINTER: Failed("timeout")}).client_name("example.org") == "unknown"


def test_the_best_name_is_not_known_before_better_ones_are() -> None:
    known: dict[Question, Reply] = {}
    found = replies(known)
    assert found.client_name("example.org") is None
    assert list(found.missing) == [POINTER]
    known[POINTER] = Found(("other.test", "mx.example.org", "example.org"))
    known[Question("mx.example.org", A)] = Found(("192.0.2.7",))
    found = replies(known)
    assert found.client_name("example.org") is None
    assert list(found.missing) == [Question("example.org", A), Question("other.test", A)]


@pytest.mark.parametrize(
    ("name", "domain", "within"),
    [
        ("example.org", "example.org", True),
        ("a.b.example.org", "example.org", True),
        ("notexample.org", "example.org", False),
        ("org", "example.org", False),
    ],
)
def test_names_within_a_domain(name: str, domain: str, within: bool) -> None:
    assert is_within(name, domain) is within
