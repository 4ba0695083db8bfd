"""Each program from exec to ``register|ready``: time, CPU and memory of all its processes.

Workers and sandbox are on, and the tables of servers have theirs. Beside ours stand the program in
C, where there is one, and a Python that starts and ends: no program in Python can be faster.
Twenty filter-dkimsign stand for a large smtpd.conf.
"""

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

from bench import turns
from bench.child import HELLO, TABLE_HELLO, Child, behind, cpu_seconds, pss_kib
from bench.contestants import SMTPD, Contestants, contestants, parser
from bench.records import OURS, Figure, Goal, finish
from bench.subjects.signing import new_key
from lab.peers.databases.filled import BACKENDS
from lab.root import stage

C, PYTHON = "C", "Python alone"
MANY, MANY_MIB = 20, 350
FILE_MS, OTHER_MS = 70, 120
SETTLED = 0.5
"""Seconds after which the workers have been forked, and have confined themselves."""
OF_FILES = ("table-sqlite", "table-flat", "table-passwd")


@dataclass(frozen=True)
class Program:
    """A program and its arguments."""

    name: str
    arguments: tuple[str, ...] = ()
    in_c: bool = False
    """True where Debian has the program in C, which takes the same arguments."""
    work: str = ""
    """The row of the tables, where it is not the name."""

    @property
    def hello(self) -> bytes:
        """The first lines of smtpd."""
        return HELLO if self.name.startswith("filter-") else TABLE_HELLO

    def commands(self, root: Contestants) -> dict[str, list[str]]:
        """Return the commands of those that are compared."""
        found = {OURS: root.ours(self.name, *self.arguments)}
        return found | ({C: root.theirs(self.name, *self.arguments)} if self.in_c else {})


def of_files(root: Contestants) -> Iterator[Program]:
    """Make files, and yield the programs that need no server."""
    folder = root.folder
    with sqlite3.connect(folder / "start.db") as db:
        db.execute("CREATE TABLE aliases (key TEXT PRIMARY KEY, value TEXT NOT NULL)")
    query = "query_alias SELECT value FROM aliases WHERE key = ?\n"
    files = {
        "sqlite": f"dbpath {folder}/start.db\n{query}",
        "flat": "".join(f"user{n} user{n}@example.org\n" for n in range(100)),
        "passwd": "".join(f"user{n}:*:{n}:{n}::/home/user{n}:\n" for n in range(100)),
        "dovecot": "auth /run/dovecot/auth-smtpd\nuserdb /run/dovecot/auth-userdb\n",
    }
    for name, text in files.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o600)
    yield dkimsign(root)
    yield Program("filter-auth")
    yield Program("filter-rdns")
    yield Program("filter-rdns", ("--verify",), work="filter-rdns --verify")
    yield Program("filter-dnsbl", ("bl.example.org",))
    yield Program("filter-metrics", ("--file", f"{folder}/metrics"))
    yield Program("filter-record", (f"{folder}/capture", "--", "filter-rdns"))
    for name in files:
        in_c = name in ("sqlite", "passwd")
        yield Program(f"table-{name}", (f"{folder}/{name}",), in_c=in_c)


def dkimsign(root: Contestants) -> Program:
    """Make a key; return the filter that signs with it."""
    return Program("filter-dkimsign", new_key(root), in_c=True)


def of_servers(root: Contestants, servers: ExitStack, only: str) -> Iterator[Program]:
    """Start each server, and yield its table. They run until ``servers`` is closed."""
    for backend in (each for each in BACKENDS.values() if only in each.program):
        server = servers.enter_context(backend.server(stage.stages()[SMTPD].root))
        backend.fill(server, 10)
        server.share(root.view)
        backend.lay_out(root.view)
        yield Program(backend.program, (backend.argument,), in_c=True)


def processes(child: Child) -> list[int]:
    """Return the ids of all processes of a plugin."""
    return [child.process.pid, *behind(child.process.pid)]


def start(command: list[str], hello: bytes) -> tuple[float, float]:
    """Start and end a plugin; return milliseconds until it is ready, and of CPU until then."""
    child = Child(command, hello)
    busy = sum(map(cpu_seconds, processes(child)))
    child.close()
    return child.ready_seconds * 1e3, busy * 1e3


def alone(command: list[str]) -> tuple[float, float]:
    """Run a program to its end; return milliseconds, and of CPU."""
    begun = time.perf_counter()
    run = subprocess.Popen(command, env={"PATH": os.defpath})
    _, run.returncode, usage = os.wait4(run.pid, 0)
    return (time.perf_counter() - begun) * 1e3, (usage.ru_utime + usage.ru_stime) * 1e3


def memory(command: list[str], hello: bytes, count: int = 1) -> float:
    """Return the MiB that all processes of so many of a plugin have, shared pages in part."""
    children = [Child(command, hello) for _ in range(count)]
    time.sleep(SETTLED)
    found = sum(pss_kib(pid) for child in children for pid in processes(child)) / 1024
    for child in children:
        child.close()
    return found


def measure(root: Contestants, program: Program, rounds: int) -> Iterator[Figure]:
    """Yield the figures of one program."""
    commands, work = program.commands(root), program.work or program.name
    runs = {name: partial(start, each, program.hello) for name, each in commands.items()}
    runs[PYTHON] = partial(alone, root.python("-c", ""))
    found = turns.take(runs, rounds)
    times = {name: [wall for wall, _ in each] for name, each in found.items()}
    busy = {name: [cpu for _, cpu in each] for name, each in found.items()}
    goal = Goal(FILE_MS if program.name in OF_FILES else OTHER_MS)
    yield Figure("exec to ready", "ms", work, "less", times, (goal,))
    yield Figure("CPU of all processes until ready", "ms", work, "less", busy)
    sizes = {name: [memory(each, program.hello)] for name, each in commands.items()}
    yield Figure("memory of all processes", "MiB", work, "less", sizes)


def figures(root: Contestants, rounds: int, only: str) -> Iterator[Figure]:
    """Yield the figures of the programs whose names have ``only`` in them."""
    with ExitStack() as servers:
        found = list(of_files(root))
        root.give()
        for program in (each for each in found if only in each.name):
            yield from measure(root, program, rounds)
        for program in of_servers(root, servers, only):
            yield from measure(root, program, rounds)
    if only in "filter-dkimsign":
        signer = dkimsign(root)
        root.give()
        sizes = {
            name: [memory(command, signer.hello, MANY)]
            for name, command in signer.commands(root).items()
        }
        work = f"{MANY} filter-dkimsign"
        yield Figure("memory of all processes", "MiB", work, "less", sizes, (Goal(MANY_MIB),))


def main() -> int:
    """Measure; returns the exit status."""
    options = parser("From exec to ready: time, CPU and memory of each program.", rounds=15)
    options.add_argument("--program", default="", help="those with this in their names only")
    chosen = options.parse_args()
    with contestants("start", chosen.ours) as root:
        return finish("start", figures(root, chosen.rounds, chosen.program))


if __name__ == "__main__":
    sys.exit(main())
