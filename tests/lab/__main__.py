"""``python -m lab demo | shell | bench [OPTION…] | chaos [OPTION…] | run COMMAND…``."""

import subprocess
import sys

from lab.root import namespace, stage

PYTHON = [sys.executable, "-m"]

MEASUREMENTS = {"bench": ("lab.shows.bench", ["7.6"]), "chaos": ("lab.chaos", ["7.6", "7.9"])}


def main(arguments: list[str]) -> int:
    """Do what the first argument says; returns the exit code."""
    match arguments:
        case ["demo" | "shell" as what]:
            return stage.enter(["7.6"], [*PYTHON, "lab.shows.demo", what])
        case ["bench" | "chaos" as what, *options]:
            module, versions = MEASUREMENTS[what]
            return stage.enter(versions, [*PYTHON, module, *options])
        case ["run", _, *_]:
            return stage.enter(["6.8", "7.6", "7.9"], arguments[1:])
        case ["enter", *rest] if "--" in rest:  # ourselves, as root
            split = rest.index("--")
            return stage.enter(rest[:split], rest[split + 1 :])
        case ["inside", "--", *command]:  # ourselves, first process of the namespace
            namespace.set_up()
            return subprocess.call(command)
        case _:
            print(__doc__)
            return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
