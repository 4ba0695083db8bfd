"""A chart of messages by day, as SVG that stands in a page: no script, nothing from elsewhere."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from html import escape

DAYS_MAX = 366
"""Days that are drawn, the last ones."""
WIDTH, HEIGHT = 900, 240
_LEFT, _TOP, _BOTTOM = 70, 10, 20
"""Room for numbers, and for days."""


def days(found: Sequence[str]) -> list[str]:
    """Return all days, as 2026-11-29, from the first to the last of those that were found."""
    if not found:
        return []
    # A report may be of any year: one of the future must not hide all others.
    tomorrow = (datetime.now(UTC).date() + timedelta(1)).isoformat()
    last = date.fromisoformat(max((day for day in found if day <= tomorrow), default=max(found)))
    first = max(min(last, date.fromisoformat(min(found))), last - timedelta(DAYS_MAX - 1))
    return [(first + timedelta(each)).isoformat() for each in range((last - first).days + 1)]


def bars(
    title: str, series: Mapping[str, str], counts: Mapping[tuple[str, str], int]
) -> Iterator[str]:
    """Yield the chart: a bar for each day, of parts on one another.

    ``series`` has the colours of the parts by their names, the lowest first; ``counts`` are by day
    and part.
    """
    shown = days([day for day, _ in counts])
    sums = [sum(counts.get((day, part), 0) for part in series) for day in shown]
    most = max(sums, default=0) or 1
    room, step = HEIGHT - _TOP - _BOTTOM, (WIDTH - _LEFT) / max(len(shown), 1)
    yield f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">\n'
    for at in (0, 0.5, 1):
        y = _TOP + room * (1 - at)
        yield f'<line x1="{_LEFT}" x2="{WIDTH}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ccc"/>\n'
        label = f"{most * at:,.0f}" if at != 0.5 or most > 1 else ""
        yield f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{label}</text>\n'
    every = max(1, -(-len(shown) // 10))
    for number, day in enumerate(shown):
        x, top = _LEFT + number * step, _TOP + float(room)
        for part, colour in series.items():
            count = counts.get((day, part), 0)
            if not count:
                continue
            height = room * count / most
            top -= height
            yield (
                f'<rect x="{x:.1f}" y="{top:.1f}" width="{max(step * 0.85, 0.5):.1f}"'
                f' height="{height:.1f}" fill="{escape(colour)}">'
                f"<title>{escape(f'{day}: {count:,} {part}')}</title></rect>\n"
            )
        if number % every == 0:
            yield f'<text x="{x:.1f}" y="{HEIGHT - 5}">{escape(day)}</text>\n'
    yield "</svg>\n"
