"""table-sqlite beside the C original, in one run on one machine: ``make bench``.

One database holds 100,000 aliases, 100,000 domains (1,000 of them wildcards) and 1,000 networks;
one configuration file serves both programs. Printed are, for each kind of request, the round trip
(request, wait, answer: what smtpd does) in rounds that take the two programs in turn, then the
rate at which requests are answered that do not wait for each other, peak memory, the time from
exec to ``register|ready``, and what importing 1,000,000 aliases takes. Wildcards and networks have
no counterpart in C: they are reported and not compared. Exit status 1 where a goal is missed.

A round trip is measured with driver and table on one processor and on two. Left to itself the
kernel wavers between the two, and waking another processor takes longer than all the rest.

By hand, without ``make``, after it has built the roots::

    .venv/bin/python bench/bench_tables.py --root /var/cache/opensmtpd-plugins/root-trixie-*
    … --rounds 5 --no-import     # quicker
    … --root DIR --ours 'COMMAND'   # another program of ours, without its configuration file
"""

import argparse
import os
import random
import select
import shlex
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from driver import STAMP, TABLE_HELLO, Child

COUNT, PATTERNS, IMPORTED = 100_000, 1_000, 1_000_000
HOT = 200
"""Keys that are asked for again and again."""
REST = 3
"""Seconds after which a database that was made rests, so that answers from it are kept."""
LITERAL = COUNT - PATTERNS
REQUESTS = 1_000
"""Of each kind, in each round, for each program."""
PIPELINED = 40_000
P50, P99, RATE, PEAK_KIB, IMPORT_SECONDS = 1.1, 1.3, 1.6, 30 * 1024, 15.0
"""The goals: of the round trip and the rate in proportion to the C program."""
BIN = Path(sys.executable).parent

CONF = """\
dbpath {folder}/bench.db
query_alias SELECT value FROM aliases WHERE key = ?
query_domain SELECT key FROM domains WHERE key = ?
query_netaddr SELECT key FROM networks WHERE key = ?
patterns_domain SELECT key FROM domains WHERE key LIKE '*%'
patterns_netaddr SELECT key FROM networks
"""


def database(folder: Path) -> str:
    """Make the database; returns the path of the configuration file."""
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
    conf = folder / "sqlite.conf"
    conf.write_text(CONF.format(folder=folder))
    return str(conf)


class Kind(NamedTuple):
    """A kind of request."""

    verb: str
    service: str
    key: Callable[[random.Random], str]


COLD = {
    "alias, found": Kind("lookup", "alias", lambda dice: f"user{dice.randrange(COUNT)}"),
    "alias, not found": Kind("lookup", "alias", lambda dice: f"nobody{dice.randrange(COUNT)}"),
    "domain, found": Kind(
        "check", "domain", lambda dice: f"d{dice.randrange(LITERAL)}.example.org"
    ),
    "domain, not found": Kind("check", "domain", lambda dice: f"d{dice.randrange(COUNT)}.example"),
}
AGAIN = {
    "alias, hot": Kind("lookup", "alias", lambda dice: f"user{dice.randrange(HOT)}"),
    "not found, hot": Kind("lookup", "alias", lambda dice: f"nobody{dice.randrange(HOT)}"),
    "domain, hot": Kind("check", "domain", lambda dice: f"d{dice.randrange(HOT)}.example.org"),
    "no domain, hot": Kind("check", "domain", lambda dice: f"d{dice.randrange(HOT)}.example"),
}
"""Few keys; the others are too many to be kept."""
KINDS = COLD | AGAIN
OURS_ALONE = {
    "wildcard, found": Kind(
        "check", "domain", lambda dice: f"mail.w{dice.randrange(PATTERNS)}.example.net"
    ),
    "network, found": Kind(
        "check", "netaddr", lambda dice: f"10.{dice.randrange(4)}.{dice.randrange(250)}.7"
    ),
    "network, not found": Kind("check", "netaddr", lambda dice: f"192.0.2.{dice.randrange(256)}"),
}


def requests(kinds: list[Kind], count: int, dice: random.Random) -> list[bytes]:
    """Return ``count`` requests of these kinds in turn."""
    lines = []
    for n in range(count):
        kind = kinds[n % len(kinds)]
        id, key = b"%08x" % dice.getrandbits(32), kind.key(dice).encode()
        words = (b"table|0.1", STAMP, b"bench", kind.verb.encode(), kind.service.encode(), id, key)
        lines.append(b"|".join(words) + b"\n")
    return lines


def round_trips(child: Child, lines: list[bytes]) -> list[float]:
    """Ask one after the other; returns the microseconds of each."""
    link, clock, times = child.socket, time.perf_counter, []
    link.settimeout(30)
    for line in lines:
        start = clock()
        link.sendall(line)
        answer = link.recv(4096)
        times.append((clock() - start) * 1e6)
        if not answer.endswith(b"\n"):
            raise SystemExit(f"{answer!r} is the answer to {line!r}")
    return times


def pipelined(child: Child, lines: list[bytes]) -> tuple[float, bytes]:
    """Ask without waiting; returns answers a second, and the answers."""
    link, out, answers, left = child.socket, memoryview(b"".join(lines)), [b""], len(lines)
    link.setblocking(False)
    start = time.perf_counter()
    while left:
        readable, writable, _ = select.select([link], [link] if out else [], [], 30)
        if writable:
            out = out[link.send(out[: 1 << 16]) :]
        if readable:
            answers.append(link.recv(1 << 20))
            left -= answers[-1].count(b"\n")
        if not (readable or writable) or (readable and not answers[-1]):
            raise SystemExit("the table hangs or has ended")
    return len(lines) / (time.perf_counter() - start), b"".join(answers)


def percentiles(runs: list[list[float]]) -> tuple[float, float]:
    """Return p50 and p99 of a round, each the median over all rounds."""
    cuts = [statistics.quantiles(run, n=100) for run in runs]
    return statistics.median(cut[49] for cut in cuts), statistics.median(cut[98] for cut in cuts)


def verdict(ratio: float, goal: float) -> str:
    """Return a ratio as it is printed beside its goal."""
    return f"{ratio:4.2f} (goal {goal})"


def place(child: Child, processors: list[int]) -> None:
    """Put the driver on the first of the processors, the table on the last."""
    os.sched_setaffinity(0, processors[:1])
    os.sched_setaffinity(child.process.pid, processors[-1:])


def compare_round_trips(
    ours: Child, theirs: Child, processors: list[int], rounds: int, dice: random.Random
) -> bool:
    """Ask both the same in turns, one kind after the other; report what only ours can beside it."""
    good = True
    title = f"round trip, {len(processors)} CPU"
    print(f"{title:20} {'C p50':>8} {'ours':>8}  {'ratio':15} {'C p99':>8} {'ours':>8}  ratio")
    for name, kind in (KINDS | OURS_ALONE).items():
        runs: dict[Child, list[list[float]]] = {theirs: [], ours: []}
        for n in range(rounds):
            lines = requests([kind], REQUESTS, dice)
            turn = [ours, theirs] if n % 2 else [theirs, ours]
            for child in turn if name in KINDS else [ours]:
                place(child, processors)
                runs[child].append(round_trips(child, lines))
        p50, p99 = percentiles(runs[ours])
        if name in KINDS:
            c50, c99 = percentiles(runs[theirs])
            good = good and p50 <= P50 * c50 and p99 <= P99 * c99
            print(f"{name:20} {c50:5.1f} µs {p50:5.1f} µs  {verdict(p50 / c50, P50)}"
                  f" {c99:5.1f} µs {p99:5.1f} µs  {verdict(p99 / c99, P99)}")  # fmt: skip
        else:
            print(f"{name:20} {'':8} {p50:5.1f} µs  {'':15} {'':8} {p99:5.1f} µs", flush=True)
    return good


def compare_rates(
    ours: Child, theirs: Child, processors: list[int], rounds: int, dice: random.Random
) -> bool:
    """Send both the same stream in turns; their answers must be the same, too."""
    rates: dict[Child, list[float]] = {theirs: [], ours: []}
    for child in rates:
        place(child, processors)
    for n in range(rounds):
        lines = requests(list(COLD.values()), PIPELINED, dice)
        answers = set()
        for child in (ours, theirs) if n % 2 else (theirs, ours):
            rate, answer = pipelined(child, lines)
            rates[child].append(rate)
            answers.add(answer)
        if len(answers) != 1:
            raise SystemExit("the two programs answer differently")
    c, our = statistics.median(rates[theirs]), statistics.median(rates[ours])
    print(f"pipelined: C {c:.0f}/s, ours {our:.0f}/s, {verdict(our / c, RATE)}")
    return our >= RATE * c


def import_million(folder: Path) -> bool:
    """Time ``opensmtpd-plugins import`` on a file of aliases."""
    with open(folder / "aliases", "w") as file:
        file.writelines(f"user{n}: user{n}@host{n % 9}.example.com\n" for n in range(IMPORTED))
    conf = folder / "smtpd.conf"
    conf.write_text(
        f"table aliases file:{folder}/aliases\n"
        'action "local" maildir alias <aliases>\nmatch for local action "local"\n'
    )
    start = time.perf_counter()
    subprocess.run(
        [BIN / "opensmtpd-plugins", "import", conf, folder / "imported.db"],
        check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    seconds = time.perf_counter() - start
    print(f"import of {IMPORTED} aliases: {seconds:.1f} s (goal {IMPORT_SECONDS:.0f})")
    return seconds < IMPORT_SECONDS


def original(root: str) -> list[str]:
    """Return how the C program is started from outside its root: by its own loader."""
    loader = next(Path(root).glob("usr/lib*/ld-linux-*.so.*"))
    libraries = next(Path(root).glob("usr/lib/*-linux-gnu*"))
    program = Path(root, "usr/libexec/opensmtpd/table-sqlite")
    return [str(loader), "--library-path", str(libraries), str(program)]


def startup(command: list[str]) -> str:
    """Return the time from exec to ``register|ready``, as it is printed."""
    times = []
    for _ in range(15):
        child = Child(command, TABLE_HELLO)
        times.append(child.ready_seconds * 1e3)
        child.close()
    return f"median {statistics.median(times):.0f} ms, worst {max(times):.0f} ms"


def main() -> int:
    """Run all of it; return the exit status."""
    parser = argparse.ArgumentParser(description="Measure table-sqlite beside the C original.")
    parser.add_argument("--root", required=True, help="a root with the C table in it")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--ours", default=str(BIN / "table-sqlite"), help="our program")
    parser.add_argument("--no-import", action="store_true", help="leave the import out")
    options = parser.parse_args()
    dice = random.Random("tables")
    with tempfile.TemporaryDirectory() as name:
        conf = database(Path(name))
        commands = [*shlex.split(options.ours), conf], [*original(options.root), conf]
        ours, theirs = (Child(command, TABLE_HELLO) for command in commands)
        time.sleep(REST)
        allowed = os.sched_getaffinity(0)
        processors = sorted(allowed)[:2]
        good = True
        for chosen in (processors[:1], processors):
            good = compare_round_trips(ours, theirs, chosen, options.rounds, dice) and good
        good = compare_rates(ours, theirs, processors, options.rounds, dice) and good
        os.sched_setaffinity(0, allowed)
        (_, peak), (_, c_peak) = ours.close(), theirs.close()
        print(f"peak memory: C {c_peak} KiB, ours {peak} KiB (goal {PEAK_KIB})")
        good = good and peak < PEAK_KIB
        for label, command in zip(("ours", "C"), commands, strict=True):
            print(f"exec to ready, {label}: {startup(command)}")
        good = (options.no_import or import_million(Path(name))) and good
    print("all goals are met" if good else "A GOAL IS MISSED")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
