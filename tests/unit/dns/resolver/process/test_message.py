"""Messages of our own, judged by dnspython: the questions, and what is read in answers."""

import struct
import time

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.peers.nameserver import add, response_to
from opensmtpd.dns import Absent, Failed, Found, Question, RecordType, Reply
from opensmtpd.dns.resolver.process import message
from unit.support.dns_lab import AAAA, MX, PTR, TXT, A

LABELS = st.binary(min_size=1, max_size=20).filter(lambda label: b"." not in label)
ODD = 'bounces+a=b@c:d/e%f g"h\\.example'


def asked(kind: RecordType = A, name: str = ODD) -> bytes:
    return message.query(Question(name, kind), 0x1234)


def answer(kind: RecordType, *texts: str, ttl: int = 60, alias: str = "") -> bytes:
    """Return an answer with these records, behind an alias of 5 seconds where there is one."""
    request = dns.message.from_wire(asked(kind))
    assert isinstance(request, dns.message.QueryMessage)
    response, owner = response_to(request), request.question[0].name
    if alias:
        add(response, owner, "CNAME", [alias], 5)
        owner = dns.name.from_text(alias)
    add(response, owner, kind.value, texts, ttl)
    return response.to_wire(max_size=65535)


def read(kind: RecordType, data: bytes) -> tuple[Reply, float]:
    query = asked(kind)
    assert message.is_answer(query, data)
    return message.read(kind, query, data)


# --- questions ------------------------------------------------------------------------------------


@given(
    st.lists(LABELS, min_size=1, max_size=10),
    st.sampled_from(RecordType),
    st.integers(min_value=0, max_value=65535),
)
def test_a_question_is_about_these_octets(
    labels: list[bytes], kind: RecordType, number: int
) -> None:
    name = b".".join(labels).decode("latin-1")
    request = dns.message.from_wire(message.query(Question(name, kind), number))
    [question] = request.question
    assert question.name.labels == (*labels, b"")
    assert dns.rdatatype.to_text(question.rdtype) == kind.value
    assert (request.id, request.flags, request.edns) == (number, dns.flags.RD, -1)


@pytest.mark.parametrize("name", ["", "a..b", "+" * 64, ".".join(["+" * 63] * 4)])
def test_what_no_question_can_be_about(name: str) -> None:
    with pytest.raises(dns.exception.DNSException):
        message.query(Question(name, A), 1)


# --- which message is the answer ------------------------------------------------------------------


def flipped(data: bytes, at: int, bit: int) -> bytes:
    """Return data with one bit changed."""
    changed = bytearray(data)
    changed[at] ^= bit
    return bytes(changed)


def test_another_message_is_no_answer() -> None:
    query, good = asked(), answer(A, "192.0.2.1")
    assert message.is_answer(query, good)
    for at in (*range(2), *range(4, 6), *range(12, len(query))):  # id, count, question
        for bit in (1, 2, 16, 64, 128):
            assert not message.is_answer(query, flipped(good, at, bit))
    for bit in (8, 16, 128):  # another operation, or a question
        assert not message.is_answer(query, flipped(good, 2, bit))
    for size in range(len(query)):
        assert not message.is_answer(query, good[:size])
    assert not message.is_answer(query, query)


def test_the_name_may_come_back_in_upper_case() -> None:
    query, good = asked(), answer(A, "192.0.2.1")
    assert message.is_answer(query, good[:12] + good[12:].replace(b"bounces", b"BOUNCES"))


def test_an_answer_that_is_cut() -> None:
    good = answer(A, "192.0.2.1")
    assert [message.is_truncated(each) for each in (good, flipped(good, 2, 2))] == [False, True]


# --- what an answer says --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "texts", "reply"),
    [
        (A, ["192.0.2.2", "192.0.2.1"], Found(("192.0.2.2", "192.0.2.1"))),
        (AAAA, ["2001:db8::1"], Found(("2001:db8::1",))),
        (PTR, ["A.example.", r"a\.b.example.", r"a\032b.example."], Found(("a.example",))),
        (MX, ["256 c.example.", "2 a.example.", "10 B.example."],
         Found(("a.example", "b.example", "c.example"))),
        (TXT, ['"v=spf1 " "-all"', r'"\255\000"'], Found(("v=spf1 -all", "\xff\0"))),
        (RecordType.SOA, ["ns. root. 1 2 3 4 30"], Found(("30",))),
        (RecordType.SOA, ["ns. root. 1 2 3 4 300"], Found(("60",))),
    ],
)  # fmt: skip
def test_records(kind: RecordType, texts: list[str], reply: Reply) -> None:
    assert read(kind, answer(kind, *texts)) == (reply, 60.0)


def test_an_alias_ends_sooner_than_what_it_leads_to() -> None:
    data = answer(A, "192.0.2.1", alias="alias.example.")
    assert read(A, data) == (Found(("192.0.2.1",)), 5.0)


def test_an_alias_that_leads_to_nothing() -> None:
    assert read(A, answer(A, alias="alias.example.")) == (Absent(), 0.0)


@pytest.mark.parametrize(("ttl", "good"), [(0, 0.0), ((1 << 31) - 1, 2147483647.0), (1 << 31, 0.0)])
def test_a_ttl_has_31_bits(ttl: int, good: float) -> None:
    data = answer(A, "192.0.2.1")
    data = data.replace(struct.pack("!HHI", 1, 1, 60), struct.pack("!HHI", 1, 1, ttl))
    assert read(A, data) == (Found(("192.0.2.1",)), good)


@pytest.mark.parametrize(
    ("code", "reply"),
    [
        (dns.rcode.NOERROR, Absent()),
        (dns.rcode.NXDOMAIN, Absent(nxdomain=True)),
        (dns.rcode.SERVFAIL, Failed("DNS server returned SERVFAIL")),
        (dns.rcode.REFUSED, Failed("DNS server returned REFUSED")),
        (dns.rcode.NOTAUTH, Failed("DNS server returned 9")),
    ],
)
def test_an_answer_without_records(code: dns.rcode.Rcode, reply: Reply) -> None:
    data = flipped(answer(A), 3, int(code))
    assert read(A, data) == (reply, 0.0)


# --- hostile answers ------------------------------------------------------------------------------


def outcome(kind: RecordType, data: bytes) -> Reply | None:
    """Return the reply, or None where there is none; anything else is raised."""
    try:
        return message.read(kind, asked(kind), data)[0]
    except (ValueError, struct.error, dns.exception.DNSException):
        return None


@pytest.mark.parametrize("kind", RecordType)
def test_an_answer_that_ends_early_is_none(kind: RecordType) -> None:
    texts = {
        A: "192.0.2.1",
        AAAA: "::1",
        PTR: "a.example.",
        MX: "1 a.example.",
        TXT: '"abc"',
        RecordType.SOA: "ns. root. 1 2 3 4 30",
    }
    whole = answer(kind, texts[kind])
    assert isinstance(outcome(kind, whole), Found)
    for size in range(len(asked(kind)), len(whole)):
        assert outcome(kind, whole[:size]) is None


@given(st.sampled_from(RecordType), st.binary(max_size=100), st.integers(0, 65535))
def test_noise(kind: RecordType, noise: bytes, count: int) -> None:
    query = asked(kind)
    header = struct.pack("!6H", 0x1234, 0x8180, 1, count, 0, 0)
    outcome(kind, header + query[12:] + noise)


@pytest.mark.parametrize("content", [b"\xc0\x0c", b"\xff\xff", b"\x40a", b"", b"\x01a", b"\xc0"])
@pytest.mark.parametrize("kind", [PTR, MX])
def test_names_that_lead_nowhere(kind: RecordType, content: bytes) -> None:
    """A pointer to itself, forward, a reserved label, a name without end."""
    query = asked(kind, "a.example")
    front = b"\0\1" if kind is MX else b""
    place = len(query) + 12 + len(front)  # where the name begins
    if content == b"\xc0\x0c":
        content = (0xC000 + place).to_bytes(2, "big")
    row = struct.pack("!HHHIH", 0xC00C, message.TYPES[kind], 1, 60, len(front + content))
    header = struct.pack("!6H", 0x1234, 0x8180, 1, 1, 0, 0)
    with pytest.raises((ValueError, struct.error, dns.exception.DNSException)):
        message.read(kind, query, header + query[12:] + row + front + content)


def test_a_thousand_names_that_take_long_to_read() -> None:
    """Each owner is a name of 127 labels, and each content is a pointer to it."""
    name = ".".join("a" * 127)
    query = message.query(Question(name, PTR), 0x1234)
    row = struct.pack("!HHHIHH", 0xC00C, 12, 1, 60, 2, 0xC00C)
    count = (65535 - len(query)) // len(row)
    header = struct.pack("!6H", 0x1234, 0x8180, 1, count, 0, 0)
    begin = time.process_time()
    reply, _ = message.read(PTR, query, header + query[12:] + row * count)
    assert time.process_time() - begin < 1.0  # 0.02 here; 1.5 if all were read
    assert reply == Found((name,))
