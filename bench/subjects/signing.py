"""filter-dkimsign beside the C original, RSA-2048, on the same messages in the same orders.

Goals are those of messages a second, of CPU a message, of latency and of memory. What a filter of
ours must hold whatever the other one does: the latency of a connect decision while 16 sessions
stream 2 MB each.
"""

import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

from bench import bystander, programs, turns
from bench.child import nofile
from bench.contestants import Contestants, contestants, parser
from bench.driver import LINE_BY_LINE, WHOLE, Order, Run, as_smtpd, measure
from bench.records import OURS, Figure, Goal, finish, size

KB, MB = 1_000, 1_000_000
C, PALANT, KEY = "C", "Palant's", "key.pem"
RATE, CPU, MEMORY = "messages a second", "CPU a message", "memory of all processes"
P50, P99 = "time of a message, p50", "time of a message, p99"


class Work(NamedTuple):
    """Messages that are signed, and the goals: in proportion to C."""

    size: int
    sessions: int
    order: Order
    total: int
    """Messages in a round."""
    rate: float = 0
    """At least; 0 for no goal."""
    cpu: float = 0
    """At most."""
    p50: float = 0
    """At most."""

    @property
    def title(self) -> str:
        """The name of the work in the tables of the page."""
        if self.sessions == 1:
            return f"{size(self.size)}, 1 session"
        return f"{size(self.size)}, {self.sessions} sessions, {self.order.name}"


WORKS = (
    Work(2 * KB, 1, WHOLE, 1_000, p50=0.80),
    Work(2 * KB, 16, LINE_BY_LINE, 3_000, rate=2.2),
    Work(2 * KB, 16, as_smtpd(2 * KB), 3_000, rate=2.5),
    Work(20 * KB, 16, LINE_BY_LINE, 800, rate=3.2),
    Work(20 * KB, 16, as_smtpd(20 * KB), 800, rate=5),
    Work(100 * KB, 1, WHOLE, 100, cpu=0.15),
    Work(100 * KB, 16, LINE_BY_LINE, 160, cpu=0.25),
    Work(100 * KB, 16, as_smtpd(100 * KB), 160),
    Work(2 * MB, 1, WHOLE, 8, cpu=0.09),
    Work(2 * MB, 16, LINE_BY_LINE, 16, cpu=0.25),
    Work(2 * MB, 16, as_smtpd(2 * MB), 16),
)
CLONE = "a clone of github.com/palant/opensmtpd-filters"
NO_PALANT = f"Wladimir Palant's filter in Python takes part with `--palant FOLDER`, {CLONE}."
MANY, MANY_MIB = 64, 80
"""Sessions with 2 MB each, and the goal of the memory of all processes then."""


def new_key(root: Contestants) -> tuple[str, ...]:
    """Make an RSA-2048 key; return the flags that all are started with."""
    key = root.folder / KEY
    subprocess.run(
        ["openssl", "genrsa", "-out", key, "2048"], check=True, stderr=subprocess.DEVNULL
    )
    root.give()
    return ("-d", "example.com", "-s", "mail", "-k", str(key))


def figures(root: Contestants, rounds: int, only: str, palant: Path | None) -> Iterator[Figure]:
    """Measure all works whose titles have ``only`` in them."""
    flags = new_key(root)
    found = {
        C: root.theirs("filter-dkimsign", *flags),
        OURS: root.ours("filter-dkimsign", *flags),
    }
    small = dict(found)
    if palant:
        small[PALANT] = root.palant(palant, "example.com", "mail", root.folder / KEY)
    for work in WORKS:
        if only in work.title:
            yield from compare(work, small if work.size <= 20 * KB else found, rounds)
    if only in MEMORY:
        yield memory(found, min(rounds, 3))
        yield from bystanders(root, flags, min(rounds, 3))


def compare(work: Work, found: dict[str, list[str]], rounds: int) -> Iterator[Figure]:
    """Measure one work; yields the figures of it."""
    runs = {
        name: partial(measure, command, work.size, total, work.sessions, work.order)
        for name, command in found.items()
        for total in (work.total // 10 if name == PALANT else work.total,)
    }
    taken = turns.take(runs, rounds)
    quantities: tuple[tuple[str, str, str, float, Callable[[Run], float]], ...] = (
        (RATE, "messages/s", "more", work.rate, lambda run: run.rate),
        (CPU, "µs", "less", work.cpu, lambda run: run.cpu_us),
        (P50, "ms", "less", work.p50, lambda run: statistics.median(run.latencies) * 1e3),
        (P99, "ms", "less", 0, lambda run: turns.percentile(run.latencies, 99) * 1e3),
    )
    for title, unit, better, goal, of in quantities:
        yield Figure(
            title, unit, work.title, better,
            {name: [of(run) for run in each] for name, each in taken.items()},
            (Goal(goal, C),) if goal else (),
            {"bytes": work.size, "sessions": work.sessions, "order": work.order.name},
        )  # fmt: skip


def memory(found: dict[str, list[str]], rounds: int) -> Figure:
    """Measure all processes together while many sessions stream large messages."""
    order = as_smtpd(2 * MB)
    runs = {
        name: partial(measure, command, 2 * MB, MANY, MANY, order)
        for name, command in found.items()
    }
    taken = turns.take(runs, rounds)
    return Figure(
        MEMORY, "MiB", f"2 MB, {MANY} sessions", "less",
        {name: [run.peak_kib / 1024 for run in each] for name, each in taken.items()},
        (Goal(MANY_MIB),),
    )  # fmt: skip


def bystanders(root: Contestants, flags: tuple[str, ...], rounds: int) -> Iterator[Figure]:
    """Measure clients who connect while others send large messages, and memory, of ours alone."""
    shutil.copy(programs.FOLDER / "connect_filter.py", root.folder)
    command = root.python(f"{root.folder}/connect_filter.py", *flags)
    runs = [bystander.measure(command) for _ in range(rounds)]
    work = "a client who connects while 16 sessions send 2 MB each"
    for title, percent, goals in (("p50", 50, ()), ("p99", 99, (Goal(20),))):
        waits = [turns.percentile(run.waits, percent) * 1e3 for run in runs]
        yield Figure(f"{title} of others' decisions", "ms", work, "less", {OURS: waits}, goals)
    peaks = {OURS: [run.peak_kib / 1024 for run in runs]}
    yield Figure(MEMORY, "MiB", "2 MB, 16 sessions", "less", peaks, (Goal(60),))


def main() -> int:
    """Measure; returns the exit status."""
    options = parser("filter-dkimsign beside the C original.", rounds=5)
    options.add_argument("--work", default="", help="works with this in their title only")
    options.add_argument("--palant", type=Path, metavar="FOLDER", help=CLONE)
    chosen = options.parse_args()
    nofile()
    with contestants("signing", chosen.ours) as root:
        found = figures(root, chosen.rounds, chosen.work, chosen.palant)
        return finish("signing", found, () if chosen.palant else (NO_PALANT,))


if __name__ == "__main__":
    sys.exit(main())
