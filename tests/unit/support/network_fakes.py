"""A server that does what tests say, and the configuration of a table that asks it."""

import argparse
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from opensmtpd.backends.configuration import take
from opensmtpd.backends.network.backend import Backend
from opensmtpd.backends.network.connection import Fault, ServerQuestion, ServerReply
from opensmtpd.backends.network.settings import Settings
from opensmtpd.backends.network.table import NetworkTable
from opensmtpd.backends.network.worker import ConnectionWorker
from opensmtpd.backends.sql.rows import text
from opensmtpd.errors import ServerLate, ServerLost, ServerRefused
from opensmtpd.table import Service


class Clock:
    """A clock that tests set."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class FakeServer:
    """Rows that a server has, and the faults that are to come: one for each call, first to last.

    A fault is an exception to raise, or None to answer.
    """

    def __init__(self) -> None:
        self.rows: dict[str, str | None] = {}
        self.faults: list[BaseException | None] = []
        self.wrong: list[Fault] = []
        self.calls: list[str] = []
        self.asked: list[list[ServerQuestion]] = []

    def call(self, name: str) -> None:
        """Take note of a call, and raise what is to come."""
        self.calls.append(name)
        fault = self.faults.pop(0) if self.faults else None
        if fault is not None:
            raise fault

    def reply(self, question: ServerQuestion) -> ServerReply:
        """Return the row of a question, or the list of its service."""
        if len(question) == 1:
            rows = self.rows.get(question[0])
            return [] if rows is None else rows.split()
        row = self.rows.get(question[1])
        return None if row is None else row


SERVER = FakeServer()
"""The server of the table that is tested."""


class FakeConnection:
    """A connection to SERVER."""

    def __init__(self, data: dict[str, str]) -> None:
        self.data = data

    def connect(self, until: float) -> None:
        SERVER.call("connect")

    def ask(self, questions: Sequence[ServerQuestion], until: float) -> list[ServerReply]:
        SERVER.call("ask")
        SERVER.asked.append(list(questions))
        return [SERVER.reply(question) for question in questions]

    def check(self, until: float) -> list[Fault]:
        SERVER.call("check")
        return SERVER.wrong

    def close(self) -> None:
        SERVER.calls.append("close")


class ObedientConnection:
    """A connection in a worker, which does what the key says."""

    def __init__(self, data: dict[str, str]) -> None:
        self.data, self.open = data, False

    def connect(self, until: float) -> None:
        if self.data.get("host") == "away":
            raise ServerLost("nobody is there")
        self.open = True

    def ask(self, questions: Sequence[ServerQuestion], until: float) -> list[ServerReply]:
        assert self.open
        return [self.reply(question[-1], until) for question in questions]

    def reply(self, key: str, until: float) -> ServerReply:
        match key:
            case "none":
                return None
            case "pid":
                return str(os.getpid())
            case "host":
                return self.data["host"]
            case "die":
                os._exit(1)
            case "hang":
                time.sleep(1e6)
            case "late":
                time.sleep(max(0.0, until - time.monotonic()))
                raise ServerLate("it was late")
            case "lost":
                raise ServerLost("it hung up")
            case "refuse":
                raise ServerRefused("no such relation")
            case "bug":
                raise ValueError("a secret")
            case "patterns_domain":
                return [f"*.{number}.example.org" for number in range(60000)]
            case "huge":
                return ["x" * 1000] * 100_000
        return key

    def check(self, until: float) -> list[Fault]:
        return [["no such column", 2, "see the schema"]] if self.data["host"] == "wrong" else []

    def close(self) -> None:
        self.open = False


class ObedientWorker(ConnectionWorker):
    """The worker of it."""

    title = "obedient"
    connection = ObedientConnection


class FakeBackend(Backend):
    """``host NAME`` and the common keys; the rows are those of SERVER."""

    connection = f"{__name__}:FakeConnection"
    services = frozenset(Service)

    def __init__(self, path: str) -> None:
        self.path, self.settings, self.name = path, Settings(), "fake"
        self.values: dict[str, str] = {}
        take(path, self.settings.set, self._set)

    def _set(self, key: str, value: str, line: int) -> bool:
        if key == "host":
            self.line = line
        self.values[key] = value
        return True

    def plain(self) -> Any:
        return self.values

    def question(self, service: Service, key: str) -> ServerQuestion:
        return [service.value, key]

    def value(self, service: Service, reply: ServerReply) -> str | None:
        return None if reply is None else text(reply)

    def found(self, service: Service, reply: ServerReply) -> bool:
        return reply is not None

    def fetch_question(self, service: Service) -> ServerQuestion:
        return [f"fetch_{service}"]

    def patterns_question(self, service: Service) -> ServerQuestion | None:
        name = f"patterns_{service}"
        return [name] if name in self.values else None

    def fetched(self, service: Service, reply: ServerReply) -> list[str]:
        return [text(cell) for cell in reply]


class AuthBackend(FakeBackend):
    """The same, and the server checks passwords."""

    authenticates = True


class ObedientBackend(FakeBackend):
    """The same with a worker."""

    connection = f"{__name__}:ObedientConnection"
    worker = f"{__name__}:ObedientWorker"


def made(
    folder: Path,
    *lines: str,
    backend: type[FakeBackend] = FakeBackend,
    check: bool = False,
    clock: Callable[[], float] = time.monotonic,
) -> NetworkTable:
    """Return a table with such a configuration."""
    path = folder / "fake.conf"
    path.write_text("".join(f"{line}\n" for line in ("host there", *lines)))
    return NetworkTable(backend, argparse.Namespace(path=str(path), check=check), clock)
