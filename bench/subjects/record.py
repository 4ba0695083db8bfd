"""filter-dkimsign with and without filter-record in front of it: what a capture costs."""

import sys
from collections.abc import Iterator
from functools import partial

from bench import turns
from bench.child import nofile
from bench.contestants import Contestants, contestants, parser
from bench.driver import measure
from bench.records import OURS, Figure, Goal, finish
from bench.subjects.signing import new_key
from opensmtpd.capture.format import CaptureLoss
from opensmtpd.capture.reader import CaptureReader

SIZES = ((2_000, 3_000, 32), (100_000, 300, 8))
"""Bytes, messages, sessions at a time."""
PLAIN = "not recorded"
GOAL = Goal(0.9, PLAIN)


def figures(root: Contestants, rounds: int) -> Iterator[Figure]:
    """Measure both sizes; then count what the last capture lacks."""
    flags, capture = new_key(root), str(root.folder / "capture")
    plain = root.ours("filter-dkimsign", *flags)
    program = root.ours("filter-dkimsign")[-1]
    recorded = root.ours("filter-record", capture, "--", program, *flags)
    for size, total, window in SIZES:
        runs = {
            name: partial(measure, command, size, total, window)
            for name, command in ((PLAIN, plain), (OURS, recorded))
        }
        taken = turns.take(runs, rounds)
        rates = {name: [run.rate for run in each] for name, each in taken.items()}
        work = f"{size // 1000} KB, {window} sessions"
        yield Figure("messages a second", "messages/s", work, "more", rates, (GOAL,))
    lost = sum(each.size for each in CaptureReader(capture) if isinstance(each, CaptureLoss))
    yield Figure("not recorded", "bytes", "in the last run", "less", {OURS: [lost]})


def main() -> int:
    """Measure; returns the exit status."""
    chosen = parser("filter-record in front of filter-dkimsign.", rounds=5).parse_args()
    nofile()
    with contestants("record", chosen.ours) as root:
        return finish("record", figures(root, chosen.rounds))


if __name__ == "__main__":
    sys.exit(main())
