"""Workers behind plugins that a loop serves: the plain one, asyncio's, and the one of tables."""

import os
import signal
import time
from pathlib import Path

import pytest

from opensmtpd import answer
from opensmtpd._protocol.dispatch import Dispatcher
from opensmtpd._runtime.sources import Sources
from opensmtpd._runtime.watchdog import Watchdog
from opensmtpd.errors import HandlerTimeout
from unit.support.child import PATIENCE, Child
from unit.support.lookups import answer as table_answer
from unit.support.lookups import lookup
from unit.support.table_child import TableChild
from unit.support.talk import TEMPFAIL, request, result

WORKER = f"""
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from opensmtpd import worker
POOL = "unit.support.workers:Echo"
"""
FILTER = (
    WORKER
    + """
class Some(Filter):
    def __init__(self):
        self.pool = worker.Pool(POOL, None, deadline=2)
    def on_noop(self, session, request):
        return self.pool.ask("pid").then(lambda pid: PROCEED)
    def on_rset(self, session, request):
        return self.pool.ask("hang").then(lambda pid: PROCEED)
    def on_helo(self, session, request):
        return self.pool.ask("raise").then(lambda pid: PROCEED)
"""
)
ASYNC = FILTER.replace(
    '        return self.pool.ask("pid").then(lambda pid: PROCEED)\n',
    '        return await self.pool.ask("pid") and PROCEED\n',
).replace("def on_noop", "async def on_noop")


@pytest.mark.parametrize("program", [FILTER, ASYNC], ids=["plain", "asyncio"])
def test_a_filter_with_workers(tmp_path: Path, program: str) -> None:
    with Child(tmp_path, program) as child:
        child.hello()
        for _ in range(3):
            child.send(request(b"noop"))
            assert child.lines() == [result(b"proceed")]
        child.send(request(b"helo", b"x"))
        assert child.lines() == [result(TEMPFAIL)]
        assert "error=WorkerError" in child.log()
        child.send(request(b"rset"), request(b"noop", token=b"1f08300f797e0822"))
        assert len(child.lines(2)) == 2


TABLE = (
    WORKER
    + """
class Some(Table):
    services = (Service.ALIAS,)
    def __init__(self):
        self.pool = worker.Pool(POOL, None, deadline=10)
    def lookup(self, service, key):
        if key == "pid":
            return str(self.pool.request("pid"))
        return self.pool.ask(key)
"""
)


def test_a_table_with_workers(tmp_path: Path) -> None:
    with TableChild(tmp_path, TABLE) as child:
        child.hello()
        child.send(lookup(b"pid"))
        [line] = child.lines()
        pid = int(line.rsplit(b"|", 1)[1])
        os.kill(pid, signal.SIGKILL)
        for _ in range(2):
            child.send(lookup(b"pid"))
            [line] = child.lines()
            assert int(line.rsplit(b"|", 1)[1]) != pid
        for key in (b"a", b"b"):
            child.send(lookup(key))
            assert child.lines() == [table_answer(b"found|" + key)]
        child.send(lookup(b"raise"))
        assert child.lines() == [table_answer(b"error|ValueError")]


def test_the_workers_of_a_table_are_looked_at_while_smtpd_asks_without_a_pause(
    tmp_path: Path,
) -> None:
    """It is read without a poll then. A stem that has died is to be replaced all the same."""
    stems = '        return ",".join(str(end.pid) for end in self.pool._crew.stems)\n'
    table = TABLE.replace("        return self.pool.ask(key)\n", stems)
    with TableChild(tmp_path, table) as child:
        child.hello()

        def ask() -> list[int]:
            child.send(lookup(b"stems"))
            [line] = child.lines()
            return [int(pid) for pid in line.rsplit(b"|", 1)[1].split(b",")]

        while 0 in (first := ask()):
            pass
        os.kill(first[0], signal.SIGKILL)
        end = time.monotonic() + PATIENCE
        while 0 in (now := ask()) or now == first:
            assert time.monotonic() < end
        assert len(now) == 2
        assert first[0] not in now


class Silent:
    """A source with a deadline."""

    def __init__(self, due: float | None) -> None:
        self.due = due
        self.calls: list[str] = []

    def fileno(self) -> int:
        return 0

    def receive(self) -> list[object]:
        self.calls.append("receive")
        return []

    def expire(self, now: float) -> list[object]:
        self.calls.append("expire")
        self.due = None

        def explode() -> None:
            raise HandlerTimeout("slow")

        return [explode, lambda: self.calls.append("settled")]

    def next_deadline(self) -> float | None:
        return self.due

    def flush(self) -> None:
        self.calls.append("flush")


def test_what_is_due_is_done_and_one_failure_keeps_no_other(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    source = Silent(time.monotonic() - 1)
    monkeypatch.setattr(answer, "sources", lambda: [source])
    before = signal.getsignal(signal.SIGALRM)
    logged: list[str] = []
    dispatcher = Dispatcher(10.0, lambda event, *_, **__: logged.append(event))
    try:
        sources = Sources(dispatcher, Watchdog(dispatcher))
        assert sources.next_deadline(None) == source.due
        assert sources.next_deadline(5.0) == min(5.0, source.due or 0)
        sources.expire()
        sources.expire()
        sources.receive(0)
        sources.receive(99)
        sources.flush()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert source.calls == ["expire", "settled", "receive", "flush"]
    assert logged == ["handler-failed"]
