import asyncio
import gc
from typing import Any

from opensmtpd.filter import (
    PROCEED,
    CommitDecision,
    Filter,
    Helo,
    MailFrom,
    Noop,
    PhaseDecision,
    Session,
)
from opensmtpd.table import Service, Table
from opensmtpd.testing import Driver, Smtpd, ask, filter_connection, run_message
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

    def waiting(self) -> bool:
        return False


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


class SameLoop(Filter):
    """Two of its handlers share a queue, as they would share a connection."""

    async def on_helo(self, session: Session, request: Helo) -> PhaseDecision:
        self.loop = asyncio.get_running_loop()
        self.queue: asyncio.Queue[PhaseDecision] = asyncio.Queue()
        self.loop.call_later(0.01, self.queue.put_nowait, PROCEED)  # while the next one waits
        return PROCEED

    async def on_mail_from(self, session: Session, request: MailFrom) -> PhaseDecision:
        assert asyncio.get_running_loop() is self.loop
        return await self.queue.get()


def test_the_handlers_of_one_run_have_one_loop_that_is_closed_then() -> None:
    filter = SameLoop()
    assert run_message(filter).accepted
    assert filter.loop.is_closed()


def drive(filter: Filter) -> Driver:
    smtpd = Smtpd()
    driver = Driver(filter_connection(filter), smtpd.receive)
    driver.feed(smtpd.data_to_send())
    smtpd.connect().helo()
    while data := smtpd.data_to_send():
        driver.feed(data)
    return driver


def test_the_loop_of_a_driver_is_closed_at_the_end_of_a_block_and_of_the_driver() -> None:
    with_block, without = SameLoop(), SameLoop()
    with drive(with_block) as driver:
        assert not with_block.loop.is_closed()
    assert with_block.loop.is_closed()
    driver.close()  # twice does no harm
    driver = drive(without)
    assert not without.loop.is_closed()
    del driver
    gc.collect()
    assert without.loop.is_closed()
