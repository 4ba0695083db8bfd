"""Many clients at once that do as they please, between the modelled smtpd and a filter."""

from functools import partial
from random import Random
from types import CoroutineType
from typing import Any

from opensmtpd._protocol.filter.connection import FilterConnection
from opensmtpd.testing import SmtpClient, Smtpd
from property.steps import go_on

LINES = [
    *(b"Subject: hello", b"", b"", b"text", b"..dotted", b".", b"\xff\xfe\r", b"a|b|c"),
    *(b"filter-result|x|y|proceed", b"report|0.7|1|smtp-in|link-disconnect|x", b"z" * 3000),
]
COMMANDS = [b"NOOP", b"RSET", b"HELP", b"DATA", b"EHLO x.example", b"HELO y", b"MAIL FROM:<>"]
COMMANDS += [b"RCPT TO:<a@b.example>", b"STARTTLS", b"AUTH PLAIN AAA=", b"BOGUS", b"\xff|\xff"]


class Storm:
    """Clients, a filter, and the wire between them; every step is by the dice."""

    lines: tuple[bytes, ...] = tuple(LINES)

    def __init__(self, dice: Random, smtpd: Smtpd, protocol: FilterConnection) -> None:
        self.dice, self.smtpd, self.protocol = dice, smtpd, protocol
        self.now = 0.0
        self.sent = bytearray()
        """All that smtpd wrote."""
        self.jobs: list[Any] = []
        """Works begun and not ended; those in threads cannot be stopped, only not waited for."""
        self._unread = b""

    # --- the filter's side ----------------------------------------------------------------------

    def pump(self) -> None:
        """Carry bytes both ways, in odd pieces, until neither side has any."""
        self._unread += self.smtpd.data_to_send()
        while True:
            while self._unread:
                size = self.dice.choice([7, 100, 1000, 100000])
                piece, self._unread = self._unread[:size], self._unread[size:]
                self.sent += piece
                self.protocol.receive(piece, self.now)
            self._take_work()
            out = self.protocol.data_to_send()
            if out:
                cut = self.dice.randrange(len(out) + 1)
                self.smtpd.receive(out[:cut])
                self.smtpd.receive(out[cut:])
            self._unread = self.smtpd.data_to_send()
            if not out and not self._unread:
                return

    def _take_work(self) -> None:
        for job in self.protocol.dispatcher.take_jobs():
            self.jobs.append(job)
            job.when_cancelled(partial(self._cancel, job))

    def _cancel(self, job: Any) -> None:
        if isinstance(job.task, CoroutineType):
            job.task.close()
            self.jobs.remove(job)

    def work(self) -> None:
        """Let any one job go one step further."""
        if not self.jobs:
            return
        job = self.dice.choice(self.jobs)
        go_on(self.protocol, self.jobs, job)

    def expire(self) -> None:
        """Let all deadlines pass, until nothing is waited for."""
        for _ in range(100):
            self.now += 1000.0
            self.protocol.dispatcher.expire(self.now)
            self.pump()
            if self.protocol.dispatcher.next_deadline() is None:
                return
        raise AssertionError("deadlines without an end")

    # --- the clients' side ----------------------------------------------------------------------

    def arrive(self) -> SmtpClient:
        """Have another client come."""
        return self.smtpd.connect()

    def step(self, client: SmtpClient) -> None:
        """Have a client do something."""
        dice = self.dice
        if dice.random() < 0.015:
            dice.choice([client.vanish, client.time_out])()
        elif client.waiting or not client.connected:
            return
        elif client.in_data:
            if dice.random() < 0.3:
                client.line(b".")
            for _ in range(dice.randrange(6)):
                if client.in_data:
                    client.line(dice.choice(self.lines))
        elif dice.random() < 0.1:
            client.command(dice.choice(COMMANDS))
        else:
            self._sensible(client)

    def _sensible(self, client: SmtpClient) -> None:
        if not client.greeted:
            client.quit()
        elif not client.identity:
            self.dice.choice([client.ehlo, client.helo])()
        elif client.transaction is None:
            steps = [*[client.mail] * 6, client.quit]
            if not client.tls:
                steps.append(client.starttls)
            elif client.username is None:
                steps.append(client.auth)
            self.dice.choice(steps)()
        elif client.transaction.recipients:
            self.dice.choice([client.data, client.data, client.rcpt])()
        else:
            client.rcpt()

    def run(self, sessions: int, at_once: int = 8) -> None:
        """Have ``sessions`` clients come and do what they do; the last few do not go."""
        self.pump()
        live: list[SmtpClient] = []
        come = 0
        while come < sessions or len(live) > at_once // 2:
            if come < sessions and len(live) < at_once:
                live.append(self.arrive())
                come += 1
            self.step(self.dice.choice(live))
            if self.dice.random() < 0.5:
                self.work()
            if self.dice.random() < 0.7:
                self.now += self.dice.random()
                self.pump()
            if all(client.waiting for client in live):
                self.pump()
                self._unstick(live)
            live = [client for client in live if client.connected]

    def _unstick(self, live: list[SmtpClient]) -> None:
        """All wait: the jobs must go on, and what never ends must run into its deadline."""
        for _ in range(50):
            self.work()
        self.pump()
        if all(client.waiting for client in live):
            self.expire()
