"""filter-senderscore with plain data for a DNS, and clients who talk to the model of smtpd."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from opensmtpd._protocol.filter.connection import FilterConnection
from opensmtpd.dns import Found, Question, RecordType, Reply
from opensmtpd.testing import Driver, Outcome, SmtpClient, Smtpd, Zone, run_message
from opensmtpd_filters.senderscore import SenderScore, parser

QUESTION = Question("5.2.0.192.score.senderscore.com", RecordType.A)
"""The question about the client of ``run_message``, and of ``Visit``."""
MESSAGE = b"From: bob@remote.example\nSubject: hello\n\ntext\n"
BLOCKED = b"550 your IP reputation is too low for this MX"
NEW_SESSION = "9e3779b97f4a7c15 "
"""The model's first session, in front of a line of the log."""


def scored(score: int) -> Found:
    """Return the reply of the DNS that says a score."""
    return Found((f"127.0.4.{score}",))


def make(line: str, reply: Reply | int | None = None, *, cached: bool = True) -> SenderScore:
    """Return the filter of a command line; the DNS replies so about the client, or its score."""
    filter = SenderScore(parser().parse_args(line.split()))
    told = scored(reply) if isinstance(reply, int) else reply
    filter.dns = Zone({} if told is None else {QUESTION: told}, cached=cached)
    return filter


def send(line: str, reply: Reply | int | None = None, **about: Any) -> Outcome:
    """Return the fate of a message; ``about`` goes to ``run_message``."""
    message = about.pop("message", MESSAGE)
    return run_message(make(line, reply), message, **about)


def front(outcome: Outcome) -> bytes:
    """Return the lines above smtpd's own."""
    return outcome.message.partition(outcome.received)[0]


def below(outcome: Outcome) -> bytes:
    """Return the lines below smtpd's own."""
    return outcome.message.partition(outcome.received)[2]


class Visit:
    """A client of smtpd with the filter before it, of whom each step is in the test's hands."""

    def __init__(self, filter: SenderScore, version: str = "7.6.0", **about: Any) -> None:
        self.smtpd = Smtpd(version)
        self.failures: list[tuple[str, dict[str, object]]] = []
        """Handlers that have raised, or were late."""
        connection = FilterConnection(filter, log=self._fail)
        self.driver = Driver(connection, self.smtpd.receive)
        self.settle()
        self.client: SmtpClient = self.smtpd.connect(**about)
        self.settle()

    def _fail(self, event: str, session: str | None = None, **fields: object) -> None:
        self.failures.append((event, fields))

    def settle(self) -> None:
        """Have all be answered that was asked."""
        while data := self.smtpd.data_to_send():
            self.driver.feed(data)
        assert (self.smtpd.hung(), self.failures) == ([], [])

    def say(self, step: Callable[..., None], *arguments: Any) -> bytes:
        """Have the client do something, and return the last reply that it got."""
        step(*arguments)
        self.settle()
        return self.client.replies[-1]

    def end(self, steps: Sequence[str]) -> str:
        """Have the client take these steps, and return the name of the one that was its last.

        Each is that of a method of SmtpClient; ``connect`` stands for the greeting, and ``send``
        sends a message.
        """
        done = "connect"
        for name in steps:
            if not self.client.connected:
                break
            step = getattr(self.client, name)
            self.say(partial(step, MESSAGE) if name == "send" else step)
            done = name
        return done
