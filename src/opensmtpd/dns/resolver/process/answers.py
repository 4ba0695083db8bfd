"""Take the records of an answer: checked ones, in the form of ``question.Found``."""

from collections.abc import Iterable
from ipaddress import ip_address
from itertools import islice

from opensmtpd.dns.names import is_ipv4
from opensmtpd.dns.question import Absent, Found, RecordType, Reply
from opensmtpd.dns.resolver.records import is_usable, records_max


def reply(kind: RecordType, values: Iterable[str | bytes], ttl: float) -> tuple[Reply, float]:
    """Return the reply that has these records, and its TTL in seconds.

    Values of A and AAAA are addresses, those of PTR and MX names, those of TXT the octets of a
    record, the strings joined, and those of SOA seconds. Raises ValueError for an address that is
    none; names that are not usable are left out.
    """
    records = tuple(_records(kind, values))
    return (Found(records), ttl) if records else (Absent(), 0.0)


def _records(kind: RecordType, values: Iterable[str | bytes]) -> Iterable[str]:
    # Cut before each is looked at: an answer may hold 4,000, and all clients wait meanwhile.
    first = islice(values, records_max(kind))
    texts = [value.decode("latin-1") if isinstance(value, bytes) else value for value in first]
    if kind is RecordType.TXT:
        return texts  # two that are cut into strings in other places are two: RFC 7208 section 4.5
    if kind in (RecordType.A, RecordType.AAAA):
        return dict.fromkeys(text if is_ipv4(text) else str(ip_address(text)) for text in texts)
    if kind is RecordType.SOA:
        return texts
    names = (text.removesuffix(".").lower() for text in texts)
    usable = [name for name in names if is_usable(kind, name)]
    # MX records are counted, whatever names they have: RFC 7208 section 4.6.4.
    return usable if kind is RecordType.MX else dict.fromkeys(usable)
