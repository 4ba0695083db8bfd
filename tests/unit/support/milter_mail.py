"""filter-milter before milters of a test, and clients who talk to the model of smtpd."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from opensmtpd._protocol.filter.connection import FilterConnection
from opensmtpd.testing import Driver, Outcome, SmtpClient, Smtpd, run_message
from opensmtpd_filters.milter import Milter, parser
from unit.support.scripted_milter import ScriptedMilter

MESSAGE = b"From: bob@remote.example\nSubject: hello\n\ntext\n..dots\n"
UNAVAILABLE = b"451 4.7.1 Service unavailable, please try again later"
OPEN = "--fail open"
NEW_SESSION = "9e3779b97f4a7c15 "
"""The model's first session, in front of a line of the log."""
PATIENT = "--connect-timeout 60 --command-timeout 60 --content-timeout 60"
HASTY = "--connect-timeout 60 --command-timeout 1 --content-timeout 1"
"""For milters that say nothing; others have to be in time on a busy machine, too."""


def make(*milters: ScriptedMilter | str, line: str = "") -> Milter:
    """Return the filter with a worker of its own."""
    places = [each if isinstance(each, str) else each.place for each in milters]
    return Milter(parser().parse_args([*PATIENT.split(), *line.split(), *places]))


def send(
    *milters: ScriptedMilter | str, message: bytes = MESSAGE, line: str = "", **client: Any
) -> Outcome:
    """Return the fate of a message, sent through a filter of its own."""
    filter = make(*milters, line=line)
    try:
        return run_message(filter, message, **client)
    finally:
        filter.stop()


def front(outcome: Outcome) -> bytes:
    """Return the lines above smtpd's own."""
    return outcome.message.partition(outcome.received)[0]


def below(outcome: Outcome) -> bytes:
    """Return the lines below smtpd's own."""
    return outcome.message.partition(outcome.received)[2]


class Talk:
    """smtpd, a filter, and clients of whom each step is in the test's hands."""

    def __init__(self, filter: Milter, version: str) -> None:
        self.filter = filter
        self.smtpd = Smtpd(version)
        self.failures: list[tuple[str, dict[str, object]]] = []
        """Handlers that have raised, or were late."""
        self.connection = FilterConnection(filter, log=self._fail)
        self.driver = Driver(self.connection, self.smtpd.receive)
        self.settle()

    def _fail(self, event: str, session: str | None = None, **fields: object) -> None:
        self.failures.append((event, fields))

    def settle(self) -> None:
        """Have all be answered that was asked."""
        while data := self.smtpd.data_to_send():
            self.driver.feed(data)
        assert (self.smtpd.hung(), self.failures) == ([], [])
        self.filter.milters.pool.flush()

    def begin(self) -> None:
        """Have the filter take what it was told, and ask its worker; wait for nothing."""
        while data := self.smtpd.data_to_send():
            self.connection.receive(data, 0.0)
            while out := self.connection.data_to_send():
                self.smtpd.receive(out)
        self.filter.milters.pool.flush()

    def come(self, **about: Any) -> SmtpClient:
        """Have a client connect."""
        client = self.smtpd.connect(**about)
        self.settle()
        return client

    def say(self, step: Callable[..., None], *arguments: Any) -> bytes:
        """Have a client do something, and return the last reply that it got."""
        client: SmtpClient = step.__self__  # type: ignore[attr-defined]  # a bound method
        step(*arguments)
        self.settle()
        return client.replies[-1]

    def greeted(self, **about: Any) -> SmtpClient:
        """Have a client connect, and say EHLO."""
        client = self.come(**about)
        self.say(client.ehlo)
        return client

    def mail(self, client: SmtpClient, message: bytes = MESSAGE) -> bytes:
        """Have a client send a message, up to the first refusal; return the last reply."""
        for step in (client.mail, client.rcpt, client.data):
            reply = self.say(step)
            if reply[:1] not in (b"2", b"3"):
                return reply
        return self.say(client.send, message)


@contextmanager
def talk(*milters: ScriptedMilter | str, line: str = "", version: str = "7.6.0") -> Iterator[Talk]:
    """Have a filter, and end it behind the block."""
    filter = make(*milters, line=line)
    made = Talk(filter, version)
    try:
        yield made
    finally:
        made.driver.close()
        filter.stop()
