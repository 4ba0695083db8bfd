"""table-sqlite beside the C original: round trips, rate, memory, and the import of a million rows.

One database holds 100,000 aliases, 100,000 domains (1,000 of them wildcards) and 1,000 networks;
one configuration file serves both programs. Wildcards and networks have no counterpart in C: they
are reported and not compared.

A round trip (request, wait, answer: what smtpd does) is measured with driver and table on one
processor and on two. Left to itself the kernel wavers between the two, and waking another processor
takes longer than all the rest.
"""

import os
import random
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from bench import turns
from bench.child import TABLE_HELLO, Child, behind
from bench.contestants import Contestants, contestants, parser
from bench.records import OURS, Figure, Goal, finish
from bench.table_driver import Kind, in_flight, pipelined, requests, round_trips

C = "C"
COUNT, PATTERNS, IMPORTED = 100_000, 1_000, 1_000_000
HOT = 200
"""Keys that are asked for again and again."""
REST = 3
"""Seconds after which a database that was made rests, so that answers from it are kept."""
LITERAL = COUNT - PATTERNS
REQUESTS = 1_000
"""Of each kind, in each round, for each program."""
PIPELINED = 40_000
WINDOW = 64
"""Requests at a time."""
HOT_P50, HOT_P99, COLD_P50, RATE = Goal(0.95, C), Goal(1.1, C), Goal(1.5, C), Goal(2.0, C)
WAL_P50 = Goal(75)
"""Microseconds, by the process that reads such a database."""
PEAK_MIB, IMPORT_SECONDS = 30, 15

CONF = """\
dbpath {folder}/bench.db
query_alias SELECT value FROM aliases WHERE key = ?
query_domain SELECT key FROM domains WHERE key = ?
query_netaddr SELECT key FROM networks WHERE key = ?
patterns_domain SELECT key FROM domains WHERE key LIKE '*%'
patterns_netaddr SELECT key FROM networks
"""


def database(folder: Path) -> None:
    """Make the database and the configuration file."""
    with sqlite3.connect(folder / "bench.db") as db:
        db.execute("CREATE TABLE aliases (key TEXT PRIMARY KEY, value TEXT NOT NULL)")
        db.execute("CREATE TABLE domains (key TEXT PRIMARY KEY)")
        db.execute("CREATE TABLE networks (key TEXT PRIMARY KEY)")
        aliases = ((f"user{n}", f"user{n}@host{n % 9}.example.com") for n in range(COUNT))
        db.executemany("INSERT INTO aliases VALUES (?, ?)", aliases)
        domains = [f"d{n}.example.org" for n in range(LITERAL)]
        domains += [f"*.w{n}.example.net" for n in range(PATTERNS)]
        db.executemany("INSERT INTO domains VALUES (?)", ((name,) for name in domains))
        networks = (f"10.{n // 250}.{n % 250}.0/24" for n in range(PATTERNS))
        db.executemany("INSERT INTO networks VALUES (?)", ((network,) for network in networks))
    db.close()
    (folder / "sqlite.conf").write_text(CONF.format(folder=folder))


COLD = {
    "alias, found": Kind("lookup", "alias", lambda dice: f"user{dice.randrange(COUNT)}"),
    "alias, not found": Kind("lookup", "alias", lambda dice: f"nobody{dice.randrange(COUNT)}"),
    "domain, found": Kind(
        "check", "domain", lambda dice: f"d{dice.randrange(LITERAL)}.example.org"
    ),
    "domain, not found": Kind("check", "domain", lambda dice: f"d{dice.randrange(COUNT)}.example"),
}
HOT_KEYS = {
    "alias, hot": Kind("lookup", "alias", lambda dice: f"user{dice.randrange(HOT)}"),
    "not found, hot": Kind("lookup", "alias", lambda dice: f"nobody{dice.randrange(HOT)}"),
    "domain, hot": Kind("check", "domain", lambda dice: f"d{dice.randrange(HOT)}.example.org"),
    "no domain, hot": Kind("check", "domain", lambda dice: f"d{dice.randrange(HOT)}.example"),
}
"""Few keys; the others are too many to be kept."""
OURS_ALONE = {
    "wildcard, found": Kind(
        "check", "domain", lambda dice: f"mail.w{dice.randrange(PATTERNS)}.example.net"
    ),
    "network, found": Kind(
        "check", "netaddr", lambda dice: f"10.{dice.randrange(4)}.{dice.randrange(250)}.7"
    ),
    "network, not found": Kind("check", "netaddr", lambda dice: f"192.0.2.{dice.randrange(256)}"),
}


def round_trip_figures(
    tables: dict[str, Child], processors: set[int], rounds: int, dice: random.Random
) -> Iterator[Figure]:
    """Ask all the same in turns, one kind after the other."""
    place = f"{len(processors)} CPU{'s' if len(processors) > 1 else ''}"
    pinned = [child.process.pid for child in tables.values()]
    with turns.pinned(pinned, processors):
        for name, kind in (COLD | HOT_KEYS | OURS_ALONE).items():
            asked = {OURS: tables[OURS]} if name in OURS_ALONE else tables
            times: dict[str, list[list[float]]] = {each: [] for each in asked}
            for n in range(rounds):
                lines = requests([kind], REQUESTS, dice)
                for each in turns.turn(asked, n):
                    times[each].append(round_trips(asked[each], lines))
            goals: dict[int, tuple[Goal, ...]] = {50: (), 99: ()}
            if len(processors) == 1 and name in HOT_KEYS:
                goals = {50: (HOT_P50,), 99: (HOT_P99,)}
            elif len(processors) == 1 and name in COLD:
                goals = {50: (COLD_P50,), 99: ()}
            for percent in (50, 99):
                yield Figure(
                    f"round trip, p{percent}, {place}", "µs", name, "less",
                    {who: [turns.percentile(each, percent) for each in found]
                     for who, found in times.items()},
                    goals[percent],
                )  # fmt: skip


def wal_figures(root: Contestants, rounds: int, dice: random.Random) -> Iterator[Figure]:
    """Ask for cold keys of the same database in WAL mode."""
    with closing(sqlite3.connect(root.folder / "bench.db")) as db:
        db.execute("PRAGMA journal_mode = WAL")
    root.give()
    tables = started(root)
    every = [
        pid for child in tables.values() for pid in (child.process.pid, *behind(child.process.pid))
    ]
    with turns.pinned(every, {min(os.sched_getaffinity(0))}):
        for name, kind in COLD.items():
            times: dict[str, list[list[float]]] = {each: [] for each in tables}
            for n in range(rounds):
                lines = requests([kind], REQUESTS, dice)
                for each in turns.turn(tables, n):
                    times[each].append(round_trips(tables[each], lines))
            yield Figure(
                "round trip, p50, 1 CPU", "µs", f"{name}, WAL mode", "less",
                {who: [turns.percentile(each, 50) for each in found]
                 for who, found in times.items()},
                (WAL_P50,),
            )  # fmt: skip
    for child in tables.values():
        child.close()


def in_flight_figure(
    tables: dict[str, Child], kinds: dict[str, Kind], rounds: int, dice: random.Random
) -> Figure:
    """Ask all for keys of some kinds, WINDOW at a time."""
    rates: dict[str, list[float]] = {name: [] for name in tables}
    for n in range(rounds):
        lines = requests(list(kinds.values()), PIPELINED // 4, dice)
        for name in turns.turn(tables, n):
            rates[name].append(in_flight(tables[name], lines, WINDOW))
    work = f"{WINDOW} in flight, {'hot' if kinds is HOT_KEYS else 'cold'}"
    return Figure("answers a second", "answers/s", work, "more", rates, (RATE,))


def rate_figure(tables: dict[str, Child], rounds: int, dice: random.Random) -> Figure:
    """Send all the same stream in turns; their answers must be the same, too."""
    rates: dict[str, list[float]] = {name: [] for name in tables}
    for n in range(rounds):
        lines = requests(list(COLD.values()), PIPELINED, dice)
        answers = set()
        for name in turns.turn(tables, n):
            rate, answer = pipelined(tables[name], lines)
            rates[name].append(rate)
            answers.add(answer)
        if len(answers) != 1:
            raise SystemExit("the programs answer differently")
    return Figure("answers a second", "answers/s", "all at once", "more", rates)


def import_million(command: list[str], folder: Path) -> float:
    """Return the seconds that ``opensmtpd-plugins import`` takes for a file of aliases."""
    with open(folder / "aliases", "w") as file:
        file.writelines(f"user{n}: user{n}@host{n % 9}.example.com\n" for n in range(IMPORTED))
    conf = folder / "smtpd.conf"
    conf.write_text(
        f"table aliases file:{folder}/aliases\n"
        'action "local" maildir alias <aliases>\nmatch for local action "local"\n'
    )
    start = time.perf_counter()
    subprocess.run(
        [*command, "import", conf, folder / "imported.db"],
        check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    return time.perf_counter() - start


def started(root: Contestants) -> dict[str, Child]:
    """Start both programs."""
    conf = str(root.folder / "sqlite.conf")
    commands = {C: root.theirs("table-sqlite", conf), OURS: root.ours("table-sqlite", conf)}
    return {name: Child(command, TABLE_HELLO) for name, command in commands.items()}


def figures(root: Contestants, rounds: int, with_import: bool) -> Iterator[Figure]:
    """Measure all of it."""
    dice = random.Random("tables")
    database(root.folder)
    root.give()
    tables = started(root)
    time.sleep(REST)
    allowed = sorted(os.sched_getaffinity(0))
    for processors in ({allowed[0]}, set(allowed[:2])):
        yield from round_trip_figures(tables, processors, rounds, dice)
    for kinds in (COLD, HOT_KEYS):
        yield in_flight_figure(tables, kinds, rounds, dice)
    yield rate_figure(tables, rounds, dice)
    peaks = {name: [child.close()[1] / 1024] for name, child in tables.items()}
    yield Figure("memory of all processes", "MiB", "after these", "less", peaks, (Goal(PEAK_MIB),))
    yield from wal_figures(root, rounds, dice)
    if with_import:
        seconds = import_million(root.operator(), root.folder)
        yield Figure(
            "import", "s", "1,000,000 aliases", "less", {OURS: [seconds]}, (Goal(IMPORT_SECONDS),)
        )


def main() -> int:
    """Measure; returns the exit status."""
    options = parser("table-sqlite beside the C original.", rounds=11)
    options.add_argument("--no-import", action="store_true", help="leave the import out")
    chosen = options.parse_args()
    with contestants("tables", chosen.ours) as root:
        return finish("tables", figures(root, chosen.rounds, not chosen.no_import))


if __name__ == "__main__":
    sys.exit(main())
