"""The options of ``make chaos``."""

import argparse
import sys
import time
from collections.abc import Sequence

from lab.chaos import __doc__ as description
from lab.chaos import report, servers
from lab.chaos.campaign import campaign
from lab.chaos.faults import FAULTS, Fault
from lab.chaos.fuzz import run as fuzzing
from lab.chaos.fuzz.run import targets
from lab.chaos.hostile.run import PROGRAMS, run
from lab.peers.databases.filled import BACKENDS
from lab.root import stage
from lab.shows import writers

PARTS = ("faults", "writers", "lookups", "fuzz", "hostile")
MANY, FEW = 1_000_000, 20_000
"""Sessions through each filter: where they are asked for, and where they are one part of all."""

LOOKUPS_SECONDS = 120.0
"""For the lookups from each server, at most."""


def faults(words: Sequence[str]) -> list[Fault]:
    """Return the faults whose names contain one of these words, all without words."""
    return [one for name, one in FAULTS.items() if not words or any(word in name for word in words)]


def main() -> int:
    """Run what is asked for; returns 1 where something is not well."""
    chosen = parser().parse_args()
    if chosen.list:
        print("\n".join([*FAULTS, *targets(), *PROGRAMS]))
        return 0
    if not stage.inside():  # it has been said why
        return 1
    parts = {
        "faults": befall,
        "writers": write,
        "lookups": look_up,
        "fuzz": fuzz,
        "hostile": hostile,
    }
    results = [parts[name](chosen) for name in PARTS if chosen.only in (None, name)]
    print(f"chaos: {'all well' if all(results) else 'NOT WELL'}")
    return 0 if all(results) else 1


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    options = argparse.ArgumentParser(prog="make chaos", description=description)
    add = options.add_argument
    add("--only", choices=PARTS)
    add("--list", action="store_true", help="name faults, targets, programs")
    add("--seed", type=int, default=int(time.time()))
    add("--fault", action="append", default=[], help="faults with this in their name")
    add("--smtpd", choices=("7.6", "7.9"), help="faults on one version only")
    add("--seconds", type=float, default=8, help="for each fault")
    add("--clients", type=int, default=4, help="at once, who send mail meanwhile")
    add("--page", action="store_true", help=f"write the table into {report.PAGE.name}")
    add("--writers-seconds", type=float, default=20, help="of programs that change a database")
    add("--backend", action="append", choices=BACKENDS, help="lookups from this one")
    add("--lookups", type=int, default=10_000, help="while each server is paused and killed")
    add("--target", action="append", choices=targets(), help="fuzz this one")
    add("--fuzz-seconds", type=float, default=20, help="for each target")
    add("--program", action="append", choices=PROGRAMS, help="hostile sessions for this one")
    many = f"hostile sessions for each program (default {FEW}, with --only {MANY})"
    add("--count", type=int, help=many)
    return options


def befall(chosen: argparse.Namespace) -> bool:
    """Run the faults; returns whether all is well."""
    tables = {}
    for smtpd, prepared in stage.stages().items():
        if chosen.smtpd in (None, smtpd):
            print(f"\nchaos: smtpd {smtpd}, seed {chosen.seed}", flush=True)
            rows = campaign(
                prepared,
                faults(chosen.fault),
                chosen.seconds,
                clients=chosen.clients,
                seed=chosen.seed,
            )
            print(report.text(rows), flush=True)
            tables[smtpd] = rows
    if chosen.page:
        report.PAGE.write_text(report.markdown(tables))
    return all(row.well for rows in tables.values() for row in rows)


def write(chosen: argparse.Namespace) -> bool:
    """Ask table-sqlite while others write; returns whether no answer was older than a commit."""
    print(f"\nchaos: {chosen.writers_seconds:g} s of writers", flush=True)
    return writers.storm(chosen.writers_seconds, chosen.seed)


def look_up(chosen: argparse.Namespace) -> bool:
    """Ask tables of servers; returns whether no answer was one for another key."""
    print(f"\nchaos: {chosen.lookups} lookups from each server", flush=True)
    names = chosen.backend or list(BACKENDS)
    return servers.storm(stage.stages()["7.6"], names, chosen.lookups, LOOKUPS_SECONDS, chosen.seed)


def fuzz(chosen: argparse.Namespace) -> bool:
    """Fuzz; returns whether nothing was found."""
    print(f"\nchaos: {chosen.fuzz_seconds:g} s for each target", flush=True)
    return fuzzing.run(chosen.target or targets(), chosen.fuzz_seconds)


def hostile(chosen: argparse.Namespace) -> bool:
    """Run the hostile sessions; returns whether all is well."""
    count = chosen.count or (MANY if chosen.only else FEW)
    names = chosen.program or list(PROGRAMS)
    print(f"\nchaos: {count} hostile sessions or requests for each program", flush=True)
    return run(names, count, chosen.seed)


if __name__ == "__main__":
    sys.exit(main())
