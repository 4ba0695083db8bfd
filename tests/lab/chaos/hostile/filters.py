"""Sessions of hostile clients, many at once, through a filter that runs as under smtpd."""

from random import Random
from typing import Any, cast

from lab.chaos.hostile.program import Program
from opensmtpd.testing import SmtpClient, Smtpd
from property.storm import LINES, Storm
from property.test_hostile_dkimsign import FROM
from property.test_hostile_policies import NAMES, SOURCES

AT_ONCE = 40
BATCH = 500
"""Sessions after which all clients go, and what the model remembers of them is dropped."""
WORN = 50
"""Turns of a client after which it is thrown out, so that sessions are short."""
PATIENT = 0.9
"""The share of the turns of a client who waits for a reply that do not count."""


class Crowd(Storm):
    """Clients from anywhere with messages of all kinds, before a process."""

    lines = (*LINES, *FROM, b"X-Spam: Yes", b"X-Spam-Reason: none", b" folded", b"\xff" * 300)

    def __init__(self, dice: Random, smtpd: Smtpd, program: Program) -> None:
        super().__init__(dice, smtpd, cast(Any, None))
        self._program = program

    def pump(self) -> None:
        """Carry bytes both ways, without waiting for any, until smtpd has nothing to send."""
        data = self.smtpd.data_to_send()
        while True:
            self._program.carry(data)
            data = self.smtpd.data_to_send()  # what was heard may lead to a request
            if not data:
                return

    def work(self) -> None:
        """Do nothing: the process works by itself."""

    def expire(self) -> None:
        """Wait until all that the process was asked is answered."""
        self.pump()
        while self.smtpd.hung():
            self._program.wait()
            self.pump()

    def _unstick(self, live: list[SmtpClient]) -> None:
        """All wait: until one does not."""
        while all(client.waiting for client in live):
            self._program.wait()
            self.pump()

    def arrive(self) -> SmtpClient:
        """Have a client come."""
        dice = self.dice
        verdict = dice.choice(["pass", "fail", "error"])
        name, source = dice.choice(NAMES), dice.choice(SOURCES)
        return self.smtpd.connect(rdns=name, fcrdns=verdict, source=source)

    def step(self, client: SmtpClient) -> None:
        """Have a client do something, or go: a session has some twenty commands and lines."""
        if client.waiting and self.dice.random() < PATIENT:
            return
        if self.dice.random() < 1 / WORN and client.connected:
            client.vanish()
        else:
            super().step(client)

    def batch(self, sessions: int) -> None:
        """Have so many come and go, and wait until nothing is owed to any."""
        self.run(sessions, AT_ONCE)
        self.expire()
        for client in self.smtpd.clients:
            if client.connected:
                client.vanish()
        self.pump()
        self.smtpd.clients.clear()
        self.smtpd.answers.clear()
        self.sent.clear()


def start(crowd: Crowd, program: Program) -> None:
    """Wait until the filter has registered."""
    crowd.pump()
    while not crowd.smtpd.ready:
        program.wait()
