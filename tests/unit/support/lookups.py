"""A table's protocol and the one who speaks to it: lines in, lines out, what was logged."""

from collections.abc import Callable, Collection
from typing import Any

import pytest

from opensmtpd._protocol.jobs import Job
from opensmtpd._protocol.table.connection import TableConnection
from opensmtpd.log import form
from opensmtpd.table import Service, Table
from opensmtpd.testing.event_loop import EventLoop
from opensmtpd.testing.sources import take_next

ID = b"0c7d9dc5"
"""The id of a request."""

CUTS = pytest.mark.parametrize("size", [0, 1, 7], ids=["whole", "bytewise", "by 7"])
"""Bytes that the protocol is given at a time."""


def hello(version: bytes = b"7.9.0-portable", name: bytes = b"aliases") -> bytes:
    """Return smtpd's part of the handshake."""
    return b"config|smtpd-version|%s\nconfig|protocol|0.1\nconfig|tablename|%s\nconfig|ready\n" % (
        version,
        name,
    )


HELLO = hello()


def request(
    verb: bytes, *fields: bytes, name: bytes = b"aliases", version: bytes = b"0.1"
) -> bytes:
    """Return the line of a request."""
    return b"|".join([b"table", version, b"1795335705.126032", name, verb, *fields]) + b"\n"


def lookup(key: bytes = b"alice", service: bytes = b"alias", id: bytes = ID) -> bytes:
    """Return the line of a lookup."""
    return request(b"lookup", service, id, key)


def check(key: bytes = b"alice", service: bytes = b"alias", id: bytes = ID) -> bytes:
    """Return the line of a check."""
    return request(b"check", service, id, key)


def fetch(service: bytes = b"source", id: bytes = ID) -> bytes:
    """Return the line of a fetch."""
    return request(b"fetch", service, id)


def update(id: bytes = ID) -> bytes:
    """Return the line of an update."""
    return request(b"update", id)


def answer(text: bytes, verb: bytes = b"lookup", id: bytes = ID) -> bytes:
    """Return the line that a request is to be answered with."""
    return b"%s-result|%s|%s\n" % (verb, id, text)


REQUESTS = {
    "lookup": lookup(service=b"string"),
    "check": check(service=b"string"),
    "fetch": fetch(),
    "update": update(),
}
"""A request of each kind; those with keys ask for what has no patterns."""


class Talk:
    """A protocol with the handshake done."""

    def __init__(self, table: Table, *, hello: bytes = HELLO, deadline: float = 5.0) -> None:
        self.logged: list[str] = []
        self.protocol = TableConnection(table, deadline=deadline, log=self._log)
        self.registered = self.say(hello) if hello else b""

    def _log(self, event: str, session: str | None = None, **fields: object) -> None:
        self.logged.append(form(event, session, **fields))

    def say(self, *lines: bytes, now: float = 0.0, size: int = 0) -> bytes:
        """Send lines, all at once or ``size`` bytes at a time; return what is answered."""
        stream = b"".join(lines)
        for at in range(0, len(stream), size or len(stream)):
            self.protocol.receive(stream[at : at + (size or len(stream))], now)
        return self.protocol.data_to_send()

    def job(self) -> Job:
        """Return the one job that waits to be started."""
        [job] = self.protocol.dispatcher.take_jobs()
        return job

    def finish(self, job: Job) -> bytes:
        """Run a job to its end; return what is answered."""
        events = EventLoop()
        try:
            value = job.task() if callable(job.task) else events.run(job.task)
        except BaseException as error:
            self.protocol.dispatcher.fail(job, error)
        else:
            self.protocol.dispatcher.resolve(job, value)
        finally:
            events.close()
        return self.protocol.data_to_send()

    def finish_all(self) -> bytes:
        """Run all jobs that wait, and what follows from it; return what is answered.

        The replies of workers are waited for.
        """
        said = self.protocol.data_to_send()
        dispatcher = self.protocol.dispatcher
        while (jobs := dispatcher.take_jobs()) or (dispatcher.waiting() and take_next()):
            said += b"".join(self.finish(job) for job in jobs) + self.protocol.data_to_send()
        return said


class Acts(Table):
    """Does at every request what it was told to."""

    services = tuple(Service)

    def __init__(self, act: Callable[[], Any]) -> None:
        self.act = act

    def update(self) -> Any:
        return self.act()

    def lookup(self, service: Service, key: str) -> Any:
        return self.act()

    def check(self, service: Service, key: str) -> Any:
        return self.act()

    def fetch(self, service: Service) -> Any:
        return self.act()


class Rows(Table):
    """Has rows for all services alike."""

    services: Collection[Service] = tuple(Service)

    def __init__(self, *keys: str, **rows: str) -> None:
        self.rows = dict.fromkeys(keys, "found it") | rows
        self.asked: list[str] = []

    def lookup(self, service: Service, key: str) -> Any:
        self.asked.append(key)
        return self.rows.get(key)


class SlowRows(Rows):
    """The same, from coroutines."""

    async def lookup(self, service: Service, key: str) -> Any:
        return super().lookup(service, key)
