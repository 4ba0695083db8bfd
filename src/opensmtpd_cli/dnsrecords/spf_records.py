"""The SPF record of a domain, and those that it names, read for all clients (RFC 7208)."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from opensmtpd.dns import Absent, Failed, Found, Lookup, Question, RecordType
from opensmtpd.dns.names import is_wire_name
from opensmtpd.mail.spf import macros, record
from opensmtpd.mail.spf.macros import MacroString
from opensmtpd.mail.spf.record import SpfRecord

TERMS_MAX = 10
"""Terms that ask the DNS, in all records of a check (section 4.6.4)."""
_DOMAINS_MAX = 50
"""Records that are read: far more than a check may ask for."""
_ASKING = ("include", "a", "mx", "ptr", "exists")


class SpfRecords(NamedTuple):
    """The records of a domain and of those that it includes."""

    text: str
    """The record of the domain; "" where it has none, or several."""
    terms: int
    """Terms that a client meets whom none of the records permits."""
    fault: str
    """The error that such a client meets, without those of too many terms; "" for none."""
    unknown: str
    """Why the DNS did not tell all; "" where it did."""
    exists: bool = True
    """False where there is no such domain."""


class _Read(NamedTuple):
    """The records by their domains: parsed, None where there is none, or the error in it."""

    records: dict[str, SpfRecord | ValueError | None]
    text: str
    unknown: str
    exists: bool


def spf_records(domain: str) -> Lookup[SpfRecords]:
    """Ask for the record of a domain, and for those of includes and redirects without macros."""
    domain = domain.lower()
    found = yield from _read(domain)
    fault = _fault(domain, found.records)
    terms = _terms(domain, found.records, {})
    fault = "" if found.unknown else fault
    return SpfRecords(found.text, terms, fault, found.unknown, found.exists)


def _read(domain: str) -> Lookup[_Read]:
    records: dict[str, SpfRecord | ValueError | None] = {}
    first, unknown, exists, wanted = "", "", True, [domain]
    while wanted and len(records) < _DOMAINS_MAX:
        questions = [Question(name, RecordType.TXT) for name in wanted]
        replies = yield questions
        found: list[str] = []
        for name, reply in zip(wanted, replies, strict=True):
            if isinstance(reply, Failed):
                unknown = unknown or f"{name} TXT: {reply.reason}"
            texts = reply.records if isinstance(reply, Found) else ()
            text = None
            try:
                text = record.select(texts)
                records[name] = None if text is None else record.parse(text)
            except ValueError as error:
                records[name] = error
            if name == domain:
                first = text or ""
                exists = not (isinstance(reply, Absent) and reply.nxdomain)
            found += _targets(records[name])
        wanted = [name for name in dict.fromkeys(found) if name not in records]
        wanted = [name for name in wanted if is_wire_name(name)][:_DOMAINS_MAX]
    return _Read(records, first, unknown, exists)


def _targets(found: SpfRecord | ValueError | None) -> Iterable[str]:
    """Yield the domains whose records belong to this one."""
    if not isinstance(found, SpfRecord):
        return
    for mechanism in found.mechanisms:
        if mechanism.name == "all":
            return
        if mechanism.name == "include":
            yield from _plain(mechanism.target)
    yield from _plain(found.redirect)


def _plain(target: MacroString) -> Iterable[str]:
    if target and all(isinstance(part, str) for part in target):
        yield macros.lowered("".join(map(str, target)).removesuffix("."))


def _terms(
    domain: str, records: Mapping[str, SpfRecord | ValueError | None], counts: dict[str, int]
) -> int:
    """Return how many terms ask the DNS, at most 1,000.

    ``counts`` has what is known of domains; one that is named again within itself has none.
    """
    if domain in counts:
        return counts[domain]
    counts[domain] = 0
    found = records.get(domain)
    if not isinstance(found, SpfRecord):
        return 0
    names = [mechanism.name for mechanism in found.mechanisms]
    met = names[: names.index("all")] if "all" in names else names
    count = sum(name in _ASKING for name in met) + (bool(found.redirect) and met == names)
    count += sum(_terms(name, records, counts) for name in _targets(found))
    counts[domain] = min(count, 1000)
    return counts[domain]


def _fault(domain: str, records: Mapping[str, SpfRecord | ValueError | None]) -> str:
    for name, found in records.items():
        if isinstance(found, ValueError):
            return f"{name}: {found}"
        if found is None and name != domain:
            return f"{name}, which it names, has no SPF record"
    return ""
