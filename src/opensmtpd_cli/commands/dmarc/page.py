"""Write reports as one page of HTML, which needs nothing else, and runs nothing.

All texts are strangers', and are escaped.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from html import escape

from opensmtpd_cli.commands.dmarc.chart import bars
from opensmtpd_cli.commands.dmarc.summary import OTHERS, Summary

ROWS_MAX = 5000
"""Rows of the table of sources: a browser shows more of them slowly."""
PASSED, FAILED = "passed", "failed"
_COLOURS = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#ee8866", "#555555")
"""Of the sources with most messages. Paul Tol's bright scheme: people who see few colours tell
them apart."""
_STYLE = """
body { font: 15px sans-serif; max-width: 1100px; margin: 2em auto; padding: 0 1em; color: #222 }
table { border-collapse: collapse; width: 100%; font-size: 13px; margin: 1em 0 }
th, td { text-align: left; padding: 3px 8px; border-bottom: 1px solid #ddd; vertical-align: top;
  overflow-wrap: anywhere }
td:first-child, th:first-child { text-align: right; white-space: nowrap }
tr.failed td { background: #fdecea }
svg { width: 100%; height: auto; font: 11px sans-serif }
.key { display: inline-block; width: 0.8em; height: 0.8em; margin: 0 0.3em 0 1em }
"""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def page(summary: Summary, title: str) -> Iterator[str]:
    """Yield the page. ``title`` says in a line what the reports are."""
    yield '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
    yield f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
    yield f"<title>DMARC reports</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
    yield f"<h1>DMARC reports</h1>\n<p>{escape(title)}</p>\n"
    yield from _charts(summary)
    yield "<h2>Sources</h2>\n"
    rows = summary.rows()
    yield from _table(
        ("Messages", "Source", "From", "Disposition", "DKIM", "SPF", "Signed by", "Envelope"),
        (
            ("" if group.passed else FAILED, (f"{count:,}", *group))
            for count, group in rows[:ROWS_MAX]
        ),
    )
    if len(rows) > ROWS_MAX:
        yield f"<p>{len(rows) - ROWS_MAX:,} more rows have fewer messages.</p>\n"
    yield "<h2>Reports</h2>\n"
    yield from _table(("Messages", "Day", "Domain", "Policy", "Reporter", "Contact", "Id"), (
        ("", (f"{told.messages:,}", _day(told.report.begin), told.report.domain,
              told.report.policy.get("p", ""), told.report.organization, told.report.email,
              told.report.id))
        for told in summary.reports[:ROWS_MAX]
    ))  # fmt: skip
    if summary.broken:
        yield "<h2>Broken reports</h2>\n"
        broken = ((FAILED, each) for each in summary.broken[:ROWS_MAX])
        yield from _table(("File", "Reason"), broken)
    yield "</body>\n</html>\n"


def _charts(summary: Summary) -> Iterator[str]:
    results: Counter[tuple[str, str]] = Counter()
    sources: Counter[str] = Counter()
    for part, count in summary.days.items():
        results[part.day, PASSED if part.passed else FAILED] += count
        sources[part.source] += count
    colours = {PASSED: "#228833", FAILED: "#cc3311"}
    yield "<h2>By day and result</h2>\n"
    yield from _chart("Messages by day and result", colours, results)
    largest = [name for name, _ in sorted(sources.items(), key=lambda each: (-each[1], each[0]))]
    named = [name for name in largest if name != OTHERS][: len(_COLOURS)]
    by_source: Counter[tuple[str, str]] = Counter()
    for part, count in summary.days.items():
        by_source[part.day, part.source if part.source in named else OTHERS] += count
    colours = dict(zip(named, _COLOURS, strict=False)) | {OTHERS: "#bbbbbb"}
    yield "<h2>By day and source</h2>\n"
    yield from _chart("Messages by day and source", colours, by_source)


def _chart(title: str, colours: dict[str, str], counts: Counter[tuple[str, str]]) -> Iterator[str]:
    there = {part for _, part in counts}
    colours = {part: colour for part, colour in colours.items() if part in there}
    yield from bars(title, colours, counts)
    yield "<p>"
    for part, colour in colours.items():
        yield f'<span class="key" style="background: {colour}"></span>{escape(part)}'
    yield "</p>\n"


def _table(heads: Sequence[str], rows: Iterable[tuple[str, Sequence[str]]]) -> Iterator[str]:
    """Yield a table; each row has a class of style, which may be empty, and its cells."""
    yield "<table>\n<tr>" + "".join(f"<th>{head}</th>" for head in heads) + "</tr>\n"
    for style, cells in rows:
        yield f'<tr class="{style}">' if style else "<tr>"
        yield "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>\n"
    yield "</table>\n"


def _day(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()
