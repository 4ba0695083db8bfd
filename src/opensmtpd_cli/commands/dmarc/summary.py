"""Add up many reports, in bounded memory: sums by source and result, and by day."""

from collections import Counter
from datetime import UTC, datetime
from typing import NamedTuple

from opensmtpd.mail.dmarc.reports.parser import ReadReport
from opensmtpd.mail.dmarc.reports.record import MessageResults

GROUPS_MAX = 100_000
"""Different rows, and different days of sources."""
OTHERS = "others"
"""The source of all rows over that."""
SIGNATURES_SHOWN = 3


class Group(NamedTuple):
    """Messages that are shown in one row."""

    source: str
    header_from: str
    disposition: str
    dkim: str
    spf: str
    signatures: str
    """``domain=result`` of the first signatures."""
    envelope: str
    """``domain=result`` of SPF."""

    @property
    def passed(self) -> bool:
        """True where these messages have passed DMARC."""
        return "pass" in (self.dkim, self.spf)


class SourceDay(NamedTuple):
    """The messages of a source on a day."""

    day: str
    """The day on which the report begins, as 2026-11-29, UTC."""
    source: str
    passed: bool


class Told(NamedTuple):
    """A report that was read."""

    file: str
    report: ReadReport
    """Without its rows."""
    messages: int


class Summary:
    """The sums of all reports so far."""

    def __init__(self) -> None:
        self.reports: list[Told] = []
        self.broken: list[tuple[str, str]] = []
        """Files, and what is wrong with them."""
        self.groups: Counter[Group] = Counter()
        self.days: Counter[SourceDay] = Counter()
        self._known: set[tuple[str, ...]] = set()

    def add(self, file: str, report: ReadReport) -> bool:
        """Add a report; return False for one that was there before, which does not count."""
        key = (report.organization, report.email, report.id, report.domain, str(report.begin))
        if key in self._known:
            return False
        self._known.add(key)
        day = datetime.fromtimestamp(report.begin, UTC).date().isoformat()
        for count, results in report.rows:
            group = _group(results)
            if group not in self.groups and len(self.groups) >= GROUPS_MAX:
                group = Group(OTHERS, "", "", group.dkim, group.spf, "", "")
            self.groups[group] += count
            part = SourceDay(day, group.source, group.passed)
            if part not in self.days and len(self.days) >= GROUPS_MAX:
                part = part._replace(source=OTHERS)
            self.days[part] += count
        messages = sum(count for count, _ in report.rows)
        self.reports.append(Told(file, report._replace(rows=[]), messages))
        return True

    def rows(self) -> list[tuple[int, Group]]:
        """Return the groups with their messages, the largest first."""
        return [(count, group) for group, count in sorted(self.groups.items(), key=_order)]

    def messages(self, passed: bool | None = None) -> int:
        """Return how many messages were reported: all, or those that have passed or failed."""
        return sum(
            count
            for group, count in self.groups.items()
            if passed is None or group.passed == passed
        )


def _order(item: tuple[Group, int]) -> tuple[int, Group]:
    return -item[1], item[0]


def _group(results: MessageResults) -> Group:
    signatures = [f"{each.domain}={each.result}" for each in results.signatures]
    more = ["..."] if len(signatures) > SIGNATURES_SHOWN else []
    # Reports of RFC 7489 may have a result for HELO, too, which DMARC does not look at.
    spf = [each for each in results.spf_results if each.scope == "mfrom"][:1]
    return Group(
        results.source,
        results.header_from,
        results.disposition,
        results.dkim,
        results.spf,
        " ".join(signatures[:SIGNATURES_SHOWN] + more),
        "".join(f"{each.domain}={each.result}" for each in spf),
    )
