"""Have faults befall a server one after another, under load, and count what became of the mail."""

import time
from collections.abc import Sequence
from contextlib import closing
from math import inf

from lab.chaos.faults import Fault, Strikes
from lab.chaos.judge import Judge
from lab.chaos.kept import Kept
from lab.chaos.ledger import Row
from lab.chaos.load import Clients
from lab.chaos.stand import KEPT, Stand, stand
from lab.root import stage
from lab.shows.moves import smtpctl

REST = 0.5
"""Seconds between two faults, which belong to the one before."""
NEVER = 20.0
"""Seconds after which a server that accepts nothing is not whole again."""
DRAIN = 120.0
"""Seconds that the server has, behind the last fault, to deliver what it accepted."""


def campaign(
    prepared: stage.Stage,
    faults: Sequence[Fault],
    seconds: float,
    *,
    clients: int = 4,
    seed: int = 0,
    pace: float = 1.0,
    patience: float = DRAIN,
) -> list[Row]:
    """Run each fault for ``seconds``; returns the table, a row for each.

    All pauses are multiplied by ``pace``. What is not delivered ``patience`` seconds behind the
    last fault is lost. A server that stops is counted, and started anew.
    """
    with stand(prepared, seed) as server:
        maildir = server.guide.home("alice") / "Maildir"
        with (
            Judge(maildir, server.keys, server.ledger),
            Kept(server.view / KEPT, server.ledger),
        ):
            with Clients(server, clients) as load:
                for fault in faults:
                    befall(server, load, fault, seconds, pace)
            drain(server, patience)
        for flaw in server.ledger.flaws:
            print(f"chaos: a signature does not hold: {flaw}", flush=True)
        rows = server.ledger.rows()
        if not all(row.well for row in rows):
            print(f"chaos: the end of smtpd's log:\n{server.server.tail(40)}", flush=True)
        return rows


def befall(server: Stand, load: Clients, fault: Fault, seconds: float, pace: float) -> None:
    """Have one fault strike for a while."""
    row = server.ledger.begin(fault.name)
    load.counts_connecting = not fault.stops_names
    load.silence = 0.0
    with closing(fault.strikes(server)) as strikes:
        strike(server, row, strikes, fault.pause * pace, time.monotonic() + seconds)
    row.whole = until_whole(server)
    time.sleep(REST * pace)
    row.silence = load.silence
    revive(server, row)
    waiting = server.ledger.outstanding
    print(f"chaos: {row.fault}: {row.times} times, {waiting} messages wait", flush=True)


def until_whole(server: Stand) -> float:
    """Wait until a message that is begun now is accepted; return the seconds that it took."""
    count, start = len(server.ledger), time.monotonic()
    while not server.ledger.accepted_since(count):
        if time.monotonic() - start > NEVER:
            return inf
        time.sleep(0.01)
    return time.monotonic() - start


def strike(server: Stand, row: Row, strikes: Strikes, pause: float, end: float) -> None:
    """Let a fault strike until the end of its time, or until it has nothing to do."""
    for times in strikes:
        row.times += times
        time.sleep(pause)
        revive(server, row)
        if time.monotonic() > end:
            return


def revive(server: Stand, row: Row) -> None:
    """Start a server that has stopped."""
    if not server.server.alive():
        row.stops += 1
        print(f"chaos: SMTPD HAS STOPPED: {row.fault}\n{server.server.tail(15)}", flush=True)
        server.server.restart()


def drain(server: Stand, patience: float) -> None:
    """Wait until all that was accepted is delivered; what then is missing is lost."""
    end = time.monotonic() + patience
    while server.ledger.outstanding and time.monotonic() < end:
        smtpctl(server.guide, "schedule", "all")  # what failed for the while is tried again now
        time.sleep(1)
    time.sleep(1)  # for a second copy of the last one
