"""filter-dkimsign beside the C original, in one run on one machine: ``make bench``.

Prints, for 2 KB, 100 KB and 2 MB messages: messages a second, CPU for a message, peak memory, and
the ratio of the rates. Then what a filter of ours must hold whatever the other one does: memory and
the latency of a connect decision while 16 sessions stream 2 MB each, and the time from exec to
``register|ready``. Exit status 1 where a goal is missed.
"""

import argparse
import os
import select
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from driver import CONNECT, STAMP, Child, Run, measure, message, nofile, wire

HERE = Path(__file__).parent
SIZES = ((2_000, 6_000, 32), (100_000, 400, 8), (2_000_000, 30, 4))
"""Bytes, messages, sessions at a time."""
GOALS = {2_000: 1.6, 100_000: 4.0, 2_000_000: 5.0}


def key(folder: Path) -> Path:
    """Make an RSA-2048 key."""
    path = folder / "key.pem"
    subprocess.run(
        ["openssl", "genrsa", "-out", path, "2048"], check=True, stderr=subprocess.DEVNULL
    )
    return path


def flags(path: str) -> list[str]:
    """The command line that both are measured with."""
    return ["-d", "example.com", "-s", "mail", "-k", path]


def throughput(ours: list[str], theirs: list[str], rounds: int) -> bool:
    """Measure both in turns, and take each one's best round."""
    good = True
    print(f"{'size':>9}  {'':5} {'msg/s':>8} {'CPU µs/msg':>11} {'peak KiB':>9}  ratio")
    for size, total, window in SIZES:
        runs: dict[str, list[Run]] = {"C": [], "ours": []}
        for _ in range(rounds):
            runs["C"].append(measure(theirs, size, total, window))
            runs["ours"].append(measure(ours, size, total, window))
        best = {name: max(each, key=lambda run: run.rate) for name, each in runs.items()}
        ratio = best["ours"].rate / best["C"].rate
        good = good and ratio >= GOALS[size]
        for name, run in best.items():
            end = f"{ratio:.2f} (goal {GOALS[size]})" if name == "ours" else ""
            print(f"{size:>9}  {name:5} {run.rate:8.1f} {run.cpu_us:11.0f} {run.peak_kib:9}  {end}")
    return good


def interleaved(command: list[str]) -> bool:
    """Stream 2 MB in 16 sessions at once; ask for connect decisions between their chunks."""
    child = Child(command)
    streams = [wire(message(2_000_000), b"%016x" % n) for n in range(16)]
    places = [0] * len(streams)
    out, inbox = bytearray(), b""
    asked: dict[bytes, float] = {}  # bytes still to be sent, then minus the time they were
    waits: list[float] = []
    ends, serial = 0, 0
    while ends < len(streams):
        if len(out) < 1 << 16:
            for n, stream in enumerate(streams):
                cut = stream.rfind(b"\n", places[n], places[n] + 4096) + 1 or len(stream)
                out += stream[places[n] : cut] if places[n] < len(stream) else b""
                places[n] = max(cut, places[n])
            serial += 1
            session = b"%016x" % (1 << 40 | serial)
            out += b"filter|0.7|%s|smtp-in|connect|%s|%s|x.example|192.0.2.1\n" % (
                STAMP,
                session,
                CONNECT,
            )
            out += b"report|0.7|%s|smtp-in|link-disconnect|%s\n" % (STAMP, session)
            asked[session] = len(out)
        link = child.socket
        readable, writable, _ = select.select([link], [link] if out else [], [], 60)
        if writable:
            sent = link.send(bytes(out[: 1 << 16]))
            del out[:sent]
            now = time.perf_counter()
            for session, left in asked.items():
                if left > 0:  # the clock of a question starts when its last byte is on the way
                    asked[session] = left - sent if left > sent else -now
        if readable:
            inbox += link.recv(1 << 20)
            *lines, inbox = inbox.split(b"\n")
            now = time.perf_counter()
            for line in lines:
                if line.startswith(b"filter-result|"):
                    waits.append(now + asked.pop(line[14:30]))
                ends += line.endswith(b"|.")
    _, peak = child.close()
    waits.sort()
    p99 = waits[int(len(waits) * 0.99)]
    print(
        f"16 x 2 MB interleaved: peak {peak} KiB (goal 61440), {len(waits)} connect"
        f" decisions: p50 {statistics.median(waits) * 1e3:.2f} ms, p99 {p99 * 1e3:.2f} ms (goal 20)"
    )
    return peak < 61440 and p99 < 0.020


def startup(name: str, command: list[str]) -> bool:
    """Time from exec to ``register|ready``."""
    times = []
    for _ in range(15):
        child = Child(command)
        times.append(child.ready_seconds * 1e3)
        child.close()
    median = statistics.median(times)
    print(f"exec to ready, {name}: median {median:.0f} ms, worst {max(times):.0f} ms (goal 150)")
    return median < 150


def main() -> int:
    """Run all of it; return the exit status."""
    good = True
    parser = argparse.ArgumentParser(description="Measure filter-dkimsign beside the C original.")
    parser.add_argument("--root", help="a root with the C filter in it, for chroot(8)")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    nofile()
    with tempfile.TemporaryDirectory() as name:
        path = key(Path(name))
        bin_dir = Path(sys.executable).parent
        ours = [str(bin_dir / "filter-dkimsign"), *flags(str(path))]
        with_connect = [sys.executable, str(HERE / "connect_filter.py"), *flags(str(path))]
        if options.root:
            inside = Path(options.root, "tmp", f"bench-{os.getpid()}.pem")
            inside.write_bytes(path.read_bytes())
            original = "/usr/libexec/opensmtpd/filter-dkimsign"
            theirs = ["chroot", options.root, original, *flags(f"/tmp/{inside.name}")]
            try:
                good = throughput(ours, theirs, options.rounds)
            finally:
                inside.unlink()
        else:
            print("no root with the C filter (make bench builds one): only ours is measured")
        good = interleaved(with_connect) and good
        good = startup("ours", ours) and good
    print("all goals are met" if good else "A GOAL IS MISSED")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
