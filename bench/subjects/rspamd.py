"""filter-rspamd beside Debian's in Go, behind one smtpd 7.6, with one rspamd.

rspamd lets each message pass, and has fields written into it. It has one process, no statistics, no
maps and next to no rules, so that the filters are measured, and not rspamd: a message costs it a
millisecond, and one of 200 KB of text sixteen. "echo" gives back each line as it came, and asks no
rspamd: no filter can be much faster. CPU and memory are those of all processes of a filter.
"""

import base64
import random
import shutil
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from bench import programs, senders, turns
from bench.child import behind, cpu_seconds, nofile
from bench.contestants import Contestants, contestants, parser
from bench.driver import as_smtpd, measure, message
from bench.records import OURS, Figure, Goal, finish, size
from lab.peers.rspamd.server import RspamdServer
from lab.root import stage
from lab.root.namespace import SERVER4
from lab.root.plugin import LIBEXEC, ORIGINAL
from lab.root.server import Server
from lab.shows import moves
from lab.shows.guide import Guide

GO, NONE, ECHO = "Go", "none", "echo"
PROGRAM = "filter-rspamd"  # at its default URL, a name
FLAGS = ("-settings-id", "headers")
FILTERS = {
    GO: f"{PROGRAM}{ORIGINAL} {' '.join(FLAGS)}",
    NONE: "",
    ECHO: "filter-echo",
    OURS: f"{PROGRAM} {' '.join(FLAGS)}",
}
FIRST_PORT = 2900
CLIENTS = 8
ALONE, ALONE_SIZE = 90, 2_000
"""Messages of a client who is alone, one after the other, and their bytes."""
MANY, MANY_SIZE = 64, 200_000
"""Sessions whose messages are in memory at the same time, and the bytes of each."""
CONF = """\
table users {{ alice@example.com = alice }}
{filters}
listen on {address} port 25
{listeners}
action "kept" maildir virtual <users>
match from any for domain "example.com" action "kept"
"""


def configure(guide: Guide) -> None:
    """Give smtpd a listener for each contestant."""
    shutil.copy(programs.FOLDER / "echo_filter.py", guide.view / LIBEXEC / "filter-echo")
    guide.view.joinpath(LIBEXEC, "filter-echo").chmod(0o755)
    filters, listeners = [], []
    for port, (name, command) in enumerate(FILTERS.items(), FIRST_PORT):
        with_filter = f" filter {name}" if command else ""
        listeners.append(f"listen on {SERVER4} port {port}{with_filter}")
        if command:
            filters.append(f'filter {name} proc-exec "{command}"')
    text = CONF.format(filters="\n".join(filters), listeners="\n".join(listeners), address=SERVER4)
    (guide.view / moves.CONF[1:]).write_text(text)
    moves.check(guide)


def with_attachment(octets: int) -> bytes:
    """Return a message of about so many bytes: 2 KB of text, the rest is a file in base64."""
    head, _, text = message(2_000).partition(b"\n\n")
    fields = [line for line in head.splitlines() if not line.startswith((b"MIME-", b"Content-"))]
    data = random.Random("attachment").randbytes((octets - 2_300) * 57 // 77)
    parts = [
        b"\n".join(fields),
        b'MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="=b"\n',
        b"--=b\nContent-Type: text/plain; charset=utf-8\n",
        text.rstrip(b"\n"),
        b"--=b\nContent-Type: application/octet-stream\nContent-Transfer-Encoding: base64\n"
        b'Content-Disposition: attachment; filename="minutes.bin"\n',
        base64.encodebytes(data) + b"--=b--\n",
    ]
    return b"\n".join(parts)


WORKS = (
    (message(2_000), "2 KB", 100, Goal(1, GO)),
    (with_attachment(200_000), "200 KB, an attachment", 10, Goal(3, GO)),
    (message(200_000), "200 KB, text", 10, None),
)
"""Messages, what they are, how many each client sends in a round, the goal of messages a second."""


def processes(view: Path, command: str) -> list[int]:
    """Return the processes of a filter of smtpd, none for no command."""
    place = f"/{LIBEXEC}/{command.partition(' ')[0]}".encode()
    found: set[int] = set()
    for entry in Path("/proc").iterdir():
        if command and entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
                here = (entry / "root").readlink() == view
            except OSError:  # it has ended
                continue
            if here and place in words[:2]:
                found |= {int(entry.name), *behind(int(entry.name))}
    return sorted(found)


class Run(NamedTuple):
    """The rate of a run, and what the filter's processes had of the processors."""

    rate: float
    """Messages a second."""
    cpu_us: float
    """Of a message."""


def run(port: int, view: Path, command: str, text: bytes, count: int) -> Run:
    """Send messages by all clients to a port, behind which is the filter of a command."""
    pids = processes(view, command)
    begun = sum(map(cpu_seconds, pids))
    rate = senders.rate(port, text, CLIENTS, count)
    seconds = sum(map(cpu_seconds, pids)) - begun
    return Run(rate, seconds * 1e6 / (CLIENTS * count))


def alone(port: int, text: bytes) -> float:
    """Return the median of the milliseconds that a message takes, from MAIL FROM to the end."""
    times: list[float] = []

    def timed() -> Iterator[bytes]:
        for said in senders.talk(senders.data(text), ALONE, []):
            if said.startswith(b"MAIL"):
                times.append(time.perf_counter())
            yield said
        times.append(time.perf_counter())

    senders.run(port, [timed()])
    return statistics.median(end - begun for begun, end in pairwise(times)) * 1e3


def through_smtpd(guide: Guide, rounds: int) -> Iterator[Figure]:
    """Send messages of both sizes by all listeners in turn, then those of one client."""
    configure(guide)
    with Server(guide.view) as server:
        moves.smtpctl(guide, "pause", "mda")
        ports = {name: port for port, name in enumerate(FILTERS, FIRST_PORT)}
        for text, title, count, goal in WORKS:
            runs = {
                name: partial(run, ports[name], guide.view, command, text, count)
                for name, command in FILTERS.items()
            }
            yield from compare(f"{title}, {CLIENTS} clients", runs, rounds, goal)
        single = {name: partial(alone, ports[name], message(ALONE_SIZE)) for name in FILTERS}
        warm(single)
        taken = turns.take(single, rounds)
        server.check()
        added = {
            name: [mine - bare for mine, bare in zip(taken[name], taken[NONE], strict=True)]
            for name in (GO, ECHO, OURS)
        }
        yield Figure(
            "time added to a message, p50", "ms", f"{size(ALONE_SIZE)}, 1 client", "less", added
        )


def warm(runs: Mapping[str, Callable[[], object]]) -> None:
    """Have all done once that is done once only."""
    for each in runs.values():
        each()


def compare(
    work: str, runs: Mapping[str, Callable[[], Run]], rounds: int, goal: Goal | None
) -> Iterator[Figure]:
    """Measure one size in turns; the CPU is that of filters."""
    warm(runs)
    taken = turns.take(runs, rounds)
    rates = {name: [each.rate for each in found] for name, found in taken.items()}
    yield Figure("messages a second", "messages/s", work, "more", rates, (goal,) if goal else ())
    cpu = {name: [each.cpu_us for each in taken[name]] for name in (GO, ECHO, OURS)}
    yield Figure("CPU a message", "µs", work, "less", cpu)


def memory(root: Contestants, rounds: int) -> Figure:
    """Measure what all processes of a filter have while many sessions send at the same time."""
    commands = {GO: root.theirs(PROGRAM, *FLAGS), OURS: root.ours(PROGRAM, *FLAGS)}
    runs = {
        name: partial(measure, command, MANY_SIZE, MANY, MANY, as_smtpd(MANY_SIZE))
        for name, command in commands.items()
    }
    taken = turns.take(runs, rounds)
    values = {name: [each.peak_kib / 1024 for each in found] for name, found in taken.items()}
    work = f"{size(MANY_SIZE)}, {MANY} sessions"
    return Figure("memory of all processes", "MiB", work, "less", values)


def figures(rounds: int) -> Iterator[Figure]:
    """Measure with one rspamd."""
    prepared = stage.stages()["7.6"]
    with ExitStack() as stack:
        stack.enter_context(RspamdServer(prepared.root))
        yield from through_smtpd(prepared.guide("bench-rspamd-smtpd"), rounds)
        yield memory(stack.enter_context(contestants("rspamd")), min(rounds, 3))


def main() -> int:
    """Measure; returns the exit status."""
    chosen = parser("filter-rspamd beside the one in Go.", rounds=5, elsewhere=False).parse_args()
    nofile()
    return finish("rspamd", figures(chosen.rounds))


if __name__ == "__main__":
    sys.exit(main())
