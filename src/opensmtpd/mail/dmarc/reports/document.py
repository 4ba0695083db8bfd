"""An aggregate report of ours: its names, and its XML (RFC 9990 section 3.1 and appendix A)."""

import hashlib
import zlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from typing import NamedTuple
from xml.sax.saxutils import escape

from opensmtpd.mail.dmarc.reports.record import MessageResults
from opensmtpd.mail.dmarc.reports.store import DAY, DayPolicy
from opensmtpd.options import DISTRIBUTION

NAMESPACE = "urn:ietf:params:xml:ns:dmarc-2.0"
DOCUMENT_MAX = 20 << 20
"""Characters of a report's XML. Rows with the highest counts come first; the others are left out,
and the report says how many these are."""
_GZIP = 16 + zlib.MAX_WBITS


class Reporter(NamedTuple):
    """The organization that reports."""

    receiver: str
    """The domain name of the mail receiver."""
    organization: str
    email: str
    contact: str = ""
    """More about how to reach it; may be empty."""


class ReportNames(NamedTuple):
    """The names of a report: they are the same when it is written again."""

    begin: int
    """The first second of the day, since 1970, UTC."""
    end: int
    """The last one."""
    id: str
    """The Report-ID (section 3.5.1)."""
    file: str
    """The name of the compressed file (section 3.5.2)."""


def names(policy: DayPolicy, reporter: Reporter) -> ReportNames:
    """Return the names of the report about a policy of a day.

    There may be several of one domain for a day: each published policy has its report.
    """
    begin = policy.day * DAY
    end = begin + DAY - 1
    unique = hashlib.sha256("\0".join(policy.published).encode()).hexdigest()[:12]
    domain, receiver = policy.published.domain, reporter.receiver
    day = datetime.fromtimestamp(begin, UTC).date().isoformat()
    return ReportNames(
        begin,
        end,
        f"{day}_{domain}_{unique}@{receiver}",
        f"{receiver}!{domain}!{begin}!{end}!{unique}.xml.gz",
    )


def compressed(parts: Iterable[str]) -> bytes:
    """Return text as a gzip file (RFC 1952) without a time: equal texts are equal files."""
    gzip = zlib.compressobj(wbits=_GZIP)
    return b"".join([*(gzip.compress(part.encode()) for part in parts), gzip.flush()])


def document(
    policy: DayPolicy,
    reporter: Reporter,
    rows: Iterable[tuple[int, MessageResults]],
    limit: int = DOCUMENT_MAX,
) -> Iterator[str]:
    """Yield the parts of the XML. ``rows`` are counts and results, at least one."""
    records: list[str] = []
    size = left_out = 0
    for count, results in rows:
        text = "".join(_record(count, results))
        size += len(text)
        if size > limit and records:
            left_out += 1
        else:
            records.append(text)
    error = f"{left_out} rows with low counts are left out" if left_out else ""
    yield f'<?xml version="1.0" encoding="UTF-8"?>\n<feedback xmlns="{NAMESPACE}">\n'
    yield "  <version>1.0</version>\n"
    yield from _metadata(names(policy, reporter), reporter, error)
    yield from _published(policy)
    yield from records
    yield "</feedback>\n"


def _metadata(names: ReportNames, reporter: Reporter, error: str) -> Iterator[str]:
    yield "  <report_metadata>\n"
    yield _line(2, "org_name", reporter.organization)
    yield _line(2, "email", reporter.email)
    if reporter.contact:
        yield _line(2, "extra_contact_info", reporter.contact)
    yield _line(2, "report_id", names.id)
    yield "    <date_range>\n"
    yield _line(3, "begin", str(names.begin))
    yield _line(3, "end", str(names.end))
    yield "    </date_range>\n"
    if error:
        yield _line(2, "error", error)
    yield _line(2, "generator", f"{DISTRIBUTION} {version(DISTRIBUTION)}")
    yield "  </report_metadata>\n"


def _published(policy: DayPolicy) -> Iterator[str]:
    """Yield the policy; a tag that was not published has its default value."""
    published = policy.published
    sp = published.sp or published.p
    yield "  <policy_published>\n"
    yield _line(2, "domain", published.domain)
    yield _line(2, "discovery_method", published.method)
    yield _line(2, "p", published.p)
    yield _line(2, "sp", sp)
    yield _line(2, "np", published.np or sp)
    yield _line(2, "fo", published.fo)
    yield _line(2, "adkim", published.adkim)
    yield _line(2, "aspf", published.aspf)
    yield _line(2, "testing", published.t)
    yield "  </policy_published>\n"


def _record(count: int, results: MessageResults) -> Iterator[str]:
    yield "  <record>\n    <row>\n"
    yield _line(3, "source_ip", results.source)
    yield _line(3, "count", str(count))
    yield "      <policy_evaluated>\n"
    yield _line(4, "disposition", results.disposition)
    yield _line(4, "dkim", results.dkim)
    yield _line(4, "spf", results.spf)
    for reason in results.reasons:
        yield "        <reason>\n"
        yield _line(5, "type", reason.type)
        if reason.comment:
            yield _line(5, "comment", reason.comment)
        yield "        </reason>\n"
    yield "      </policy_evaluated>\n    </row>\n    <identifiers>\n"
    yield _line(3, "header_from", results.header_from)
    yield _line(3, "envelope_from", results.envelope_from)
    if results.envelope_to:
        yield _line(3, "envelope_to", results.envelope_to)
    yield "    </identifiers>\n    <auth_results>\n"
    for signature in results.signatures:
        yield "      <dkim>\n"
        yield _line(4, "domain", signature.domain)
        yield _line(4, "selector", signature.selector)
        yield _line(4, "result", signature.result)
        yield "      </dkim>\n"
    for spf in results.spf_results:
        yield "      <spf>\n"
        yield _line(4, "domain", spf.domain)
        yield _line(4, "scope", spf.scope)
        yield _line(4, "result", spf.result)
        yield "      </spf>\n"
    yield "    </auth_results>\n  </record>\n"


def _line(depth: int, name: str, text: str) -> str:
    return f"{'  ' * depth}<{name}>{_escaped(text)}</{name}>\n"


def _escaped(text: str) -> str:
    """Return text for XML, which has no form for control characters, nor for half a surrogate."""
    return escape("".join(each if each.isprintable() else "?" for each in text))
