"""filter-limit with its state in SQLite and on Valkey, behind one smtpd 7.6.

Messages to a domain are paced by one a second, and the rate at which they are accepted is measured;
then all that come at once through a filter with five rules, none of which is exceeded. "echo"
gives back each line as it came; filter-limit is given no lines, as none of the rules is for bytes.
CPU is that of all processes of a filter.
"""

import shutil
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from pathlib import Path

from bench import programs, senders, turns
from bench.contestants import parser
from bench.driver import message
from bench.records import OURS, Figure, Goal, finish
from bench.subjects.rspamd import alone, run, warm
from lab.peers.databases.valkey import ValkeyServer
from lab.root import inside, stage
from lab.root.namespace import SERVER4
from lab.root.plugin import LIBEXEC
from lab.root.server import Server
from lab.shows import moves
from lab.shows.guide import Guide

NONE, ECHO, VALKEY = "none", "echo", "ours on Valkey"
FOLDER = "/var/lib/limits"
FIVE, PACED = "/etc/mail/five-limits", "/etc/mail/pace"
RULES = {
    FIVE: "address messages 1M/1s\nnetwork recipients 1M/1s\nsender messages 1M/1s reject\n"
    "sender-domain messages 1M/1s\nrecipient-domain messages 1M/1s pace\n",
    PACED: "recipient-domain messages 1/1s pace\n",
}
STATES = {OURS: f"{FOLDER}/{{}}.db", VALKEY: "redis://127.0.0.1:6379?prefix={}:"}
FILTERS = {
    NONE: "",
    ECHO: "filter-echo",
    **{name: f"filter-limit --state {where.format('five')} {FIVE}"
       for name, where in STATES.items()},
}  # fmt: skip
LINES = {
    f"filter-limit --state {where.format('pace')} {PACED}": name for name, where in STATES.items()
}
"""Filters that pace, and the names of their states."""
FIRST_PORT = 2900
CLIENTS, COUNT = 8, 100
SESSIONS, MESSAGES = 3, 30
"""Sessions that send to the domain at the same time, and all their messages."""
GOAL = 20.0
"""Percent by which the rate of a paced domain may differ from its rule."""
CONF = """\
table users {{ alice@example.com = alice }}
{filters}
listen on {address} port 25
{listeners}
action "kept" maildir virtual <users>
match from any for domain "example.com" action "kept"
"""


def configure(guide: Guide) -> dict[str, int]:
    """Give smtpd a listener for each filter; return the ports by their commands."""
    shutil.copy(programs.FOLDER / "echo_filter.py", guide.view / LIBEXEC / "filter-echo")
    guide.view.joinpath(LIBEXEC, "filter-echo").chmod(0o755)
    for path, rules in RULES.items():
        (guide.view / path[1:]).write_text(rules)
    inside.done(guide.view, "install", "-d", "-o", moves.USER, FOLDER)
    ports = {command: port for port, command in enumerate([*FILTERS.values(), *LINES], FIRST_PORT)}
    filters, listeners = [], []
    for command, port in ports.items():
        with_filter = f" filter f{port}" if command else ""
        listeners.append(f"listen on {SERVER4} port {port}{with_filter}")
        if command:
            filters.append(f'filter f{port} proc-exec "{command}"')
    text = CONF.format(filters="\n".join(filters), listeners="\n".join(listeners), address=SERVER4)
    (guide.view / moves.CONF[1:]).write_text(text)
    moves.check(guide)
    return ports


def line(port: int) -> list[float]:
    """Send to a domain that is paced; return when each message was accepted."""
    times: list[float] = []
    text = senders.data(message(2_000))

    def timed() -> Iterator[bytes]:
        for said in senders.talk(text, MESSAGES // SESSIONS, []):
            yield said
            if said == text:  # this is the reply to it
                times.append(time.perf_counter())

    senders.run(port, [timed() for _ in range(SESSIONS)])
    return sorted(times)


def pace(ports: dict[str, int], rounds: int) -> Iterator[Figure]:
    """Send to domains that are paced, by SQLite and by Valkey at the same time."""
    with ThreadPoolExecutor(len(LINES)) as pool:
        found = [list(pool.map(line, [ports[each] for each in LINES])) for _ in range(rounds)]
    for number, name in enumerate(LINES.values()):
        taken = [each[number] for each in found]
        rates = [(MESSAGES - 1) / (times[-1] - times[0]) for times in taken]
        least = [min(after - before for before, after in pairwise(times)) for times in taken]
        work = f"{MESSAGES} messages of {SESSIONS} sessions, {_place(name)}"
        off = [abs(rate - 1) * 100 for rate in rates]
        yield Figure("rate of a domain paced by 1/1s", "messages/s", work, "more", {OURS: rates})
        yield Figure("difference to 1 a second", "%", work, "less", {OURS: off}, (Goal(GOAL),))
        yield Figure("least time between two", "s", work, "more", {OURS: least})


def _place(name: str) -> str:
    return "SQLite" if name == OURS else "Valkey"


def through(ports: dict[str, int], view: Path, rounds: int) -> Iterator[Figure]:
    """Send as much as comes through, then one message after the other."""
    text = message(2_000)
    runs = {
        name: partial(run, ports[command], view, command, text, COUNT)
        for name, command in FILTERS.items()
    }
    warm(runs)
    taken = turns.take(runs, rounds)
    work = f"2 KB, {CLIENTS} clients, five rules"
    rates = {name: [each.rate for each in found] for name, found in taken.items()}
    yield Figure("messages a second", "messages/s", work, "more", rates)
    cpu = {name: [each.cpu_us for each in taken[name]] for name in FILTERS if name != NONE}
    yield Figure("CPU a message", "µs", work, "less", cpu)
    single = {name: partial(alone, ports[command], text) for name, command in FILTERS.items()}
    warm(single)
    times = turns.take(single, rounds)
    added = {
        name: [mine - bare for mine, bare in zip(times[name], times[NONE], strict=True)]
        for name in FILTERS
        if name != NONE
    }
    yield Figure("time added to a message, p50", "ms", "2 KB, 1 client, five rules", "less", added)


def figures(guide: Guide, root: Path, rounds: int) -> Iterator[Figure]:
    """Measure behind one smtpd."""
    ports = configure(guide)
    with ValkeyServer(root), Server(guide.view) as server:
        moves.smtpctl(guide, "pause", "mda")
        yield from pace(ports, min(rounds, 2))
        yield from through(ports, guide.view, rounds)
        server.check()


def main() -> int:
    """Measure; returns the exit status."""
    chosen = parser("filter-limit behind a real smtpd.", rounds=5, elsewhere=False).parse_args()
    prepared = stage.stages()["7.6"]
    return finish("limit", figures(prepared.guide("bench-limit"), prepared.root, chosen.rounds))


if __name__ == "__main__":
    sys.exit(main())
