"""Tables of servers beside the programs in C: round trips, memory, start, and a stopped server.

PostgreSQL, MariaDB, Valkey, slapd and a socketmap server hold the same users; one configuration
file serves ours and the program in C, both in one view of Debian 13 with its Python. Of ours it is
also measured how long answers take while the server is stopped by a signal, during the back-off
behind that, and until a right answer behind its return. A table that is not installed is left out.
"""

import argparse
import os
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from bench import turns
from bench.child import TABLE_HELLO, Child, behind, cpu_seconds, pss_kib
from bench.contestants import parser
from bench.records import OURS, Figure, Goal, finish
from bench.table_driver import Kind, requests, round_trips
from lab.peers.databases.filled import BACKENDS, Backend, user
from lab.peers.databases.server import DatabaseServer
from lab.peers.table_client import IGNORING, in_view
from lab.root import plugin, stage

C = "C"
REQUESTS = 500
"""Of each kind, in each round, for each program."""
P99, PSS_MIB, START_MS = Goal(3.0, C), 60, 120
TIMEOUT, LATE, AT_ONCE, HEALED = 1.0, 0.05, 0.05, 5.0
"""Seconds: the timeout that tables have by default; the goals of a stopped server."""
GOALS: dict[str, tuple[Goal, ...]] = {
    "postgres": (Goal(2.5, C), Goal(100)),
    "mysql": (Goal(150),),
    "redis": (Goal(1.5, C),),
    "ldap": (Goal(1.0, C),),
    "socketmap": (),
}
"""Of the p50 of round trips."""


def pair(root: Path, backend: Backend) -> dict[str, list[str]] | None:
    """Return both commands; None where ours is not installed."""
    original = backend.program + plugin.ORIGINAL
    if not (root / plugin.LIBEXEC / original).exists():
        return None
    names = {C: original, OURS: backend.program}
    return {who: [*IGNORING, *in_view(root, name), backend.argument] for who, name in names.items()}


def kinds(backend: Backend, rows: int) -> dict[str, Kind]:
    """Return the kinds of requests that both programs answer."""

    def found(dice: random.Random) -> str:
        return user(dice.randrange(rows)).name

    chosen = {f"{name}, found": Kind("lookup", name, found) for name in backend.services}
    if backend.absent != b"error":
        absent = Kind("lookup", "alias", lambda dice: f"nobody{dice.randrange(rows)}")
        chosen["alias, not found"] = absent
    return chosen


def processes(child: Child) -> list[int]:
    """Return a table's processes."""
    return [child.process.pid, *behind(child.process.pid)]


def same_answers(tables: dict[str, Child], chosen: dict[str, Kind], dice: random.Random) -> None:
    """Ask both the same; raises SystemExit where they differ."""
    for kind in chosen.values():
        for line in requests([kind], 20, dice):
            answers = set()
            for child in tables.values():
                child.socket.settimeout(30)
                child.socket.sendall(line)
                answers.add(child.socket.recv(4096))
            if len(answers) != 1:
                raise SystemExit(f"the two programs answer {line!r} differently: {answers}")


def compare(
    tables: dict[str, Child], chosen: dict[str, Kind], name: str, rounds: int, place: str
) -> Iterator[Figure]:
    """Ask both the same in turns, one kind after the other."""
    dice, goal = random.Random("network"), GOALS[name]
    for title, kind in chosen.items():
        times: dict[str, list[list[float]]] = {each: [] for each in tables}
        for n in range(rounds):
            lines = requests([kind], REQUESTS, dice)
            for each in turns.turn(tables, n):
                times[each].append(round_trips(tables[each], lines))
        for percent, goals in ((50, goal), (99, (P99,))):
            yield Figure(
                f"round trip, p{percent}, {place}", "µs", f"{name}: {title}", "less",
                {who: [turns.percentile(each, percent) for each in found]
                 for who, found in times.items()},
                goals,
            )  # fmt: skip


def starts(command: list[str]) -> tuple[list[float], list[float]]:
    """Return milliseconds from exec to ``register|ready``, and of CPU of all processes until then.

    Of some starts.
    """
    found, busy = [], []
    for _ in range(11):
        child = Child(command, TABLE_HELLO)
        busy.append(sum(map(cpu_seconds, processes(child))) * 1e3)
        found.append(child.ready_seconds * 1e3)
        child.close()
    return found, busy


def ask(child: Child, number: int) -> tuple[float, bytes]:
    """Ask for the alias of a user; return seconds, and the answer's words."""
    kind = Kind("lookup", "alias", lambda _: user(number).name)
    [line] = requests([kind], 1, random.Random(number))
    child.socket.settimeout(30)
    start = time.perf_counter()
    child.socket.sendall(line)
    answer = child.socket.recv(4096)
    return time.perf_counter() - start, answer.split(b"|", 2)[2].strip()


def right(child: Child, number: int) -> bool:
    """Tell whether the answer is the user's alias; raises SystemExit where it is another's."""
    _, answer = ask(child, number)
    if answer == b"found|" + user(number).alias.encode():
        return True
    if not answer.startswith(b"error"):
        raise SystemExit(f"{answer!r} is the answer for user{number}")
    return False


def stopped(name: str, child: Child, server: DatabaseServer, rounds: int) -> Iterator[Figure]:
    """Stop the server by a signal, several times; yield how long answers take."""
    late, at_once, healed = [], [], []
    for n in range(rounds):
        while not right(child, n):
            time.sleep(0.05)
        server.pause()
        late.append(ask(child, n)[0] * 1e3)
        at_once.append(max(ask(child, n + number)[0] * 1e3 for number in range(1, 20)))
        server.resume()
        start = time.perf_counter()
        while not right(child, n + 100):
            time.sleep(0.01)
        healed.append((time.perf_counter() - start) * 1e3)
    for work, times, limit in (
        ("the first answer", late, TIMEOUT + LATE),
        ("the slowest of the next answers", at_once, AT_ONCE),
        ("until the first right answer behind its return", healed, HEALED),
    ):
        title = f"{name}: {work}"
        yield Figure("a stopped server", "ms", title, "less", {OURS: times}, (Goal(limit * 1e3),))


def measure(
    name: str, root: Path, server: DatabaseServer, options: argparse.Namespace
) -> Iterator[Figure]:
    """Measure one backend whose server runs and has its rows."""
    commands = pair(root, BACKENDS[name])
    if commands is None:
        print(f"{BACKENDS[name].program} is not installed: left out")
        return
    tables = {who: Child(command, TABLE_HELLO) for who, command in commands.items()}
    chosen = kinds(BACKENDS[name], options.rows)
    same_answers(tables, chosen, random.Random(name))
    allowed = os.sched_getaffinity(0)
    pids = [pid for child in tables.values() for pid in processes(child)] + server.pids()
    for place, processors in (("1 CPU", {min(allowed)}), ("as the kernel likes", allowed)):
        with turns.pinned(pids, processors):
            yield from compare(tables, chosen, name, options.rounds, place)
    memory = {who: [sum(map(pss_kib, processes(child))) / 1024] for who, child in tables.items()}
    yield Figure("memory of all processes (PSS)", "MiB", name, "less", memory, (Goal(PSS_MIB),))
    yield from stopped(name, tables[OURS], server, options.stops)
    for child in tables.values():
        child.close()
    started = {who: starts(command) for who, command in commands.items()}
    ready = {who: times for who, (times, _) in started.items()}
    yield Figure("exec to ready", "ms", name, "less", ready, (Goal(START_MS),))
    busy = {who: times for who, (_, times) in started.items()}
    yield Figure("CPU until ready", "ms", name, "less", busy)


def figures(options: argparse.Namespace) -> Iterator[Figure]:
    """Measure each backend with a server of its own."""
    prepared = stage.stages()["7.6"]
    root = prepared.installed("bench-network")
    for name in options.backend or BACKENDS:
        backend = BACKENDS[name]
        with backend.server(prepared.root) as server:
            backend.fill(server, options.rows)
            server.share(root)
            backend.lay_out(root)
            yield from measure(name, root, server, options)


def main() -> int:
    """Measure; returns the exit status."""
    options = parser("Tables of servers beside those in C.", rounds=7, elsewhere=False)
    options.add_argument("--backend", action="append", choices=BACKENDS, help="this one only")
    options.add_argument("--rows", type=int, default=200_000, help="users that the server has")
    options.add_argument("--stops", type=int, default=3, help="of the server, by a signal")
    return finish("network", figures(options.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
