"""filter-rdns and filter-dnsbl beside smtpd's builtin lines and others' filters: ``make bench``.

First the filters alone, spoken to as smtpd does: 2,000 clients who connect at once, while the name
server takes 500 ms for each answer; how long clients for whom there is nothing to ask wait in the
meantime; what a decision costs whose answers are known. Then connections a second through a real
smtpd 7.6, with smtpd's builtin lines, with ours, and with filter-senderscore. The C filter-dnsbl
takes part where ``--original PATH`` says where it is; Debian has none. Exit status 1 where a goal
is missed; what there is no goal for is reported only.

It runs in the private network, by ``make bench`` or so::

    PYTHONPATH=tests .venv/bin/python -m lab bench --only dns --original /path/to/filter-dnsbl
"""

import argparse
import math
import os
import select
import shutil
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from callers import compare
from driver import CONNECT, STAMP, Child, nofile
from lab.root import stage
from lab.shows.guide import Guide

COUNT, DELAY = 2_000, 0.5
BURST_SECONDS, CACHED_US = 1.5, 200.0
"""The goals: all answered, where one round of questions is needed; a decision from the cache."""
BIN = Path(sys.executable).parent
QUICK = Path(__file__).with_name("quick_dns.py")
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


def tree(pid: int) -> list[int]:
    """Return the process and all below it: a filter's resolver is a process of its own."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += tree(int(child))
    return found


def used(pids: list[int]) -> float:
    """Return the seconds of processor time that processes have used, with all their threads."""
    tasks = [task for pid in pids for task in Path(f"/proc/{pid}/task").iterdir()]
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def held(pids: list[int]) -> int:
    """Return the KiB of memory of processes, what they share counted once (PSS)."""
    texts = [Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in pids]
    return sum(int(text.partition("\nPss:")[2].split()[0]) for text in texts)


def measured(command: list[str], network: str) -> tuple[Burst, float, int]:
    """Start a filter and have them all come; returns CPU seconds and KiB of all processes, too."""
    child = Child(command)
    child.socket.sendall(connect(child, COUNT, "10.3.0.1"))  # one that came before
    select.select([child.socket], [], [], 30)
    child.socket.recv(4096)
    pids = tree(child.process.pid)
    begun = used(pids)
    run = burst(child, network)
    cost = used(pids) - begun, held(pids)
    child.close()
    return run, *cost


def report_burst(name: str, command: list[str], network: str, goal: float | None = None) -> bool:
    """Measure a burst, print the best of three."""
    runs = [measured(command, network) for _ in range(3)]
    run, cpu, peak = min(runs, key=lambda each: (-each[0].answered, each[0].seconds))
    wait = "-"
    if run.others:
        p99 = run.others[int(len(run.others) * 0.99)]
        wait = f"{statistics.median(run.others) * 1e3:.1f} / {p99 * 1e3:.1f} ms"
    aim = f" (goal {goal})" if goal else ""
    print(
        f"{name:42} {run.answered:5} in {run.seconds:5.2f} s{aim:11} {wait:16}"
        f" {cpu * 1e6 / COUNT:6.0f} µs {peak:7} KiB  {dict(run.decisions.most_common(2))}",
        flush=True,
    )
    return goal is None or (run.answered == COUNT and run.seconds < goal)


def decide(child: Child, number: int) -> float:
    """Have a client come and go whose answers are known; returns the seconds until its answer."""
    start = time.perf_counter()
    child.socket.sendall(connect(child, number, "10.2.3.4"))
    child.socket.recv(4096)
    seconds = time.perf_counter() - start
    if gone := leave(child, number):
        child.socket.sendall(gone)
    return seconds


def cached(name: str, command: list[str]) -> bool:
    """Measure decisions whose answers are known: round trip, and processor time of the filter.

    The best of several rounds, as what else this machine does makes each longer.
    """
    child = Child(command)
    child.socket.setblocking(True)
    child.socket.settimeout(30)
    path, each = Path(f"/proc/{child.process.pid}/schedstat"), 1000
    for number in range(each):  # all that is done once has been done then
        decide(child, number)
    best, times = math.inf, []
    for turn in range(1, 8):
        begun = int(path.read_text().split()[0])
        times.append([decide(child, turn * each + number) * 1e6 for number in range(each)])
        best = min(best, (int(path.read_text().split()[0]) - begun) / 1e3 / each)
    child.close()
    p50, p99 = min((cuts[49], cuts[98]) for cuts in (statistics.quantiles(t, n=100) for t in times))
    print(
        f"{name:42} {best:5.0f} µs of CPU (goal {CACHED_US:.0f});"
        f" round trip p50 {p50:.0f} µs, p99 {p99:.0f} µs"
    )
    return best < CACHED_US


def alone(original: list[str] | None) -> bool:
    """Measure the filters without smtpd."""
    rdns = [str(BIN / "filter-rdns"), "--verify", "--fcrdns", "junk"]
    dnsbl = [str(BIN / "filter-dnsbl")]
    later, now = ["--nameserver", LATER, "--dns-deadline", "20"], ["--nameserver", NOW]
    print(f"{COUNT} clients at once, {DELAY} s for each answer;"
          " wait of others (p50 / p99), CPU for a client and memory of all processes")  # fmt: skip
    good = report_burst("filter-rdns --verify, one round", [*rdns, *later], "10.1", BURST_SECONDS)
    report_burst("filter-rdns --verify, two rounds", [*rdns, *later], "10.2")
    good &= report_burst(
        "filter-dnsbl, three lists", [*dnsbl, *later, *LISTS], "10.1", BURST_SECONDS
    )
    if original:
        report_burst("filter-dnsbl in C, three lists", [*original, *LISTS], "10.1")
    print("a decision whose answers are known")
    good &= cached("filter-rdns, smtpd's verdict", rdns[:1])
    good &= cached("filter-rdns --verify", [*rdns, *now])
    good &= cached("filter-dnsbl, three lists", [*dnsbl, *now, *LISTS])
    return good


def contenders(original: str | None) -> dict[str, list[str]]:
    """Return the filters of each listener, as they stand behind ``filter NAME``."""
    lists = " ".join(LISTS)
    chains: dict[str, list[str]] = {
        "no filter": [],
        "builtin lines": ["phase connect match !rdns junk", "phase connect match !fcrdns junk"],
        "ours, smtpd's verdict": ['proc-exec "filter-rdns"', 'proc-exec "filter-fcrdns"'],
        "ours in one, smtpd's verdict": ['proc-exec "filter-rdns --fcrdns junk"'],
        "ours in one, --verify, cached": ['proc-exec "filter-rdns --fcrdns junk --verify"'],
        "filter-senderscore": ['proc-exec "filter-senderscore -junkBelow 50"'],
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


def main() -> int:
    """Run all of it; return the exit status."""
    parser = argparse.ArgumentParser(description="Measure the filters that ask the DNS.")
    parser.add_argument("--root", help="not used: this one makes a root of its own")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--original", metavar="PATH", help="the C filter-dnsbl")
    options = parser.parse_args()
    nofile()
    guide = stage.stages()["7.6"].guide("bench-dns")
    with ExitStack() as stack:
        stack.enter_context(name_server(NOW, 0))
        stack.enter_context(name_server(LATER, DELAY))
        original = take_in(guide, options.original) if options.original else None
        resolv = guide.view / "etc/resolv.conf"
        resolv.write_text(f"nameserver {LATER}\n")
        good = alone(["chroot", str(guide.view), original] if original else None)
        resolv.write_text(f"nameserver {NOW}\n")
        compare(guide, contenders(original), "builtin lines", options.rounds)
    print("all goals are met" if good else "A GOAL IS MISSED")
    return 0 if good else 1


if __name__ == "__main__":
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.exit(main())
