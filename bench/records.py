"""Figures that the subjects find, kept as JSON from which the page is made.

A figure is one quantity of one work, with one number a round for each contestant: p50 and p99 are
two figures. ``build/bench/SUBJECT.json`` holds those of a subject.
"""

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench import machine, turns

FOLDER = Path(__file__).parents[1] / "build" / "bench"
FORM = 1
"""The version of the files' form."""
OURS = "ours"
IDLE = 0.1
"""The share of the processors that others may use before a measurement."""
BUSY = (
    "Other work used {:.0%} of the processors when this was begun or had ended:"
    " take its figures for rough ones."
)


class RecordError(Exception):
    """A file is not one of these: the text says which and why."""


@dataclass(frozen=True)
class Goal:
    """The limit of what ours takes, or the least that it does; ``Figure.better`` says which."""

    limit: float
    against: str = ""
    """The contestant whose values the limit multiplies; "" for a limit in the figure's unit."""


@dataclass(frozen=True)
class Figure:
    """One quantity of one work."""

    measure: str
    """The quantity, which is the title of a table of the page: "CPU a message"."""
    unit: str
    work: str
    """The row of the table: "2 KB, 16 sessions, line by line"."""
    better: str
    """Either "more" or "less"."""
    values: Mapping[str, list[float]]
    """From a contestant to its number in each round; ours is called ``OURS``."""
    goals: tuple[Goal, ...] = ()
    parameters: Mapping[str, int | str] = field(default_factory=dict)
    """Numbers of the work that a plot needs: ``bytes``, ``sessions``, ``order``."""

    def median(self, name: str) -> float:
        """Return the median of a contestant's rounds."""
        return turns.middle(self.values[name])

    def ratio(self, against: str) -> float:
        """Return the median of the ratios of ours to another contestant, round by round."""
        return turns.middle(turns.ratios(self.values[OURS], self.values[against]))

    def found(self, goal: Goal) -> float:
        """Return what is compared with a goal's limit."""
        return self.ratio(goal.against) if goal.against else self.median(OURS)

    def met(self, goal: Goal) -> bool:
        """Tell whether a goal is met."""
        found = self.found(goal)
        return found >= goal.limit if self.better == "more" else found <= goal.limit


@dataclass(frozen=True)
class Record:
    """The figures of a subject, and when they were measured."""

    subject: str
    made: str
    """Date of the end of the measurement, in UTC: "2026-11-30"."""
    seconds: float
    """Time that the measurement took."""
    machine: Mapping[str, str]
    versions: Mapping[str, str]
    figures: tuple[Figure, ...]
    notes: tuple[str, ...] = ()
    """Sentences for the page: who is not at hand, say."""


def write(record: Record, folder: Path) -> Path:
    """Write the file of a subject; returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{record.subject}.json"
    path.write_text(json.dumps({"form": FORM, **asdict(record)}, indent=1) + "\n")
    return path


def read(path: Path) -> Record:
    """Read the file of a subject. Raises RecordError."""
    try:
        fields = json.loads(path.read_text())
        if fields.pop("form") != FORM:
            raise RecordError(f"{path}: not of form {FORM}: measure anew")
        figures = tuple(map(_figure, fields.pop("figures")))
        notes = tuple(map(str, fields.pop("notes")))
        return Record(figures=figures, notes=notes, **fields)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise RecordError(f"{path}: {type(error).__name__}: {error}") from error


def _figure(fields: dict[str, Any]) -> Figure:
    """Return a figure. Raises KeyError, TypeError or ValueError."""
    goals = tuple(Goal(**goal) for goal in fields.pop("goals"))
    figure = Figure(goals=goals, **fields)
    if figure.better not in ("more", "less"):
        raise ValueError(f"better is {figure.better!r}")
    for name, rounds in figure.values.items():
        if not rounds or not all(isinstance(value, float | int) for value in rounds):
            raise ValueError(f"{name} has {rounds!r}")
    for name in {OURS, *(goal.against for goal in goals)} - {""}:
        if goals and name not in figure.values:
            raise ValueError(f"a goal of {figure.work!r} needs {name!r}")
    return figure


def number(value: float) -> str:
    """Return a value as people read it: three digits that count."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def size(count: int) -> str:
    """Return a number of bytes as people say it."""
    return f"{count // 1_000_000} MB" if count >= 1_000_000 else f"{count // 1_000} KB"


def line(figure: Figure) -> str:
    """Return a figure as it is printed while it is measured."""
    values = ", ".join(
        f"{name} {number(figure.median(name))} ({number(min(each))}-{number(max(each))})"
        for name, each in figure.values.items()
    )
    text = f"{figure.measure}, {figure.work}: {values} {figure.unit}"
    for goal in figure.goals:
        sign = ">=" if figure.better == "more" else "<="
        aim = f"{sign} {goal.limit:g}" + (f" x {goal.against}" if goal.against else "")
        met = "" if figure.met(goal) else ": MISSED"
        text += f"; {number(figure.found(goal))} (goal {aim}{met})"
    return text


def finish(subject: str, figures: Iterable[Figure], notes: Iterable[str] = ()) -> int:
    """Measure: print each figure when it is there, and write all; returns the exit status.

    ``figures`` yields them as they are found; ``notes`` is read when they are complete.
    """
    (FOLDER / f"{subject}.json").unlink(missing_ok=True)  # no page has the figures of before
    load, start = machine.busy(), time.monotonic()
    found = []
    for figure in figures:
        print(line(figure), flush=True)
        found.append(figure)
    made = time.strftime("%Y-%m-%d", time.gmtime())
    seconds = round(time.monotonic() - start)
    load = max(load, machine.busy())
    here = machine.machine(), machine.versions()
    busy = [BUSY.format(load)] if load > IDLE else []
    write(Record(subject, made, seconds, *here, tuple(found), (*busy, *notes)), FOLDER)
    missed = [figure for figure in found if not all(map(figure.met, figure.goals))]
    print(f"{subject}: A GOAL IS MISSED" if missed else f"{subject}: all goals are met", flush=True)
    return 1 if missed else 0
