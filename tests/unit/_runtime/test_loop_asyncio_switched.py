"""What the plain loop does, done by the asyncio loop after the switch to it."""

from pathlib import Path

from unit.support.child import Child
from unit.support.handlers import CONNECT, OTHER
from unit.support.talk import TEMPFAIL, data, datalines, request, result

SWITCHED = """
watchdog.STALL = 0.2
class Some(Filter):
    answer = "first"
    async def on_connect(self, session, request):
        return PROCEED
    def on_noop(self, session, request):
        return Reject(550, self.answer)
    def on_help(self, session, request):
        while True:
            pass
    def on_quit(self, session, request):
        return Offload(lambda: Reject(550, "from a thread"))
    def on_message(self, session):
        return Sign()
    def reload(self):
        if self.answer == "second":
            raise ConfigError("worse")
        self.answer = "second"
class Sign(HeldMessage):
    async def end(self):
        await asyncio.sleep(0)
        return [b"X: y"]
"""


def switched(child: Child) -> None:
    child.hello()
    child.send(CONNECT)
    assert child.lines() == [result(b"proceed")]


def test_reload(tmp_path: Path) -> None:
    with Child(tmp_path, SWITCHED) as child:
        switched(child)
        child.hang_up()
        assert child.log() == "reloaded"
        child.hang_up()
        assert child.log() == 'reload-failed reason=worse kept="the old configuration"'
        child.send(request(b"noop"))
        assert child.lines() == [result(b"reject|550 second")]


def test_a_plain_handler_that_blocks_is_interrupted(tmp_path: Path) -> None:
    with Child(tmp_path, SWITCHED) as child:
        switched(child)
        child.send(request(b"help"), request(b"noop"))
        assert child.lines(2) == [result(TEMPFAIL), result(b"reject|550 first")]


def test_offloads(tmp_path: Path) -> None:
    with Child(tmp_path, SWITCHED) as child:
        switched(child)
        child.send(request(b"quit") * 100)
        assert child.lines(100) == [result(b"reject|550 from a thread")] * 100


def test_a_large_message_to_an_smtpd_that_does_not_read(tmp_path: Path) -> None:
    with Child(tmp_path, SWITCHED) as child:
        switched(child)
        lines = [b"x" * 100] * 80_000
        child.send(data(*lines, b"."))
        assert child.until(datalines(b".")) == datalines(b"X: y", *lines, b".")
        child.send(request(b"commit"))
        assert child.lines() == [result(b"proceed")]
        assert child.end() == (0, b"", "")


def test_the_switch_amid_unsent_output(tmp_path: Path) -> None:
    source = """
class Some(Filter):
    async def on_connect(self, session, request):
        return PROCEED
    def on_message(self, session):
        return None
"""
    with Child(tmp_path, source) as child:
        child.hello()
        lines = [b"x" * 100] * 40_000
        child.send(data(*lines), request(b"connect", b"a|b", session=OTHER), data(b"."))
        answer = child.until(datalines(b"."))
        assert answer.replace(result(b"proceed", session=OTHER), b"") == datalines(*lines, b".")
        assert child.end() == (0, b"", "")
