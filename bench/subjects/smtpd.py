"""Messages through a real smtpd 7.6: with no filter, with one that echoes, with ours, with C."""

import shutil
import sys
from collections.abc import Iterator
from functools import partial

from bench import programs, senders, turns
from bench.contestants import parser
from bench.driver import message
from bench.records import OURS, Figure, Goal, finish, size
from lab.root import stage
from lab.root.namespace import SERVER4
from lab.root.plugin import LIBEXEC, ORIGINAL
from lab.root.server import Server
from lab.shows import moves
from lab.shows.guide import Guide

C, NONE, ECHO = "C", "none", "echo"
FLAGS = "-d example.com -s mail -k /etc/mail/dkim/private.key"
FILTERS = {
    NONE: "",
    ECHO: "filter-echo",
    C: f"filter-dkimsign{ORIGINAL} {FLAGS}",
    OURS: f"filter-dkimsign {FLAGS}",
}
FIRST_PORT = 2700
CLIENTS = 8
WORKS = (
    (2_000, 100, (Goal(1.2, C), Goal(0.8, ECHO))),
    (200_000, 10, (Goal(2, C), Goal(0.93, ECHO))),
)
"""Bytes, messages of each client in a round, goals."""
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
            user = "user _dkimsign group _dkimsign"
            filters.append(f'filter {name} proc-exec "{command}" {user}')
    text = CONF.format(filters="\n".join(filters), listeners="\n".join(listeners), address=SERVER4)
    (guide.view / moves.CONF[1:]).write_text(text)
    moves.check(guide)


def figures(guide: Guide, rounds: int) -> Iterator[Figure]:
    """Send messages of both sizes by all listeners in turn."""
    configure(guide)
    with Server(guide.view) as server:
        moves.smtpctl(guide, "pause", "mda")
        for bytes, count, goals in WORKS:
            text = message(bytes)
            runs = {
                name: partial(senders.rate, port, text, CLIENTS, count)
                for port, name in enumerate(FILTERS, FIRST_PORT)
            }
            for run in runs.values():  # what is done once has been done then
                run()
            rates = turns.take(runs, rounds)
            server.check()
            yield Figure(
                "messages a second", "messages/s", f"{size(bytes)}, {CLIENTS} clients", "more",
                rates, goals, {"bytes": bytes},
            )  # fmt: skip


def main() -> int:
    """Measure; returns the exit status."""
    chosen = parser("Messages through a real smtpd.", rounds=5, elsewhere=False).parse_args()
    guide = stage.stages()["7.6"].guide("bench-smtpd")
    return finish("smtpd", figures(guide, chosen.rounds))


if __name__ == "__main__":
    sys.exit(main())
