"""Run all targets, one on each core."""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from lab.chaos.fuzz.seeds import SEEDS
from lab.chaos.fuzz.targets import TARGETS

EXECUTED = re.compile(r"stat::number_of_executed_units: *(\d+)")
COVERED = re.compile(r"cov: (\d+)")


def run(names: Sequence[str], seconds: float) -> bool:
    """Fuzz each target for ``seconds``; returns whether nothing was found."""
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        return all(list(pool.map(lambda name: one(name, seconds), names)))


def one(name: str, seconds: float) -> bool:
    """Fuzz a target, and say what came of it."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "lab.chaos.fuzz", name, str(seconds)]
        done = subprocess.run(
            command, env={**os.environ, "TMPDIR": folder}, capture_output=True, check=False,
            timeout=seconds + 120,
        )  # fmt: skip
    said = (done.stdout + done.stderr).decode(errors="replace")
    executed, covered = EXECUTED.search(said), COVERED.findall(said)
    count = executed[1] if executed else "?"
    edges = f", {covered[-1]} edges" if covered else ""
    shown = f"{done.stdout.decode(errors='replace')[-3000:]}\n{said[-1500:]}"
    verdict = "well" if done.returncode == 0 else f"FOUND SOMETHING\n{shown}"
    print(f"chaos: fuzz {name}: {count} inputs{edges}: {verdict}", flush=True)
    return done.returncode == 0


def targets() -> list[str]:
    """Return the names of all targets."""
    return [name for name in SEEDS if name in TARGETS]
