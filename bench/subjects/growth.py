"""filter-dkimsign beside the C original: how CPU grows with lines, and with the bytes of lines."""

import sys
from collections.abc import Iterator
from functools import partial

from bench import turns
from bench.child import Child, nofile
from bench.contestants import Contestants, contestants, parser
from bench.driver import Load, message
from bench.records import OURS, Figure, finish
from bench.subjects.signing import C, new_key

LINES, WIDTHS = (100, 300, 1_000, 3_000, 10_000), (1, 20, 60, 200, 900)
WIDTH, COUNT = 60, 500
"""Bytes of a line where lines grow in number, and lines where they grow in length."""
WORK = 20_000
"""Lines in a round, or bytes by hundreds where these are more."""


def text(lines: int, width: int) -> bytes:
    """Return a message with so many lines of text."""
    head = message(0)
    return head + b"".join(b"%s\n" % (b"%d " % n * width)[:width] for n in range(lines))


def cost(command: list[str], mail: bytes, total: int) -> float:
    """Return the microseconds of CPU of a message, one session after the other."""
    return Load(Child(command), mail, total).run().cpu_us


def figures(root: Contestants, rounds: int) -> Iterator[Figure]:
    """Measure both growths."""
    flags = new_key(root)
    commands = {
        C: root.theirs("filter-dkimsign", *flags),
        OURS: root.ours("filter-dkimsign", *flags),
    }
    by_lines = (("lines", count, text(count, WIDTH)) for count in LINES)
    by_bytes = (("bytes", width * COUNT, text(COUNT, width)) for width in WIDTHS)
    for parameter, amount, mail in (*by_lines, *by_bytes):
        total = max(3, WORK // max(mail.count(b"\n"), len(mail) // 100))
        runs = {name: partial(cost, command, mail, total) for name, command in commands.items()}
        yield Figure(
            f"CPU a message, by {parameter}", "µs", f"{amount:,} {parameter}", "less",
            turns.take(runs, rounds), parameters={parameter: amount},
        )  # fmt: skip


def main() -> int:
    """Measure; returns the exit status."""
    chosen = parser("The growth of CPU with lines and bytes.", rounds=3).parse_args()
    nofile()
    with contestants("growth", chosen.ours) as root:
        return finish("growth", figures(root, chosen.rounds))


if __name__ == "__main__":
    sys.exit(main())
