"""The records that a reply may hold: checked wherever they come from outside of the process."""

from ipaddress import ip_address

from opensmtpd.dns.names import is_ipv4, is_query_name, is_wire_name
from opensmtpd.dns.question import RecordType

RECORDS_MAX = 100
"""Records that are taken of an answer, at most."""
TEXT_MAX = 65535
"""Characters of all TXT records of an answer: it has no more octets (RFC 1035 section 4.2.2)."""
TEXTS_MAX = TEXT_MAX // 12
"""TXT records of an answer, at most: each has a name, type, class, TTL and length in front.

All are taken: a second SPF record makes an error of the first (RFC 7208 section 4.5).
"""


def records_max(kind: RecordType) -> int:
    """Return the number of records that are taken of an answer, at most."""
    return TEXTS_MAX if kind is RecordType.TXT else RECORDS_MAX


def is_usable(kind: RecordType, name: str) -> bool:
    """Return whether a record of PTR or MX may hold this name.

    A mail exchanger may have any printable name (RFC 2181 section 11). A backslash stands before an
    octet that is not printable, and nobody has such a host.
    """
    if kind is RecordType.PTR:
        return is_query_name(name)
    return is_wire_name(name) and name.isascii() and name.isprintable() and "\\" not in name


def checked(kind: RecordType, records: object) -> tuple[str, ...]:
    """Return records of a type, as ``question.Found`` has them.

    Raises ValueError or TypeError for anything else, an empty list included.
    """
    if not isinstance(records, list | tuple):
        raise TypeError
    if not 0 < len(records) <= records_max(kind):
        raise ValueError
    for record in records:
        _check(kind, record)
    if kind is RecordType.TXT and sum(map(len, records)) > TEXT_MAX:
        raise ValueError
    return tuple(records)


def _check(kind: RecordType, record: object) -> None:
    if not isinstance(record, str):
        raise TypeError
    if kind is RecordType.A:
        good = is_ipv4(record)
    elif kind is RecordType.AAAA:
        found = ip_address(record)
        good = str(found) == record and found.version == 6
    elif kind in (RecordType.PTR, RecordType.MX):
        good = is_usable(kind, record) and record == record.lower()
    elif kind is RecordType.SOA:
        good = record.isascii() and record.isdigit() and len(record) <= 10  # 32 bits
    else:
        record.encode("latin-1")
        good = True
    if not good:
        raise ValueError
