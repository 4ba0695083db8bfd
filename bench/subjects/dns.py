"""filter-rdns and filter-dnsbl beside smtpd's builtin lines and others' filters.

First the filters alone, spoken to as smtpd does: 2,000 clients who connect at once, while the name
server takes 500 ms for each answer; how long clients for whom there is nothing to ask wait in the
meantime; what a decision costs whose answers are known. Then connections a second through a real
smtpd 7.6, with smtpd's builtin lines, with ours, and with filter-senderscore, which is in Go. The C
filter-dnsbl takes part where ``--original PATH`` says where it is; Debian has none.
"""

import select
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeAlias

from bench import programs, turns
from bench.callers import compare
from bench.child import Child, behind, cpu_seconds, nofile, pss_kib
from bench.contestants import Contestants, contestants, parser
from bench.driver import CONNECT, STAMP
from bench.records import OURS, Figure, Goal, finish
from lab.root import stage
from lab.root.plugin import ORIGINAL
from lab.shows.guide import Guide

C = "C"
COUNT, DELAY = 2_000, 0.5
LAST, ANSWERED = "time until the last answer", "clients with an answer"
BURST_CPU = "CPU a client, all at once"
BURST_SECONDS, BURST_US, CACHED_US = Goal(1.5), Goal(175), Goal(80)
"""The goals: all answered, where one round of questions is needed; a decision from the cache."""
Goals: TypeAlias = Mapping[str, tuple[Goal, ...]]
QUICK = programs.FOLDER / "quick_dns.py"
NOW, LATER = "127.0.0.1", "127.0.0.2"
"""Name servers that answer at once, and after DELAY."""
LISTS = ["bl1.test", "bl2.test", "bl3.test"]


@contextmanager
def name_server(address: str, delay: float) -> Iterator[None]:
    """Run a name server in a process of its own."""
    command = [sys.executable, str(QUICK), address, "53", str(delay)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield
        finally:
            process.terminate()


def connect(child: Child, number: int, address: str) -> bytes:
    """Return what smtpd says when a client connects."""
    session, source = b"%016x" % number, address.encode()
    lines = b""
    if child.report("link-connect"):
        told = b"<unknown>|fail|%s:4000|192.0.2.1:25" % source
        lines = b"report|0.7|%s|smtp-in|link-connect|%s|%s\n" % (STAMP, session, told)
    return lines + b"filter|0.7|%s|smtp-in|connect|%s|%s|<unknown>|%s\n" % (
        STAMP,
        session,
        CONNECT,
        source,
    )


def leave(child: Child, number: int) -> bytes:
    """Return what smtpd says when a client has gone."""
    if not child.report("link-disconnect"):
        return b""
    return b"report|0.7|%s|smtp-in|link-disconnect|%016x\n" % (STAMP, number)


class Burst(NamedTuple):
    """The figures of a burst: all clients at once."""

    seconds: float
    """Until the last of them had its answer."""
    answered: int
    others: list[float]
    """Seconds that others waited in the meantime, sorted."""
    decisions: Counter[str]


def burst(child: Child, network: str, patience: float = 30.0) -> Burst:
    """Have all clients connect at once, and one on this machine every 5 ms."""
    addresses = (f"{network}.{number // 250}.{number % 250}" for number in range(COUNT))
    out = bytearray(b"".join(connect(child, *each) for each in enumerate(addresses)))
    link, inbox, other = child.socket, b"", COUNT
    asked: dict[int, float] = {}
    decisions: Counter[str] = Counter()
    others: list[float] = []
    start = last = time.perf_counter()
    while sum(decisions.values()) < COUNT and time.perf_counter() - start < patience:
        readable, _, _ = select.select([link], [], [], 0 if out else 0.005)
        now = time.perf_counter()
        if not out and (not asked or now - max(asked.values()) > 0.005):
            other += 1
            asked[other] = now
            out += connect(child, other, "127.0.0.1") + leave(child, other)
        if out and select.select([], [link], [], 0)[1]:
            del out[: link.send(memoryview(out)[: 1 << 16])]
        if readable:
            *lines, inbox = (inbox + link.recv(1 << 20)).split(b"\n")
            now = time.perf_counter()
            for line in lines:
                _, session, _, decision = line.decode().split("|", 3)
                number = int(session, 16)
                if number in asked:
                    others.append(now - asked.pop(number))
                else:
                    decisions[decision] += 1
                    last = now
    return Burst(last - start, sum(decisions.values()), sorted(others), decisions)


class Measured(NamedTuple):
    """A burst, and what it took of all processes of a filter: seconds of CPU, KiB."""

    burst: Burst
    cpu: float
    kib: int

    def wait(self, percent: int) -> float:
        """Return how many milliseconds others waited; none of them waited where there were none."""
        return turns.percentile(self.burst.others, percent) * 1e3 if self.burst.others else 0.0


def measured(command: list[str], network: str) -> Measured:
    """Start a filter and have them all come."""
    child = Child(command)
    child.socket.sendall(connect(child, COUNT, "10.3.0.1"))  # one that came before
    select.select([child.socket], [], [], 30)
    child.socket.recv(4096)
    pids = [child.process.pid, *behind(child.process.pid)]
    begun = sum(map(cpu_seconds, pids))
    run = burst(child, network)
    found = Measured(run, sum(map(cpu_seconds, pids)) - begun, sum(map(pss_kib, pids)))
    child.close()
    return found


def burst_figures(
    work: str, runs: dict[str, Callable[[], Measured]], rounds: int, goals: Goals
) -> Iterator[Figure]:
    """Measure bursts in turn; ``goals`` are those of the measures."""
    taken = turns.take(runs, rounds)
    quantities: tuple[tuple[str, str, str, Callable[[Measured], float]], ...] = (
        (LAST, "s", "less", lambda run: run.burst.seconds),
        (ANSWERED, f"of {COUNT:,}", "more", lambda run: run.burst.answered),
        (BURST_CPU, "µs", "less", lambda run: run.cpu * 1e6 / COUNT),
        ("wait of others in the meantime, p50", "ms", "less", lambda run: run.wait(50)),
        ("wait of others in the meantime, p99", "ms", "less", lambda run: run.wait(99)),
        ("memory of all processes (PSS)", "MiB", "less", lambda run: run.kib / 1024),
    )
    for measure, unit, better, of in quantities:
        values = {name: [of(run) for run in found] for name, found in taken.items()}
        yield Figure(measure, unit, work, better, values, goals.get(measure, ()))


def decide(child: Child, number: int) -> float:
    """Have a client come and go whose answers are known; returns the seconds until its answer."""
    start = time.perf_counter()
    child.socket.sendall(connect(child, number, "10.2.3.4"))
    child.socket.recv(4096)
    seconds = time.perf_counter() - start
    if gone := leave(child, number):
        child.socket.sendall(gone)
    return seconds


def cached(work: str, command: list[str], rounds: int) -> Iterator[Figure]:
    """Measure decisions whose answers are known: round trip, and CPU of all processes."""
    child = Child(command)
    child.socket.setblocking(True)
    child.socket.settimeout(30)
    each = 1000
    for number in range(each):  # all that is done once has been done then
        decide(child, number)
    pids = [child.process.pid, *behind(child.process.pid)]
    cpu, times = [], []
    for turn in range(1, rounds + 1):
        begun = sum(map(cpu_seconds, pids))
        times.append([decide(child, turn * each + number) * 1e6 for number in range(each)])
        cpu.append((sum(map(cpu_seconds, pids)) - begun) * 1e6 / each)
    child.close()
    yield Figure("CPU of a decision", "µs", work, "less", {OURS: cpu}, (CACHED_US,))
    for percent in (50, 99):
        values = {OURS: [turns.percentile(some, percent) for some in times]}
        yield Figure(f"round trip of a decision, p{percent}", "µs", work, "less", values)


def alone(root: Contestants, original: list[str] | None, rounds: int) -> Iterator[Figure]:
    """Measure the filters without smtpd."""
    rdns = root.ours("filter-rdns", "--verify", "--fcrdns", "junk")
    dnsbl = root.ours("filter-dnsbl")
    later, now = ["--nameserver", LATER, "--dns-deadline", "20"], ["--nameserver", NOW]
    all_in_time = {LAST: (BURST_SECONDS,), ANSWERED: (Goal(COUNT),)}
    for network, questions, goals in (
        ("10.1", "one round", {**all_in_time, BURST_CPU: (BURST_US,)}),
        ("10.2", "two rounds", {}),
    ):
        runs: dict[str, Callable[[], Measured]]
        runs = {OURS: partial(measured, [*rdns, *later], network)}
        work = f"filter-rdns --verify, {questions} of questions"
        yield from burst_figures(work, runs, rounds, goals)
    runs = {OURS: partial(measured, [*dnsbl, *later, *LISTS], "10.1")}
    if original:
        runs = {C: partial(measured, [*original, *LISTS], "10.1"), **runs}
    yield from burst_figures("filter-dnsbl, three lists", runs, rounds, all_in_time)
    yield from cached("filter-rdns, smtpd's verdict", root.ours("filter-rdns"), rounds)
    yield from cached("filter-rdns --verify", [*rdns, *now], rounds)
    yield from cached("filter-dnsbl, three lists", [*dnsbl, *now, *LISTS], rounds)


def contenders(original: str | None) -> dict[str, list[str]]:
    """Return the filters of each listener, as they stand behind ``filter NAME``."""
    lists = " ".join(LISTS)
    chains: dict[str, list[str]] = {
        "no filter": [],
        "builtin lines": ["phase connect match !rdns junk", "phase connect match !fcrdns junk"],
        "ours, smtpd's verdict": ['proc-exec "filter-rdns"', 'proc-exec "filter-fcrdns"'],
        "ours in one, smtpd's verdict": ['proc-exec "filter-rdns --fcrdns junk"'],
        "ours in one, --verify, cached": ['proc-exec "filter-rdns --fcrdns junk --verify"'],
        "filter-senderscore": [f'proc-exec "filter-senderscore{ORIGINAL} -junkBelow 50"'],
        "ours, three lists, cached": [f'proc-exec "filter-dnsbl {lists}"'],
    }
    if original:
        chains["filter-dnsbl in C, three lists"] = [f'proc-exec "{original} {lists}"']
    return chains


def take_in(guide: Guide, original: str) -> str:
    """Copy the folder of the C filter into the view, to where it is outside."""
    folder = Path(original).resolve().parent
    shutil.copytree(folder, guide.view / str(folder)[1:], symlinks=True)
    return str(Path(original).resolve())


def figures(original: str, elsewhere: Path | None, rounds: int) -> Iterator[Figure]:
    """Measure the filters alone, then connections through smtpd."""
    with ExitStack() as stack:
        stack.enter_context(name_server(NOW, 0))
        stack.enter_context(name_server(LATER, DELAY))
        root = stack.enter_context(contestants("dns", elsewhere))
        guide = stage.stages()["7.6"].guide("bench-dns-smtpd")
        path = take_in(guide, original) if original else None
        resolv = guide.view / "etc/resolv.conf"
        resolv.write_text(f"nameserver {LATER}\n")
        yield from alone(root, ["chroot", str(guide.view), path] if path else None, rounds)
        resolv.write_text(f"nameserver {NOW}\n")
        yield from compare(guide, contenders(path), rounds)


def main() -> int:
    """Measure; returns the exit status."""
    options = parser("The filters that ask the DNS.", rounds=3)
    options.add_argument("--original", metavar="PATH", default="", help="the C filter-dnsbl")
    chosen = options.parse_args()
    nofile()
    notes = [] if chosen.original else ["The C filter-dnsbl was not at hand; Debian has none."]
    return finish("dns", figures(chosen.original, chosen.ours, chosen.rounds), notes)


if __name__ == "__main__":
    sys.exit(main())
