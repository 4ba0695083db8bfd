"""The loop on asyncio, in a real process."""

from pathlib import Path
from random import Random

import pytest

from unit.support.child import Child
from unit.support.handlers import CONNECT, OTHER
from unit.support.talk import TEMPFAIL, report, request, result

SLEEPS = """
class Some(Filter):
    async def on_connect(self, session, request):
        await asyncio.sleep(3600)
    async def on_noop(self, session, request):
        await asyncio.sleep(0)
        return JUNK_OR_NOT
    def on_quit(self, session, request):
        return PROCEED
JUNK_OR_NOT = PROCEED
"""


def test_plain_handlers_answer_while_coroutines_wait(tmp_path: Path) -> None:
    with Child(tmp_path, SLEEPS) as child:
        child.hello()
        child.send(CONNECT, request(b"quit", session=OTHER), request(b"noop", session=OTHER))
        assert child.lines(2) == [
            result(b"proceed", session=OTHER),
            result(b"proceed", session=OTHER),
        ]
        child.send(request(b"quit", session=OTHER))
        assert child.lines() == [result(b"proceed", session=OTHER)]
        assert child.end() == (0, b"", "")


def test_many_coroutines_at_once(tmp_path: Path) -> None:
    source = """
waiting = []
class Some(Filter):
    async def on_noop(self, session, request):
        waiting.append(asyncio.get_running_loop().create_future())
        if len(waiting) == 1000:
            for future in waiting:
                future.set_result(None)
        await waiting[-1]
        return Reject(550, session.id)
"""
    with Child(tmp_path, source) as child:
        child.hello()
        sessions = [b"%016x" % number for number in range(1000)]
        child.send(*(request(b"noop", session=session) for session in sessions))
        assert sorted(child.lines(1000)) == [
            result(b"reject|550 " + session, session=session) for session in sessions
        ]
        assert child.end() == (0, b"", "")


@pytest.mark.parametrize(
    "act",
    ["raise ValueError('x')", "sys.exit(3)", "raise KeyboardInterrupt", "return None", "raise E"],
)
def test_a_coroutine_that_goes_wrong(tmp_path: Path, act: str) -> None:
    source = f"""
E = asyncio.CancelledError()
class Some(Filter):
    async def on_connect(self, session, request):
        await asyncio.sleep(0)
        {act}
    def on_noop(self, session, request):
        return PROCEED
"""
    with Child(tmp_path, source) as child:
        child.hello()
        child.send(CONNECT)
        assert child.lines() == [result(TEMPFAIL)]
        assert "1718c5e591926d28 handler-failed handler=on_connect error=" in child.log()
        child.send(request(b"noop"))
        assert child.lines() == [result(b"proceed")]
        assert child.end() == (0, b"", "")


@pytest.mark.parametrize(
    ("argv", "answer"), [([], TEMPFAIL), (["--on-failure", "pass"], b"proceed")]
)
def test_a_coroutine_that_never_ends(tmp_path: Path, argv: list[str], answer: bytes) -> None:
    with Child(tmp_path, SLEEPS, "--deadline", "0.2", *argv) as child:
        child.hello()
        child.send(CONNECT)
        assert child.lines() == [result(answer)]
        assert child.log() == (
            "1718c5e591926d28 handler-failed handler=on_connect error=HandlerTimeout"
            ' reason="no answer within 0.2 s"'
        )
        assert child.end() == (0, b"", "")


def test_a_coroutine_that_is_late_and_answers_all_the_same(tmp_path: Path) -> None:
    source = """
class Some(Filter):
    async def on_connect(self, session, request):
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            log("cancelled")
            return PROCEED
    def on_noop(self, session, request):
        return PROCEED
"""
    with Child(tmp_path, source, "--deadline", "0.2") as child:
        child.hello()
        child.send(CONNECT)
        assert child.lines() == [result(TEMPFAIL)]
        assert "error=HandlerTimeout" in child.log()
        assert child.log() == "cancelled"
        child.send(request(b"noop"))
        assert child.lines() == [result(b"proceed")]
        assert child.end() == (0, b"", "")


def test_coroutines_have_all_that_asyncio_offers(tmp_path: Path) -> None:
    source = """
class Some(Filter):
    async def on_connect(self, session, request):
        try:
            async with asyncio.timeout(0.05):
                await asyncio.sleep(3600)
        except TimeoutError:
            pass
        future = asyncio.get_running_loop().create_future()
        future.set_exception(KeyError("x"))
        try:
            await future
        except KeyError:
            pass
        first, second = await asyncio.gather(self.echo(1), asyncio.to_thread(lambda: 2))
        task = asyncio.create_task(self.echo(3))
        return Reject(550, f"{first} {second} {await task} {asyncio.current_task() is not None}")
    async def echo(self, value):
        await asyncio.sleep(0)
        return value
"""
    with Child(tmp_path, source) as child:
        child.hello()
        child.send(CONNECT)
        assert child.lines() == [result(b"reject|550 1 2 3 True")]
        assert child.end() == (0, b"", "")


def test_a_coroutine_is_cancelled_when_its_client_is_gone(tmp_path: Path) -> None:
    source = """
class Some(Filter):
    async def on_connect(self, session, request):
        log("begun")
        try:
            await asyncio.sleep(3600)
        finally:
            log("cancelled")
"""
    with Child(tmp_path, source) as child:
        child.hello()
        child.send(CONNECT)
        assert child.log() == "begun"
        child.send(report(b"link-disconnect"))
        assert child.log() == "cancelled"
        assert child.end() == (0, b"", "")


def test_a_coroutine_that_blocks_is_interrupted(tmp_path: Path) -> None:
    source = """
watchdog.STALL = 0.2
class Some(Filter):
    async def on_connect(self, session, request):
        await asyncio.sleep(0)
        while True:
            pass
    def on_noop(self, session, request):
        return PROCEED
"""
    with Child(tmp_path, source) as child:
        child.socket.settimeout(5)
        child.hello()
        child.send(CONNECT)
        assert child.lines() == [result(TEMPFAIL)]
        child.send(request(b"noop"))
        assert child.lines() == [result(b"proceed")]


# --- the end --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "act",
    [
        "await asyncio.sleep(3600)",
        "await asyncio.to_thread(time.sleep, 3600)",
        "await stubborn()",
    ],
)
def test_the_end_waits_for_nobody(tmp_path: Path, act: str) -> None:
    source = f"""
async def stubborn():
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            pass
class Some(Filter):
    async def on_connect(self, session, request):
        log("begun")
        {act}
"""
    with Child(tmp_path, source) as child:
        child.hello()
        child.send(CONNECT)
        assert child.log() == "begun"
        child.socket.shutdown(1)
        assert child.process.wait(5) == 0


def test_a_crowd_of_coroutines_keeps_nobody_else_waiting(tmp_path: Path) -> None:
    """They begin a few at a time, and those whose session has ended meanwhile never do."""
    source = """
class Some(Filter):
    async def on_noop(self, session, request):
        log("began", session.id)
        time.sleep(0.01)
        await asyncio.sleep(3600)
    def on_quit(self, session, request):
        log("quit")
        return PROCEED
"""
    with Child(tmp_path, source) as child:
        child.hello()
        sessions = [b"%016x" % number for number in range(100)]
        child.send(*(request(b"noop", session=session) for session in sessions))
        began = [child.log()]
        child.send(report(b"link-disconnect", session=sessions[-1]), request(b"quit"))
        while began[-1] != "quit":
            began.append(child.log())
        assert len(began) < 90
        while len(began) < 100:
            began.append(child.log())
        assert f"{sessions[-1].decode()} began" not in began
        assert child.lines() == [result(b"proceed")]
        assert child.end() == (0, b"", "")


def test_coroutines_that_are_cancelled_before_they_begin(tmp_path: Path) -> None:
    """They are closed, without a word of Python's in the log."""
    with Child(tmp_path, SLEEPS) as child:
        child.hello()
        dice, live = Random(1), []
        for number in range(3000):
            live.append(b"%016x" % number)
            child.send(request(b"connect", b"x|192.0.2.5", session=live[-1]))
            if dice.random() < 0.7:
                gone = live.pop(dice.randrange(max(0, len(live) - 60), len(live)))
                child.send(report(b"link-disconnect", session=gone))
        child.send(request(b"quit"))
        assert child.lines() == [result(b"proceed")]
        assert child.end() == (0, b"", "")


@pytest.mark.parametrize(
    ("act", "failure"),
    [
        ("sys.exit(3)", "SystemExit at=filter.py:"),
        ("loop.call_soon(sys.exit, 3)", "SystemExit at=events.py:"),
        ("loop.stop()", "LocalError at=loop_asyncio.py:"),
        ("for task in asyncio.all_tasks():\n            task.cancel()", None),
    ],
)
def test_tasks_of_the_plugin_cannot_end_the_program(
    tmp_path: Path, act: str, failure: str | None
) -> None:
    source = f"""
class Some(Filter):
    async def start(self):
        self.task = asyncio.create_task(self.watch())
    async def watch(self):
        loop = asyncio.get_running_loop()
        await asyncio.sleep(0.05)
        log("acts")
        {act}
    async def on_noop(self, session, request):
        await asyncio.sleep(0)
        return PROCEED
"""
    with Child(tmp_path, source) as child:
        child.hello()
        assert child.log() == "acts"
        if failure is not None:
            assert child.log().startswith(f"handler-failed handler=task error={failure}")
        child.send(request(b"noop"))
        assert child.lines() == [result(b"proceed")]
        assert child.end() == (0, b"", "")


@pytest.mark.parametrize(
    ("error", "shown"), [("ValueError", ""), ("LocalError", ' reason="PLAIN c2VjcmV0"')]
)
def test_a_task_that_fails_is_logged_without_its_text(
    tmp_path: Path, error: str, shown: str
) -> None:
    source = f"""
class Some(Filter):
    async def on_auth(self, session, request):
        async def fail():
            raise {error}(request.parameter.decode())
        asyncio.create_task(fail())
        await asyncio.sleep(0.05)
        return PROCEED
"""
    with Child(tmp_path, source) as child:
        child.hello()
        child.send(request(b"auth", b"PLAIN c2VjcmV0"))
        assert child.lines() == [result(b"proceed")]
        start = f"handler-failed handler=task error={error} at=filter.py:"
        status, out, log = child.end()
        assert (status, out, log.count("\n")) == (0, b"", 1)
        assert log.startswith(start)
        assert log.rstrip("\n").removeprefix(start).lstrip("0123456789") == shown
