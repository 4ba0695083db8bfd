"""Ask a table of a server that is paused, killed and started again: does it mix up answers?

The rows have their keys in their values, so that each answer shows the row it came from.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random

from lab.peers.databases.server import DatabaseServer
from lab.peers.table_client import TableClient

BREATH = 0.002
"""Seconds between an answer that is an error and the next question: mail has some, too."""
NEVER = 30.0
"""Seconds after which a table that still answers errors will not heal."""
REST = 0.05
"""Seconds of right answers between two faults, at most."""


@dataclass
class Tally:
    """Counts of a campaign."""

    asked: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    """``found``, ``not-found`` and ``error``."""
    wrong: list[tuple[bytes, bytes]] = field(default_factory=list)
    """Keys, and answers that are no right ones: those of another key, say."""
    faults: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    """Seconds until the latest of all answers."""
    healed: float = 0.0
    """Seconds from the end of a fault until a right answer, at most."""

    def __str__(self) -> str:
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(self.kinds.items()))
        faults = ", ".join(f"{count} {name}" for name, count in sorted(self.faults.items()))
        return (
            f"{self.asked} lookups: {kinds}, {len(self.wrong)} wrong; faults: {faults}; slowest"
            f" {self.slowest * 1e3:.0f} ms, right again within {self.healed:.2f} s"
        )


@dataclass(frozen=True)
class Asked:
    """Questions of a campaign, and the right answers."""

    service: str
    rows: Sequence[tuple[bytes, bytes]]
    """Keys and values."""
    absent: Sequence[bytes]
    """Keys without a row."""

    def choose(self, dice: Random) -> tuple[bytes, bytes]:
        """Return a key and the answer that is right for it."""
        if dice.random() < 0.2:
            return dice.choice(self.absent), b"not-found"
        key, value = dice.choice(self.rows)
        return key, b"found|" + value


def campaign(
    server: DatabaseServer,
    table: TableClient,
    asked: Asked,
    *,
    size: int,
    timeout: float,
    seconds: float,
    seed: int = 0,
) -> Tally:
    """Ask until there are ``size`` answers and each fault has been; ``seconds`` bound it.

    ``timeout`` is the one of the table, in seconds: pauses are of about its length. At the end the
    server runs, and the table has answered rightly. Raises Died, Illegal and TimeoutError of the
    table, and DatabaseError of the server, or where the table does not heal.
    """
    tally, dice = Tally(), Random(seed)
    with _Faults(server, tally, timeout, seed) as faults:
        end = time.monotonic() + seconds
        while time.monotonic() < end or tally.asked == 0:
            if tally.asked >= size and len(tally.faults) == len(FAULTS):
                break
            faults.saw(_ask(table, asked, dice, tally))
        faults.over.set()
        while faults.at_work:
            faults.saw(_ask(table, asked, dice, tally))
    if faults.error is not None:
        raise faults.error
    return tally


def _ask(table: TableClient, asked: Asked, dice: Random, tally: Tally) -> bool:
    """Ask for a key; return whether the answer was right."""
    key, right = asked.choose(dice)
    start = time.monotonic()
    answer = table.lookup(asked.service, key)
    tally.slowest = max(tally.slowest, time.monotonic() - start)
    tally.asked += 1
    kind = answer.partition(b"|")[0].decode()
    tally.kinds[kind] += 1
    if kind == "error":
        time.sleep(BREATH)
    elif answer != right:
        tally.wrong.append((key, answer))
    return answer == right


def pause(server: DatabaseServer, timeout: float, dice: Random) -> None:
    """Stop all processes for less or for more than a table waits."""
    server.pause()
    time.sleep(timeout * dice.choice((0.3, 0.9, 0.99, 1.01, 1.1, 2.5)))
    server.resume()


def kill(server: DatabaseServer, timeout: float, dice: Random) -> None:
    """Kill all processes, and start it after a while."""
    server.kill9()
    time.sleep(timeout * dice.choice((0.0, 0.5)))
    server.start()


def restart(server: DatabaseServer, timeout: float, dice: Random) -> None:
    """End it in order, and start it at once."""
    server.restart()


def kill_paused(server: DatabaseServer, timeout: float, dice: Random) -> None:
    """Kill it while it is stopped and has a question."""
    server.pause()
    time.sleep(timeout * dice.choice((0.3, 1.5)))
    server.kill9()
    server.start()


FAULTS: dict[str, Callable[[DatabaseServer, float, Random], None]] = {
    "pauses": pause,
    "kills": kill,
    "restarts": restart,
    "kills while paused": kill_paused,
}


class _Faults:
    """A thread that has faults befall a server, one after the other, and waits for right answers
    in between.
    """

    def __init__(self, server: DatabaseServer, tally: Tally, timeout: float, seed: int) -> None:
        self._server, self._tally, self._timeout = server, tally, timeout
        self._dice = Random(seed + 1)
        self._right = threading.Event()
        self.over = threading.Event()
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "_Faults":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self._right.set()
        self._thread.join()

    @property
    def at_work(self) -> bool:
        """Tell whether a fault goes on, or has not been overcome."""
        return self._thread.is_alive()

    def saw(self, right: bool) -> None:
        """Take whether an answer was right."""
        if right:
            self._right.set()

    def _run(self) -> None:
        try:
            while not self.over.is_set():
                for name, fault in FAULTS.items():
                    self.over.wait(self._dice.random() * REST)
                    fault(self._server, self._timeout, self._dice)
                    self._tally.faults[name] += 1
                    self._until_right(name)
                    if self.over.is_set():
                        return
        except BaseException as error:
            self.error = error

    def _until_right(self, fault: str) -> None:
        """Wait for a right answer to a question that was asked behind the fault, or may be."""
        start = time.monotonic()
        self._right.clear()
        if not self._right.wait(NEVER):
            raise TimeoutError(f"no right answer for {NEVER:g} s after {fault}")
        self._tally.healed = max(self._tally.healed, time.monotonic() - start)
