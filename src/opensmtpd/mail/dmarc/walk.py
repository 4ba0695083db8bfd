"""The tree walk (RFC 9989 section 4.10): which names may have a record, and what follows.

All names of a walk are asked for in one round. A record that ends the walk is known only
afterwards; then replies about names beyond it do not count, not even failed ones.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import islice
from typing import NamedTuple, TypeAlias

from opensmtpd.dns import Failed, Found, Question, RecordType, Reply
from opensmtpd.dns.names import is_wire_name
from opensmtpd.mail.dmarc.record import Record, is_record, parse

_WHOLE = 8
"""Labels of the longest name whose parents are all asked for; of a longer one, the last seven are
the next name."""


@lru_cache(maxsize=1024)
def question(domain: str) -> Question | None:
    """Return the question for the record of a domain, None where the DNS has no such name."""
    name = f"_dmarc.{domain}"
    return Question(name, RecordType.TXT) if is_wire_name(name) else None


def names(domain: str) -> list[str]:
    """Return the domains whose records are wanted, the longest first; eight at most."""
    labels = domain.split(".")
    start = 1 if len(labels) < _WHOLE else len(labels) - _WHOLE + 1
    return [domain, *(".".join(labels[at:]) for at in range(start, len(labels)))]


def questions(names: Sequence[str]) -> list[Question]:
    """Return the questions for the records of some domains."""
    return [asked for name in names if (asked := question(name)) is not None]


OnlyRecord: TypeAlias = Record | Failed | None
"""The one record of a domain, why it is not known, or that there is none."""


def only_record(reply: Reply) -> OnlyRecord:
    """Return what a reply says; several records are as none (section 4.10 step 2)."""
    if isinstance(reply, Failed):
        return reply
    texts = reply.records if isinstance(reply, Found) else ()
    # A domain may have thousands of other texts: two records are enough to know.
    found = list(islice(filter(is_record, texts), 2))
    return parse(found[0]) if len(found) == 1 else None


class Walk(NamedTuple):
    """The records that a walk has found."""

    domain: str
    """Where it began."""
    records: dict[str, Record]
    """By the domains that have them, the longest first."""
    broken: bool
    """True where a question had no answer: nothing is known about shorter names then."""

    def organizational(self) -> str | None:
        """Return the organizational domain (section 4.10.2), None where the walk is broken."""
        if self.broken:
            return None
        valid = [name for name, record in self.records.items() if record.p]
        for name in valid:
            if self.records[name].psd == "n":
                return name
            if self.records[name].psd == "y" and name != self.domain:
                labels = self.domain.split(".")
                return ".".join(labels[-name.count(".") - 2 :])
        return valid[-1] if valid else self.domain


def follow(names: Sequence[str], answers: Mapping[Question, OnlyRecord]) -> Walk:
    """Walk along some domains, the longest first, as far as the answers lead."""
    records: dict[str, Record] = {}
    for name in names:
        asked = question(name)
        record = answers[asked] if asked is not None else None
        if isinstance(record, Failed):
            return Walk(names[0], records, broken=True)
        if record is not None:
            records[name] = record
            if record.psd != "u":
                break
    return Walk(names[0], records, broken=False)
