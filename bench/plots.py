"""Draws the plots of the page as SVG: equal figures give equal files.

Nothing in the files says when or by which version of matplotlib they were drawn.
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture

from bench.records import OURS, Figure, Record, size

STYLE: Any = {
    "svg.hashsalt": "opensmtpd-plugins",
    "svg.fonttype": "none",  # text stays text
    "font.family": "sans-serif",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#dddddd",
    "legend.frameon": False,
    "figure.figsize": (6.4, 3.4),
    "figure.facecolor": "white",
}
METADATA = {"Date": None, "Creator": None}
COLOURS = {OURS: "#1b6ca8", "C": "#b5532a"}
"""Those of the others are greys, in the order of their names."""
GREYS = ("#777777", "#aaaaaa", "#444444", "#cccccc")
AS_SMTPD, LINE_BY_LINE = "as smtpd interleaves", "line by line"


def colour(name: str, names: Sequence[str]) -> str:
    """Return the colour of a contestant."""
    others = [each for each in names if each not in COLOURS]
    return COLOURS.get(name) or GREYS[others.index(name) % len(GREYS)]


def chosen(record: Record, measure: str, **parameters: int | str) -> list[Figure]:
    """Return the figures of a measure whose parameters are these."""
    return [
        figure
        for figure in record.figures
        if figure.measure == measure and parameters.items() <= figure.parameters.items()
    ]


def contestants(figures: Iterable[Figure]) -> list[str]:
    """Return the names of all, ours behind the others."""
    names = dict.fromkeys(name for figure in figures for name in figure.values)
    return sorted(names, key=lambda name: name == OURS)


def bars(axes: Axes, figures: Sequence[Figure], labels: Sequence[str]) -> None:
    """Draw a group of bars for each figure: medians, with the least and the most round."""
    names = contestants(figures)
    width = 0.8 / len(names)
    for at, name in enumerate(names):
        some = [(n, figure) for n, figure in enumerate(figures) if name in figure.values]
        heights = [figure.median(name) for _, figure in some]
        below = [figure.median(name) - min(figure.values[name]) for _, figure in some]
        above = [max(figure.values[name]) - figure.median(name) for _, figure in some]
        places = [n + (at - (len(names) - 1) / 2) * width for n, _ in some]
        axes.bar(
            places, heights, width * 0.92, yerr=[below, above],
            label=name, color=colour(name, names),
            error_kw={"elinewidth": 1, "ecolor": "#222222"},
        )  # fmt: skip
    axes.set_xticks(range(len(figures)), labels)
    axes.grid(visible=False, axis="x")
    axes.legend()


def lines(axes: Axes, figures: Sequence[Figure], parameter: str) -> None:
    """Draw a line for each contestant over a parameter of the figures."""
    names = contestants(figures)
    for name in names:
        points = sorted(
            (int(figure.parameters[parameter]), figure.median(name))
            for figure in figures
            if name in figure.values
        )
        axes.plot(*zip(*points, strict=True), "o-", label=name, color=colour(name, names))
    axes.legend()


def signing_rate(record: Record, axes: Axes) -> bool:
    """Draw messages a second by size."""
    figures = chosen(record, "messages a second", order=AS_SMTPD)
    if not figures:
        return False
    bars(axes, figures, [size(int(figure.parameters["bytes"])) for figure in figures])
    axes.set_yscale("log")
    axes.set_ylabel("messages a second")
    axes.set_title("Messages signed a second, 16 sessions (more is better)")
    return True


def signing_cpu(record: Record, axes: Axes) -> bool:
    """Draw the CPU of a message by size."""
    figures = chosen(record, "CPU a message", order=AS_SMTPD)
    if not figures:
        return False
    lines(axes, figures, "bytes")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("bytes of a message")
    axes.set_ylabel("µs of CPU")
    axes.set_title("CPU of a signed message, 16 sessions (less is better)")
    return True


def lookups(record: Record, axes: Axes) -> bool:
    """Draw the median round trip of table lookups."""
    figures = chosen(record, "round trip, p50, 1 CPU")
    both = [figure for figure in figures if len(figure.values) > 1]
    if not both:
        return False
    bars(axes, both, [figure.work.replace(", ", ",\n") for figure in both])
    axes.tick_params(axis="x", labelsize=7)
    axes.set_ylabel("µs")
    axes.set_title("A lookup in table-sqlite, median (less is better)")
    return True


def connects(record: Record, axes: Axes) -> bool:
    """Draw connections a second through smtpd, one bar for each chain of filters."""
    figures = chosen(record, "connections a second")
    if len(figures) != 1:
        return False
    [figure] = figures
    names = sorted(figure.values, key=figure.median)
    colours = [COLOURS[OURS] if name.startswith(OURS) else GREYS[0] for name in names]
    axes.barh(names, [figure.median(name) for name in names], color=colours)
    axes.set_xlabel("connections a second")
    axes.set_title("Connections through smtpd (more is better)")
    return True


def growth(parameter: str, title: str) -> Callable[[Record, Axes], bool]:
    """Return what draws how the CPU of a message grows with a parameter."""

    def draw(record: Record, axes: Axes) -> bool:
        figures = chosen(record, f"CPU a message, by {parameter}")
        if not figures:
            return False
        lines(axes, figures, parameter)
        axes.set_ylim(bottom=0)
        axes.set_xlabel(title)
        axes.set_ylabel("µs of CPU")
        axes.set_title(f"CPU of a signed message by {parameter} (less is better)")
        return True

    return draw


PLOTS: dict[str, tuple[str, Callable[[Record, Axes], bool]]] = {
    "signing-rate": ("signing", signing_rate),
    "signing-cpu": ("signing", signing_cpu),
    "growth-lines": ("growth", growth("lines", "lines of 60 bytes")),
    "growth-bytes": ("growth", growth("bytes", "bytes, in 500 lines")),
    "lookups": ("tables", lookups),
    "connects": ("dns", connects),
}
"""The name of a plot, the subject that it is about, and what draws it: False where that lacks the
figures."""


def draw(found: dict[str, Record], folder: Path) -> list[str]:
    """Draw all plots for which there are figures, and remove the others; returns their names."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = []
    for name, (subject, plot) in PLOTS.items():
        path = folder / f"{name}.svg"
        path.unlink(missing_ok=True)
        with mpl.rc_context(STYLE):
            picture = Picture(layout="constrained")
            if subject in found and plot(found[subject], picture.subplots()):
                picture.savefig(path, metadata=METADATA)
                path.write_text(tidy(path.read_text()))
                drawn.append(name)
    return drawn


def tidy(svg: str) -> str:
    """Return an SVG without blanks at the ends of lines."""
    return "".join(f"{line.rstrip()}\n" for line in svg.splitlines())
