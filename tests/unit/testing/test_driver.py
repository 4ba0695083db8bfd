import asyncio
from typing import Any

from opensmtpd.filter import PROCEED, CommitDecision, Filter, Noop, Session
from opensmtpd.table import Service, Table
from opensmtpd.testing import Driver, ask, run_message
from opensmtpd.timers import every


class Job:
    def __init__(self, task: Any) -> None:
        self.task = task


class Plugin:
    """Hands out its jobs at the first bytes; its own dispatcher."""

    def __init__(self, *tasks: Any) -> None:
        self.jobs = [Job(task) for task in tasks]
        self.said: list[object] = []
        self.out = [b"one", b"two"]

    @property
    def dispatcher(self) -> "Plugin":
        return self

    def receive(self, data: bytes, now: float) -> None:
        self.said.append((data, now))

    def data_to_send(self) -> bytes:
        return self.out.pop(0) if self.out else b""

    def take_jobs(self) -> list[Any]:
        jobs, self.jobs = self.jobs, []
        return jobs

    def resolve(self, job: Any, result: object) -> None:
        self.said.append(result)
        self.out.append(b"three")

    def fail(self, job: Any, error: BaseException) -> None:
        self.said.append(repr(error))


def test_jobs_are_run_and_everything_written() -> None:
    async def later() -> str:
        return "later"

    async def broken() -> None:
        raise ValueError("x")

    def leave() -> None:
        raise SystemExit(3)

    heard: list[bytes] = []
    plugin = Plugin(lambda: "thread", later(), broken(), leave)
    driver = Driver(plugin, heard.append)
    driver.now = 5.0
    driver.feed(b"bytes")
    expected = [(b"bytes", 5.0), "thread", "later", "ValueError('x')", "SystemExit(3)"]
    assert plugin.said == expected
    assert heard == [b"one", b"two", b"three", b"three"]


class Lives:
    """Keeps the calls of its life cycle."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    async def start(self) -> None:
        self.calls.append("start")

    async def stop(self) -> None:
        self.calls.append("stop")

    @every(1e-6)
    def tick(self) -> None:
        self.calls.append("tick")


class LivingFilter(Lives, Filter):
    def on_noop(self, session: Session, request: Noop) -> CommitDecision:
        return PROCEED


class LivingTable(Lives, Table):
    services = (Service.ALIAS,)

    async def lookup(self, service: Service, key: str) -> str:
        return key


def test_the_kit_leaves_start_stop_and_timers_to_the_test() -> None:
    filter, table = LivingFilter(), LivingTable()
    for _ in range(2):
        assert run_message(filter).accepted
        assert ask(table, "lookup", "alias", "root") == ("found", "root")
    assert filter.calls == table.calls == []
    asyncio.run(filter.start())
    filter.tick()
    assert filter.calls == ["start", "tick"]
