"""Hostile requests, many at once, to a table that runs as under smtpd."""

from random import Random

from lab.chaos.hostile.program import Program
from opensmtpd.testing import TableSmtpd

AT_ONCE = 64
"""Requests on their way; smtpd itself sends one."""
PIECES = ("|", "||", "@", "*", "+", "'", '"', ";", "?", "\udcff", "\udc80\xe9", " ", "\t", ":", ".",
          "example.org", "10.0.0.1", "[::1]", "alice", "a" * 60, "%", "\\", "(", "--", "ipv6:",
          "\x01", "\x7f")  # fmt: skip
KNOWN = ("alice", "example.org", "sales", "alice@example.org", "10.1.2.3", "alice:secret")
COSTLY = 0.002
"""How many of the requests to ``auth`` there are: a password hash takes its time."""


class Requests:
    """Asks a table by the dice."""

    def __init__(self, dice: Random, smtpd: TableSmtpd) -> None:
        self._dice, self._smtpd = dice, smtpd

    def start(self, program: Program) -> None:
        """Wait until the table has registered."""
        program.carry(self._smtpd.data_to_send())
        while not self._smtpd.ready:
            program.wait()

    def batch(self, program: Program, count: int) -> None:
        """Ask so many questions, and wait for all answers."""
        services = sorted(self._smtpd.services - {"auth"})
        for number in range(count):
            service = self._dice.choice(services)
            if "auth" in self._smtpd.services and self._dice.random() < COSTLY:
                service = "auth"
            self._ask(service)
            if number % AT_ONCE == AT_ONCE - 1:
                self._settle(program)
        self._settle(program)
        self._smtpd.answers.clear()

    def _ask(self, service: str) -> None:
        dice = self._dice
        verb = dice.choice(("lookup", "lookup", "check", "fetch")) if service != "auth" else "check"
        if dice.random() < 0.001:
            verb = "update"
        key = dice.choice(KNOWN)
        if dice.random() < 0.7:
            key = "".join(dice.choices(PIECES, k=dice.randrange(12)))
        if verb in ("fetch", "update"):
            key = ""
        self._smtpd.ask(verb, "" if verb == "update" else service, key)

    def _settle(self, program: Program) -> None:
        program.carry(self._smtpd.data_to_send())
        while self._smtpd.waiting:
            program.wait()
