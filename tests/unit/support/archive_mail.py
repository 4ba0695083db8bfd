"""filter-archive with workers of its own, and clients who talk to the model of smtpd."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from opensmtpd._protocol.filter.connection import FilterConnection
from opensmtpd.filter import PROCEED, Commit, Proceed, Reject, Session
from opensmtpd.testing import Driver, SmtpClient, Smtpd
from opensmtpd.testing.sources import take_next
from opensmtpd_filters.archive import Archive, parser
from unit.support.processes import until
from unit.support.workers import processes

MESSAGE = b"From: bob@remote.example\nSubject: hello\n\ntext\n..dots\n.\n"


def make(folder: Path, *words: str, kind: type[Archive] = Archive) -> Archive:
    """Return the filter, with a folder of copies."""
    return kind(parser().parse_args([*words, str(folder)]))


def watching(at_commit: Callable[[Archive], Reject | None]) -> type[Archive]:
    """Return a filter that calls a function when smtpd has the whole message.

    What the function returns is what a filter behind it would say.
    """

    class Watching(Archive):
        def on_commit(self, session: Session, request: Commit) -> Proceed | Reject:
            return at_commit(self) or PROCEED

    return Watching


def worker(filter: Archive) -> int:
    """Return the process that writes copies."""
    return processes(filter.pool)[-1]


def kill(filter: Archive) -> None:
    """Kill all processes that write copies, and those that others come from."""
    for pid in processes(filter.pool):
        os.kill(pid, signal.SIGKILL)


class Talk:
    """smtpd, the filter, and clients."""

    def __init__(self, filter: Archive, version: str = "7.6.0") -> None:
        self.filter = filter
        self.smtpd = Smtpd(version)
        self.failures: list[tuple[str, dict[str, object]]] = []
        """Handlers that have raised, or were late."""
        connection = FilterConnection(filter, log=self._fail)
        self.driver = Driver(connection, self.smtpd.receive)
        self.settle()

    def _fail(self, event: str, session: str | None = None, **fields: object) -> None:
        self.failures.append((event, fields))

    def settle(self) -> None:
        """Have all be answered that was asked."""
        while data := self.smtpd.data_to_send():
            self.driver.feed(data)
        assert (self.smtpd.hung(), self.failures) == ([], [])

    def say(self, step: Callable[..., None], *arguments: Any) -> bytes:
        """Have a client do something, and return the last reply that it got."""
        client: SmtpClient = step.__self__  # type: ignore[attr-defined]  # a bound method
        step(*arguments)
        self.settle()
        return client.replies[-1]

    def greeted(self) -> SmtpClient:
        """Have a client connect, and say EHLO."""
        client = self.smtpd.connect()
        self.settle()
        self.say(client.ehlo)
        return client

    def mail(
        self,
        client: SmtpClient,
        message: bytes = MESSAGE,
        sender: bytes = b"bob@remote.example",
        recipients: tuple[bytes, ...] = (b"alice@example.com",),
    ) -> bytes:
        """Have a client send a message; return the reply to it."""
        self.say(client.mail, sender)
        for each in recipients:
            self.say(client.rcpt, each)
        self.say(client.data)
        return self.say(client.send, message)

    def done(self) -> None:
        """Wait until the copies are where they belong."""
        until(lambda: not self.filter.orders or not take_next())
        assert self.filter.orders == {}


@contextmanager
def talk(folder: Path, *words: str, version: str = "7.6.0", **about: Any) -> Iterator[Talk]:
    """Have a filter, and end it behind the block."""
    filter = make(folder, *words, **about)
    made = Talk(filter, version)
    try:
        yield made
    finally:
        made.driver.close()
        filter.stop()
