"""``make bench``: our programs beside the C originals, in a throw-away view of the 7.6 root.

``--only dkimsign``, say, runs one of them; all other options go to it.
"""

import argparse
import subprocess
import sys
from pathlib import Path

from lab.root import stage
from lab.root.namespace import view

BENCH = Path(__file__).parents[3] / "bench"
NAMES = ("dkimsign", "tables", "dns", "auth")


def main() -> int:
    """Run the benchmarks; returns 1 where one of them missed a goal."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--only", choices=NAMES)
    chosen, rest = parser.parse_known_args()
    if not stage.inside():  # it has been said why
        return 1
    root = view(stage.stages()["7.6"].root, "bench")
    status = 0
    for name in (chosen.only,) if chosen.only else NAMES:
        print(f"\nbench: {name}", flush=True)
        script = BENCH / f"bench_{name}.py"
        status |= subprocess.call([sys.executable, str(script), "--root", str(root), *rest])
    return 1 if status else 0


if __name__ == "__main__":
    sys.exit(main())
