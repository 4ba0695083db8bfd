"""Run one target for a while: ``python -m lab.chaos.fuzz TARGET SECONDS``."""

import importlib.util
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

LENGTH_MAX = 4096
ROUND = 500
"""Inputs of hypothesis between two looks at the clock."""


def with_atheris(name: str, seconds: int) -> None:
    """Fuzz with atheris, which ends the process: status 77 for a fault. Its types are unknown."""
    atheris: Any = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["opensmtpd", "opensmtpd_cli"]):
        from lab.chaos.fuzz.seeds import SEEDS
        from lab.chaos.fuzz.targets import TARGETS
    corpus = Path(tempfile.mkdtemp())  # in a folder that goes with the run, TMPDIR
    for number, seed in enumerate(SEEDS[name]):
        Path(corpus, f"seed{number}").write_bytes(seed)
    options = [f"-max_total_time={seconds}", f"-max_len={LENGTH_MAX}", "-timeout=20"]
    options += ["-rss_limit_mb=2048", "-print_final_stats=1", f"-artifact_prefix={corpus}/"]
    atheris.Setup([sys.argv[0], *options, str(corpus)], TARGETS[name])
    atheris.Fuzz()


def with_hypothesis(name: str, seconds: int) -> None:
    """Fuzz with hypothesis, which looks for inputs that reach more functions of ours."""
    from hypothesis import HealthCheck, given, settings, target
    from hypothesis import strategies as st

    from lab.chaos.fuzz.seeds import SEEDS
    from lab.chaos.fuzz.targets import TARGETS

    seeds = st.sampled_from(SEEDS[name])
    spliced = st.tuples(seeds, st.binary(max_size=40), st.integers(0, 200)).map(
        lambda made: made[0][: made[2]] + made[1] + made[0][made[2] :]
    )
    count = 0

    @settings(
        max_examples=ROUND, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(st.one_of(spliced, st.binary(max_size=LENGTH_MAX)))
    def one(data: bytes) -> None:
        nonlocal count
        count += 1
        seen: set[object] = set()
        sys.setprofile(lambda frame, event, _: seen.add(frame.f_code))
        try:
            TARGETS[name](data)
        finally:
            sys.setprofile(None)
        target(float(len(seen)))

    end = time.monotonic() + seconds
    while time.monotonic() < end:
        one()
    print(f"stat::number_of_executed_units: {count}")


def main(name: str, seconds: str) -> None:
    """Run a target with what there is."""
    there = importlib.util.find_spec("atheris") is not None
    (with_atheris if there else with_hypothesis)(name, int(float(seconds)))


if __name__ == "__main__":
    main(*sys.argv[1:])
