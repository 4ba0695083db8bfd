"""Connections to a real smtpd, and how many it takes in a second with one filter or another."""

import selectors
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from bench import turns
from bench.records import Figure
from lab.root.namespace import SERVER4
from lab.root.server import Server
from lab.shows import moves
from lab.shows.guide import Guide

SOURCE = "192.0.2.7"
CONNECTS, WINDOW = 2_000, 4
"""Connections in a round, and at a time: of more than five smtpd lets some wait for a second
(``SMTPD_BACKLOG``).
"""
FIRST_PORT = 2600
CONNECTIONS = "connections a second"
Chains = Mapping[str, Sequence[str]]
"""From a title to the filters of a listener, as they stand behind ``filter NAME``."""


class Caller:
    """Connects, waits for the greeting, says QUIT, waits for the end, and again."""

    def __init__(
        self, port: int, left: list[int], window: int, selector: selectors.BaseSelector
    ) -> None:
        self.port, self.left, self.window, self.selector = port, left, window, selector
        self.begin()

    def begin(self) -> None:
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self.socket.bind((SOURCE, 0))
        self.socket.connect_ex((SERVER4, self.port))
        self.selector.register(self.socket, selectors.EVENT_READ, self)

    def readable(self) -> None:
        said = self.socket.recv(4096)
        if said.startswith(b"220"):
            self.socket.send(b"QUIT\r\n")
        elif said:
            if not said.startswith(b"221"):
                raise SystemExit(f"port {self.port}: {said!r}")
        else:
            self.selector.unregister(self.socket)
            self.socket.close()
            self.left[0] -= 1
            if self.left[0] >= self.window:
                self.begin()


def rate(port: int, count: int, window: int = WINDOW) -> float:
    """Return connections a second to a port, so many at a time."""
    left = [count]
    with selectors.DefaultSelector() as selector:
        start = time.perf_counter()
        for _ in range(window):
            Caller(port, left, window, selector)
        while left[0] > 0:
            ready = selector.select(30)
            if not ready:
                raise SystemExit(f"port {port}: no greeting for 30 s")
            for key, _ in ready:
                key.data.readable()
        return count / (time.perf_counter() - start)


def configure(guide: Guide, chains: Chains) -> None:
    """Give the server a listener for each chain."""
    filters = listeners = ""
    for number, chain in enumerate(chains.values()):
        names = [f"f{number}x{at}" for at in range(len(chain))]
        filters += "".join(
            f"filter {name} {each}\n" for name, each in zip(names, chain, strict=True)
        )
        which = f" filter {{ {' '.join(names)} }}" if names else ""
        listeners += f"listen on $ipv4 port {FIRST_PORT + number}{which} hostname example.com\n"
    conf = guide.view / moves.CONF[1:]
    text = conf.read_text().replace("# rules", f"{filters}\n{listeners}\n# rules")
    conf.write_text(text)
    moves.check(guide)


def compare(guide: Guide, chains: Chains, rounds: int) -> Iterator[Figure]:
    """Measure all chains in turns; the contestants of the figures are the chains."""
    configure(guide, chains)
    ports = {name: FIRST_PORT + number for number, name in enumerate(chains)}
    with Server(guide.view) as server:
        for port in ports.values():
            rate(port, 200)  # to warm up
        runs = {name: partial(rate, port, CONNECTS) for name, port in ports.items()}
        rates = turns.take(runs, rounds)
        singles = {name: partial(rate, port, CONNECTS // 5, 1) for name, port in ports.items()}
        single = turns.take(singles, rounds)
        server.check()
    work = f"{WINDOW} at a time"
    yield Figure(CONNECTIONS, "connections/s", work, "more", rates)
    times = {name: [1e3 / each for each in found] for name, found in single.items()}
    yield Figure("time of a connection", "ms", "one after the other", "less", times)
