"""filter-dkimsign with and without filter-record in front of it, in turn: what a capture costs.

Prints, for 2 KB and 100 KB messages: messages a second, and the ratio of the medians; then how many
bytes the capture lacks. Exit status 1 where recording costs a tenth or more.
"""

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

from bench_dkimsign import flags, key
from driver import Run, measure, nofile
from opensmtpd.capture.format import CaptureLoss
from opensmtpd.capture.reader import CaptureReader

SIZES = ((2_000, 3_000, 32), (100_000, 300, 8))
"""Bytes, messages, sessions at a time."""
GOAL = 0.9


def main() -> int:
    """Run all of it; return the exit status."""
    parser = argparse.ArgumentParser(description="Measure what filter-record costs.")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    nofile()
    good = True
    bin_dir = Path(sys.executable).parent
    with tempfile.TemporaryDirectory() as name:
        plain = [str(bin_dir / "filter-dkimsign"), *flags(str(key(Path(name))))]
        capture = str(Path(name) / "capture")
        recorded = [str(bin_dir / "filter-record"), capture, "--", *plain]
        for size, total, window in SIZES:
            runs: dict[str, list[Run]] = {"plain": [], "recorded": []}
            for _ in range(options.rounds):
                runs["plain"].append(measure(plain, size, total, window))
                runs["recorded"].append(measure(recorded, size, total, window))
            rates = {
                kind: statistics.median(run.rate for run in each) for kind, each in runs.items()
            }
            ratio = rates["recorded"] / rates["plain"]
            good = good and ratio >= GOAL
            print(
                f"{size:>7} bytes: {rates['plain']:7.1f} messages a second,"
                f" recorded {rates['recorded']:7.1f}: {ratio:.3f} (goal {GOAL})"
            )
        lost = sum(each.size for each in CaptureReader(capture) if isinstance(each, CaptureLoss))
        print(f"not recorded in the last run: {lost} bytes")
    print("recording costs less than a tenth" if good else "THE GOAL IS MISSED")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
