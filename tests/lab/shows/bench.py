"""``make bench``: our programs beside those in C, in turn, and the page of the site about it.

``ARGS="--only signing"``, say, measures one subject, and other options go to it: ``ARGS="--only
signing --help"`` lists them. Without ``--only`` all are measured and docs/performance.md is made
anew; ``ARGS=--page`` makes it of what was measured before.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

from lab.root import stage
from lab.root.plugin import TREE

NO_CACHE = "PYTHONDONTWRITEBYTECODE"
"""Programs that have to be compiled at each start would seem slow."""
NAMES = (
    *("signing", "growth", "breakdown", "smtpd", "tables", "rcpt", "dns", "auth", "network"),
    *("rspamd", "limit", "start", "state", "record"),
)


def run(module: str, *options: str) -> int:
    """Run a module of the bench from the top of the tree; returns its exit status."""
    environment = {name: value for name, value in os.environ.items() if name != NO_CACHE}
    command = [sys.executable, "-m", f"bench.{module}", *options]
    return subprocess.call(command, cwd=TREE, env={**environment, "PYTHONPATH": "tests"})


def main() -> int:
    """Run the benchmarks; returns 1 where one of them missed a goal."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__, add_help=False)
    parser.add_argument("--only", choices=NAMES)
    parser.add_argument("--page", action="store_true")
    parser.add_argument("--palant", type=Path, metavar="FOLDER", help="see --only signing --help")
    chosen, rest = parser.parse_known_args()
    if chosen.page:
        return run("page")
    if not chosen.only and {"-h", "--help"} & set(rest):
        parser.print_help()
        return 0
    if not stage.inside():  # it has been said why
        return 1
    status = 0
    for name in (chosen.only,) if chosen.only else NAMES:
        print(f"\nbench: {name}", flush=True)
        given = ["--palant", str(chosen.palant.resolve())] if chosen.palant else []
        status |= run(f"subjects.{name}", *rest, *(given if name == "signing" else []))
    if not chosen.only:
        status |= run("page")
    return 1 if status else 0


if __name__ == "__main__":
    sys.exit(main())
