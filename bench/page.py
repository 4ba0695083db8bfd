"""Makes docs/performance.md and its plots of the figures in build/bench.

What was not measured is not on the page. Equal figures give equal files.
"""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from string import Template

from bench import plots
from bench.records import FOLDER, OURS, Figure, Goal, Record, RecordError, number, read
from bench.turns import middle, ratios

DOCS = Path(__file__).parents[1] / "docs"
PAGE = Path(__file__).with_name("page.md")
"""The words of the page; names behind ``$`` stand for what was measured."""
C = "C"
"""The contestant that ours is compared with, where it takes part."""
MANY = 5
"""Contestants that have a column each; more of them have a row each."""
SUBJECTS = (
    *("signing", "growth", "breakdown", "smtpd", "tables", "rcpt", "dns", "auth", "network"),
    *("rspamd", "limit", "start", "state", "record"),
)


def records(folder: Path) -> dict[str, Record]:
    """Return what was measured, by subject. Raises RecordError."""
    found = {name: read(folder / f"{name}.json") for name in SUBJECTS
             if (folder / f"{name}.json").exists()}  # fmt: skip
    if not found:
        raise RecordError(f"{folder}: nothing was measured")
    first, *others = found.values()
    for other in others:
        if other.machine != first.machine:
            raise RecordError(f"{other.subject} and {first.subject} were measured on two machines")
        if other.versions != first.versions:
            raise RecordError(f"{other.subject} and {first.subject} are not of the same versions")
    return found


def interval(values: Sequence[float]) -> str:
    """Return the median of some rounds, and the least and the most of them where they differ."""
    median, least, most = (number(each) for each in (middle(values), min(values), max(values)))
    return median if least == most else f"{median} ({least} to {most})"


def goal(figure: Figure, aim: Goal) -> str:
    """Return a goal in words, and whether it is met."""
    sign = "≥" if figure.better == "more" else "≤"
    limit = f"{aim.limit:,g} {f'x {aim.against}' if aim.against else figure.unit}"
    found = "" if figure.met(aim) else f", **missed: {number(figure.found(aim))}**"
    return f"{sign} {limit}{found or ', met'}"


def row(figure: Figure, names: Sequence[str], other: str) -> list[str]:
    """Return the cells of a figure; the ratio is that to ``other``."""
    cells = [figure.work]
    cells += [interval(figure.values[name]) if name in figure.values else "" for name in names]
    both = other != OURS and {other, OURS} <= figure.values.keys()
    ratio = interval(ratios(figure.values[OURS], figure.values[other])) if both else ""
    return [*cells, ratio, "; ".join(goal(figure, aim) for aim in figure.goals)]


def table(figures: Sequence[Figure]) -> str:
    """Return figures of one measure as a table in Markdown; columns that are empty are left out."""
    names = list(dict.fromkeys(name for figure in figures for name in figure.values))
    names.sort(key=lambda name: name == OURS)  # ours behind the others
    other = C if C in names else names[0]
    head = ["", *names, f"{OURS} / {other}", "goal"]
    rows = [row(figure, names, other) for figure in figures]
    keep = [at for at in range(len(head)) if at == 0 or any(cells[at] for cells in rows)]
    lines = [head, ["---", *["---:"] * (len(names) + 1), "---"], *rows]
    return "\n".join(f"| {' | '.join(line[at] for at in keep)} |" for line in lines)


def ranking(figure: Figure) -> str:
    """Return a figure of many contestants as a table, a row for each; ratios are to the first."""
    first, *_ = figure.values.values()
    lines = [["", figure.work, f"/ {next(iter(figure.values))}"], ["---", "---:", "---:"]]
    lines += [[name, interval(found), interval(ratios(found, first))]
              for name, found in figure.values.items()]  # fmt: skip
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def tables(record: Record) -> str:
    """Return all tables of a subject, each below its measure and unit."""
    parts = []
    for measure in dict.fromkeys(figure.measure for figure in record.figures):
        some = [figure for figure in record.figures if figure.measure == measure]
        many = len(some) == 1 and len(some[0].values) > MANY
        text = ranking(some[0]) if many else table(some)
        parts.append(f"**{measure[0].upper()}{measure[1:]}**, {some[0].unit}\n\n{text}")
    return "\n\n".join([*parts, *record.notes])


def pairs(names: Iterable[tuple[str, str]]) -> str:
    """Return pairs as a table in Markdown."""
    return "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in names)])


def page(found: dict[str, Record], drawn: Sequence[str]) -> str:
    """Return the page: sections of subjects that were not measured are left out."""
    first = next(iter(found.values()))
    days = sorted({record.made for record in found.values()})
    values = {
        "machine": pairs(first.machine.items()),
        "versions": pairs(first.versions.items()),
        "days": " to ".join(dict.fromkeys((days[0], days[-1]))),
        "minutes": str(round(sum(record.seconds for record in found.values()) / 60)),
        "missed": missed(found.values()),
        **{f"tables_{name}": tables(record) for name, record in found.items()},
    }
    sections = PAGE.read_text().split("\n<!-- ")
    kept = [sections[0]]
    for section in sections[1:]:
        needs, _, text = section.partition(" -->\n")
        if needs == "always" or needs in found or needs in drawn:
            kept.append(text)
    return Template("\n".join(kept)).substitute(values)


def missed(found: Iterable[Record]) -> str:
    """Return the goals that are missed, as a list in Markdown."""
    lines = [
        f"- {record.subject}: {figure.measure}, {figure.work}: {goal(figure, aim)}"
        for record in found
        for figure in record.figures
        for aim in figure.goals
        if not figure.met(aim)
    ]
    return "\n".join(lines) or "None."


def main() -> int:
    """Write the page and its plots; returns the exit status."""
    try:
        found = records(FOLDER)
    except RecordError as error:
        print(f"bench: {error}")
        return 1
    drawn = plots.draw(found, DOCS / "static" / "performance")
    (DOCS / "performance.md").write_text(page(found, drawn))
    print("bench: docs/performance.md is made anew")
    return 0


if __name__ == "__main__":
    sys.exit(main())
