"""Messages of the DNS (RFC 1035 section 4): a question about any name, and the answer to it.

c-ares refuses names with other characters than letters, digits, hyphens and few others. SPF makes
such names from the addresses of senders (RFC 7208 section 7).
"""

import struct
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address

from opensmtpd.dns.question import Absent, Failed, Question, RecordType, Reply
from opensmtpd.dns.resolver.process import answers

TYPES = {
    RecordType.A: 1,
    RecordType.SOA: 6,
    RecordType.PTR: 12,
    RecordType.MX: 15,
    RecordType.TXT: 16,
    RecordType.AAAA: 28,
}
"""RFC 1035 section 3.2.2, RFC 3596."""
_IN = 1
_HEADER = struct.Struct("!6H")
_RECORD = struct.Struct("!HHIH")
_NXDOMAIN = 3
_FAULTS = {1: "FORMERR", 2: "SERVFAIL", 4: "NOTIMP", 5: "REFUSED"}
_ANSWER, _RECURSIVE, _TRUNCATED = 0x8000, 0x0100, 0x0200
_OPCODE, _RCODE = 0x7800, 0x000F


def query(question: Question, number: int) -> bytes:
    """Return the message that asks; ``number`` is its id, of 16 bits.

    It says nothing of EDNS: an answer of more than 512 octets comes over TCP. Raises
    ``dns.name.NameTooLong`` and its like for a name of which ``names.is_wire_name`` is false.
    """
    import dns.name  # noqa: PLC0415  see ``later`` of the worker

    labels = [label.encode("latin-1") for label in question.name.split(".")]
    name = dns.name.Name([*labels, b""]).to_wire()
    assert name is not None  # it is, only where it was to be written to a file
    header = _HEADER.pack(number, _RECURSIVE, 1, 0, 0, 0)
    return header + name + struct.pack("!HH", TYPES[question.kind], _IN)


def is_answer(asked: bytes, data: bytes) -> bool:
    """Return whether a message is the answer to a query: its id and its question are the same.

    All else may be a forgery (RFC 5452 section 4.2). A name server may write the name in other
    cases.
    """
    if len(data) < len(asked):
        return False
    number, flags, questions, *_ = _HEADER.unpack_from(data)
    name, kind = slice(_HEADER.size, len(asked) - 4), slice(len(asked) - 4, len(asked))
    return (
        number == _HEADER.unpack_from(asked)[0]
        and flags & (_ANSWER | _OPCODE) == _ANSWER
        and questions == 1
        and data[name].lower() == asked[name].lower()  # lengths of labels are no letters
        and data[kind] == asked[kind]
    )


def is_truncated(data: bytes) -> bool:
    """Return whether an answer has to be asked for over TCP."""
    return bool(_HEADER.unpack_from(data)[1] & _TRUNCATED)


def read(kind: RecordType, asked: bytes, data: bytes) -> tuple[Reply, float]:
    """Return the reply in the answer to a query, and its TTL in seconds, 0 where it has none.

    Raises ValueError, struct.error or an exception of dnspython for a message that is none.
    """
    _, flags, _, count, *_ = _HEADER.unpack_from(data)
    code = flags & _RCODE
    if code == _NXDOMAIN:
        return Absent(nxdomain=True), 0.0
    if code:
        return Failed(f"DNS server returned {_FAULTS.get(code, code)}"), 0.0
    values, ttls = [], []
    for found, ttl, begin, end in _records(data, len(asked), count):
        ttls.append(ttl)  # of aliases, too: they may point elsewhere before the record expires
        if found == TYPES[kind]:
            values.append((ttl, begin, end))
    if kind is RecordType.MX:
        values.sort(key=lambda row: data[row[1] : row[1] + 2])
    texts = (_value(kind, data, *row) for row in values)
    return answers.reply(kind, texts, float(min(ttls, default=0)))


def _records(data: bytes, at: int, count: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield the type, the TTL and the place of the content of each record in class IN."""
    for _ in range(count):
        at = _behind_name(data, at)
        kind, group, ttl, size = _RECORD.unpack_from(data, at)
        at += _RECORD.size + size
        if at > len(data):
            raise ValueError("a record ends behind the message")
        if group == _IN:
            # A TTL with its highest bit set is zero (RFC 2181 section 8).
            yield kind, ttl if ttl < 1 << 31 else 0, at - size, at


def _behind_name(data: bytes, at: int) -> int:
    """Return the place behind a name, which is not looked at.

    A name may be 127 labels, each behind a pointer, and an answer may hold 4,000 records.
    """
    while True:
        if at >= len(data):
            raise ValueError("a name ends behind the message")
        length = data[at]
        if length >= 0xC0:
            return at + 2
        at += 1 + length
        if length == 0:
            return at


def _value(kind: RecordType, data: bytes, ttl: int, begin: int, end: int) -> str | bytes:
    """Return the content of a record."""
    content = data[begin:end]
    if kind is RecordType.A:
        return str(IPv4Address(content))
    if kind is RecordType.AAAA:
        return str(IPv6Address(content))
    if kind is RecordType.TXT:
        return _joined(content)
    if kind is RecordType.SOA:
        return str(min(ttl, *struct.unpack("!I", content[-4:])))  # RFC 2308 section 5
    import dns.name  # noqa: PLC0415  see ``later`` of the worker

    # A pointer in it leads into the whole message.
    name, _ = dns.name.from_wire(data[:end], begin + 2 * (kind is RecordType.MX))
    return name.to_text(omit_final_dot=True)


def _joined(content: bytes) -> bytes:
    """Return the strings of a TXT record in one."""
    parts, at = [], 0
    while at < len(content):
        size = content[at]
        parts.append(content[at + 1 : at + 1 + size])
        at += 1 + size
    if at > len(content):
        raise ValueError("a string ends behind its record")
    return b"".join(parts)
