"""Recipients through a real smtpd 7.6, with its tables in files and in SQLite: RCPT TO a second.

smtpd asks for the domain of each recipient, and then for the address: all tables have the same
rows, and each listener leads to tables of one kind. SQLite's database is in rollback mode, and
rests.
"""

import random
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from functools import partial

from bench import senders, turns
from bench.contestants import parser
from bench.records import OURS, Figure, Goal, finish
from lab.root import stage
from lab.root.namespace import SERVER4
from lab.root.plugin import ORIGINAL
from lab.root.server import Server
from lab.shows import moves
from lab.shows.guide import Guide

C, FILE, FLAT = "C", "smtpd's file", "table-flat"
BACKENDS = {
    C: f"sqlite{ORIGINAL}:/etc/mail/bench.conf",
    OURS: "sqlite:/etc/mail/bench.conf",
    FILE: "file:/etc/mail/bench.NAME",
    FLAT: "flat:/etc/mail/bench.NAME",
}
FIRST_PORT, CLIENTS = 2800, 8
USERS = 20_000
RECIPIENTS, MAILS = 25, 2
"""Of a mail, and of a client in a round: smtpd takes 100 mails in a session."""
REST = 3
"""Seconds after which a database rests."""
CONF = """\
listen on {address} port 25
{listeners}
{tables}
"""


def configure(guide: Guide) -> None:
    """Give smtpd a listener, two tables and a rule for each contestant."""
    mail = guide.view / "etc/mail"
    rows = [(f"user{number}@example.com", "alice") for number in range(USERS)]
    (mail / "bench.domains").write_text("example.com\n")
    (mail / "bench.users").write_text("".join(f"{key}: {value}\n" for key, value in rows))
    with closing(sqlite3.connect(mail / "bench.db")) as db, db:
        db.execute("CREATE TABLE users (key TEXT PRIMARY KEY, value TEXT)")
        db.execute("CREATE TABLE domains (key TEXT PRIMARY KEY)")
        db.execute("INSERT INTO domains VALUES ('example.com')")
        db.executemany("INSERT INTO users VALUES (?, ?)", rows)
    (mail / "bench.conf").write_text(
        "dbpath /etc/mail/bench.db\n"
        "query_domain SELECT key FROM domains WHERE key = ?\n"
        "query_alias SELECT value FROM users WHERE key = ?\n"
    )
    names = ("domains", "users", "db", "conf")
    moves.readable(guide, *(f"/etc/mail/bench.{name}" for name in names))
    listeners, tables = [], []
    for number, backend in enumerate(BACKENDS.values()):
        listeners.append(f"listen on {SERVER4} port {FIRST_PORT + number} tag t{number}")
        for name in ("domains", "users"):
            tables.append(f'table {name}{number} "{backend.replace("NAME", name)}"')
        tables.append(f'action "a{number}" maildir virtual <users{number}>')
        tables.append(
            f'match tag t{number} from any for domain <domains{number}> action "a{number}"'
        )
    text = CONF.format(listeners="\n".join(listeners), tables="\n".join(tables), address=SERVER4)
    (guide.view / moves.CONF[1:]).write_text(text)
    moves.check(guide)


def talk(dice: random.Random, greeted: list[float]) -> Iterator[bytes]:
    """Yield what a client says: recipients, and no mail for them.

    ``greeted`` gets the time at which it begins with them.
    """
    yield b"EHLO client.example.net\r\n"
    greeted.append(time.perf_counter())
    for _ in range(MAILS):
        yield b"MAIL FROM:<bob@example.org>\r\n"
        for _ in range(RECIPIENTS):
            yield b"RCPT TO:<user%d@example.com>\r\n" % dice.randrange(USERS)
        yield b"RSET\r\n"


def rate(port: int, dice: random.Random) -> float:
    """Return recipients a second, from when the first client names one."""
    greeted: list[float] = []
    senders.run(port, [talk(dice, greeted) for _ in range(CLIENTS)])
    return CLIENTS * MAILS * RECIPIENTS / (time.perf_counter() - greeted[0])


def figures(guide: Guide, rounds: int) -> Iterator[Figure]:
    """Name recipients to all listeners in turn."""
    configure(guide)
    dice = random.Random("rcpt")
    with Server(guide.view) as server:
        time.sleep(REST)
        runs = {name: partial(rate, port, dice) for port, name in enumerate(BACKENDS, FIRST_PORT)}
        for run in runs.values():  # what is done once has been done then
            run()
        rates = turns.take(runs, rounds)
        server.check()
    yield Figure(
        "recipients a second", "recipients/s", f"{CLIENTS} clients", "more", rates, (Goal(1, C),)
    )


def main() -> int:
    """Measure; returns the exit status."""
    chosen = parser("Recipients through a real smtpd.", rounds=7, elsewhere=False).parse_args()
    guide = stage.stages()["7.6"].guide("bench-rcpt")
    return finish("rcpt", figures(guide, chosen.rounds))


if __name__ == "__main__":
    sys.exit(main())
