"""Start, timers and stop of filters and tables, as real processes."""

from pathlib import Path

import pytest

from unit.support.child import Child
from unit.support.handlers import CONNECT
from unit.support.lookups import answer, lookup
from unit.support.processes import CHECKED
from unit.support.table_child import TableChild
from unit.support.talk import request, result

FILTER = """
class Some(Filter):
    def on_noop(self, session, request):
        return PROCEED
"""
TABLE = """
class Some(Table):
    services = (Service.ALIAS,)
    def lookup(self, service, key):
        return key
"""
WAYS = {
    "filter": (Child, FILTER, "def"),
    "filter async": (Child, FILTER, "async def"),
    "table": (TableChild, TABLE, "def"),
    "table async": (TableChild, TABLE, "async def"),
}
each_way = pytest.mark.parametrize(("kind", "plugin", "define"), WAYS.values(), ids=WAYS)
Kind = type[Child] | type[TableChild]


def serves(child: Child) -> None:
    """Ask a thing, and see the answer."""
    if isinstance(child, TableChild):
        child.send(lookup())
        assert child.lines() == [answer(b"found|alice")]
    else:
        child.send(request(b"noop"))
        assert child.lines() == [result(b"proceed")]


# --- start ----------------------------------------------------------------------------------------


@each_way
def test_it_starts_before_it_is_ready_and_stops_at_the_end(
    tmp_path: Path, kind: Kind, plugin: str, define: str
) -> None:
    source = f"""{plugin}
    {define} start(self):
        log("start")
    {define} stop(self):
        log("stop")
"""
    with kind(tmp_path, source) as child:
        assert child.log() == "start"  # smtpd has not said a word yet
        assert child.hello().endswith(b"register|ready\n")
        serves(child)
        assert child.end() == (0, b"", "stop\n")


@each_way
def test_check_calls_neither(tmp_path: Path, kind: Kind, plugin: str, define: str) -> None:
    source = f"""{plugin}
    {define} start(self):
        log("start")
    {define} stop(self):
        log("stop")
"""
    argv = ["-n", "/x"] if kind is TableChild else ["-n"]
    with kind(tmp_path, source, *argv) as child:
        status, out, log = child.wait()
        assert (status, log) == (0, "")
        assert out.endswith(f": {CHECKED}\n".encode())


@each_way
@pytest.mark.parametrize(
    "error", ["ConfigError('bad', path='/etc/x', line=3)", "LocalError('bad')"]
)
def test_a_start_that_cannot_use_the_configuration_ends_the_program(
    tmp_path: Path, kind: Kind, plugin: str, define: str, error: str
) -> None:
    source = f"""{plugin}
    {define} start(self):
        raise {error}
    {define} stop(self):
        log("stop")
"""
    with kind(tmp_path, source) as child:
        status, out, log = child.wait()
        assert (status, out) == (1, b"")
        assert log in ("filter-x: bad\n", "table-x: bad\n") or log.endswith(": /etc/x:3: bad\n")
        assert log.count("\n") == 1


@each_way
@pytest.mark.parametrize(
    "act",
    [
        "raise OSError('down')",
        "raise Unavailable('down')",
        "sys.exit('down')",
        "raise KeyboardInterrupt('down')",
    ],
)
def test_any_other_failure_is_logged_and_the_program_goes_on(
    tmp_path: Path, kind: Kind, plugin: str, define: str, act: str
) -> None:
    source = f"{plugin}\n    {define} start(self):\n        {act}\n"
    with kind(tmp_path, source) as child:
        line = child.log()
        assert line.startswith("handler-failed handler=start error=")
        assert " at=filter.py:" in line
        # Of a table, only an error of the suite's own has a text that is surely no row.
        assert line.endswith(" reason=down") == (kind is Child or "Unavailable" in act)
        child.hello()
        serves(child)
        assert child.end() == (0, b"", "")


@each_way
def test_a_start_that_never_ends_is_given_up(
    tmp_path: Path, kind: Kind, plugin: str, define: str
) -> None:
    wait = "await asyncio.sleep(3600)" if "async" in define else "time.sleep(3600)"
    source = f"""watchdog.STALL = watchdog.RELOAD_STALL = 0.2
{plugin}
    {define} start(self):
        {wait}
"""
    with kind(tmp_path, source) as child:
        line = child.log()
        assert line.startswith("handler-failed handler=start error=HandlerTimeout ")
        said = "no end within 0.2 s" if "async" in define else "start blocked for 0.2 s in line "
        assert f' reason="{said}' in line
        child.hello()
        serves(child)
        assert child.end() == (0, b"", "")


@each_way
def test_a_step_of_start_that_blocks_is_interrupted(
    tmp_path: Path, kind: Kind, plugin: str, define: str
) -> None:
    source = f"""watchdog.STALL = watchdog.RELOAD_STALL = 0.2
{plugin}
    {define} start(self):
        while True:
            pass
"""
    with kind(tmp_path, source) as child:
        assert ' reason="start blocked for 0.2 s in line ' in child.log()
        child.hello()
        serves(child)
        assert child.end() == (0, b"", "")


def test_a_start_that_returns_something_is_refused(tmp_path: Path) -> None:
    source = f"{FILTER}\n    def start(self):\n        return Offload(lambda: None)\n"
    with Child(tmp_path, source) as child:
        assert child.wait() == (1, b"", "filter-x: start returned a Offload\n")


def test_debug_shows_where_a_start_failed(tmp_path: Path) -> None:
    source = f"{FILTER}\n    def start(self):\n        raise LocalError('bad')\n"
    with Child(tmp_path, source, "--debug") as child:
        status, _, log = child.wait()
        assert status == 1
        *lines, last = log.splitlines()
        assert last == "filter-x: bad"
        assert lines[-1].startswith(f"traceback at={tmp_path}/filter.py:")
        assert lines[-1].endswith(" in=Some.start")


def test_what_start_leaves_on_asyncio_goes_on(tmp_path: Path) -> None:
    source = f"""{FILTER}
    async def start(self):
        self.ended = asyncio.get_running_loop().create_future()
        self.task = asyncio.create_task(self.listen())
    async def listen(self):
        await asyncio.sleep(0.01)
        log("heard")
        self.ended.set_result(7)
    async def on_connect(self, session, request):
        return Reject(550, f"{{await self.ended}}")
    async def stop(self):
        await self.task
        log("stop", same=self.ended.get_loop() is asyncio.get_running_loop())
"""
    with Child(tmp_path, source) as child:
        child.hello()
        assert child.log() == "heard"
        child.send(CONNECT)
        assert child.lines() == [result(b"reject|550 7")]
        assert child.end() == (0, b"", "stop same=True\n")


def test_a_hangup_while_it_starts_is_not_lost(tmp_path: Path) -> None:
    source = f"""{FILTER}
    def start(self):
        os.kill(os.getpid(), 1)
    def reload(self):
        log("reload")
"""
    with Child(tmp_path, source) as child:
        assert [child.log(), child.log()] == ["reload", "reloaded"]


def test_asyncio_is_loaded_for_coroutines_only(tmp_path: Path) -> None:
    source = f"""
for name in [name for name in sys.modules if name.startswith("asyncio")]:
    del sys.modules[name]
{FILTER}
    def start(self):
        pass
    @every(0.01)
    def look(self):
        self.look = None
        log("asyncio", loaded="asyncio" in sys.modules)
    def stop(self):
        log("asyncio", loaded="asyncio" in sys.modules)
"""
    with Child(tmp_path, source) as child:
        child.hello()
        assert child.log() == "asyncio loaded=False"
        status, _, log = child.end()
        assert status == 0
        assert log.endswith("asyncio loaded=False\n")


# --- stop -----------------------------------------------------------------------------------------


@each_way
@pytest.mark.parametrize("act", ["raise OSError('x')", "sys.exit(3)", "raise LocalError('x')"])
def test_a_stop_that_fails_changes_nothing(
    tmp_path: Path, kind: Kind, plugin: str, define: str, act: str
) -> None:
    source = f"{plugin}\n    {define} stop(self):\n        {act}\n"
    with kind(tmp_path, source) as child:
        child.hello()
        status, out, log = child.end()
        assert (status, out) == (0, b"")
        assert log.startswith("handler-failed handler=stop error=")
        assert " at=filter.py:" in log
        assert log.count("\n") == 1


@each_way
@pytest.mark.parametrize("busy", [False, True])
def test_a_stop_that_never_ends_is_given_up(
    tmp_path: Path, kind: Kind, plugin: str, define: str, busy: bool
) -> None:
    wait = "await asyncio.sleep(3600)" if "async" in define else "time.sleep(3600)"
    source = f"""watchdog.STALL = 0.2
{plugin}
    {define} stop(self):
        while True:
            try:
                {"sum(range(100))" if busy else wait}
            except Exception:
                pass
            except asyncio.CancelledError:
                log("cancelled")
"""
    with kind(tmp_path, source) as child:
        child.hello()
        serves(child)
        status, out, log = child.end()
        assert (status, out) == (0, b"")
        assert log.splitlines()[-1].startswith("handler-failed handler=stop error=HandlerTimeout ")


def test_stop_is_called_after_coroutines_too(tmp_path: Path) -> None:
    source = f"""{FILTER}
    async def on_connect(self, session, request):
        await asyncio.sleep(3600)
    async def stop(self):
        began = time.process_time()
        await asyncio.sleep(0.5)  # smtpd's end of file, that nobody reads, must not keep us busy
        log("stop", busy=time.process_time() - began > 0.2)
    def start(self):
        pass
"""
    with Child(tmp_path, source) as child:
        child.hello()
        child.send(CONNECT)
        serves(child)
        assert child.end() == (0, b"", "stop busy=False\n")


def test_stop_is_called_where_smtpd_speaks_another_protocol(tmp_path: Path) -> None:
    with Child(tmp_path, f"{FILTER}\n    def stop(self):\n        log('stop')\n") as child:
        child.send(b"config|protocol|0.4\n")
        status, _, log = child.wait()
        assert status == 1
        assert log.startswith("stop\nfilter-x: filter protocol 0.4 ")


# --- timers ---------------------------------------------------------------------------------------

TICKS = """
    count = 0
    @every(0.02)
    {define} tick(self):
        self.count += 1
        if self.count < 4:
            log("tick", self.count)
        if self.count == 2:
            raise ValueError("x")
"""


@each_way
def test_timers_run_while_it_serves(tmp_path: Path, kind: Kind, plugin: str, define: str) -> None:
    source = plugin + TICKS.replace("{define}", define).replace('"tick", self', '"tick", n=self')
    with kind(tmp_path, source) as child:
        child.hello()
        serves(child)
        assert [child.log(), child.log()] == ["tick n=1", "tick n=2"]
        line = child.log()
        assert line.startswith("handler-failed handler=tick error=ValueError at=filter.py:")
        assert line.endswith(" reason=x") == (kind is Child)
        assert child.log() == "tick n=3"
        serves(child)
        assert child.end() == (0, b"", "")


@each_way
def test_timers_run_while_smtpd_asks_without_a_pause(
    tmp_path: Path, kind: Kind, plugin: str, define: str
) -> None:
    source = plugin + TICKS.replace("{define}", define).replace('"tick", self', '"tick", n=self')
    with kind(tmp_path, source) as child:
        child.hello()
        for _ in range(300):
            serves(child)
        assert child.log() == "tick n=1"


@each_way
def test_a_timer_that_is_always_due_keeps_nobody_waiting(
    tmp_path: Path, kind: Kind, plugin: str, define: str
) -> None:
    source = f"""{plugin}
    @every(0.0001)
    {define} tick(self):
        time.sleep(0.002)
"""
    with kind(tmp_path, source) as child:
        child.hello()
        for _ in range(20):
            serves(child)
        status, out, log = child.end()
        assert (status, out) == (0, b"")
        assert set(log.splitlines()) <= {"timer-late handler=tick seconds=0.0001"}


@each_way
def test_a_timer_that_blocks_is_interrupted(
    tmp_path: Path, kind: Kind, plugin: str, define: str
) -> None:
    source = f"""watchdog.STALL = 0.2
{plugin}
    @every(0.02)
    {define} tick(self):
        if not hasattr(self, "ticked"):
            self.ticked = True
            while True:
                pass
"""
    with kind(tmp_path, source) as child:
        child.hello()
        line = child.log()
        assert line.startswith("handler-failed handler=tick error=HandlerTimeout at=filter.py:")
        assert f' reason="{"coroutine" if "async" in define else "tick"} blocked for 0.2 s' in line
        serves(child)
        assert child.end() == (0, b"", "")


def test_a_table_with_a_plain_timer_keeps_its_blocking_loop(tmp_path: Path) -> None:
    source = f"""{TABLE}
    @every(0.02)
    def tick(self):
        frame, names = sys._getframe(), []
        while frame is not None:
            names.append(frame.f_code.co_name)
            frame = frame.f_back
        if not hasattr(self, "ticked"):
            self.ticked = True
            log("loop", blocking="serve_blocking" in names)
"""
    with TableChild(tmp_path, source) as child:
        child.hello()
        assert child.log() == "loop blocking=True"
        serves(child)
        assert child.end() == (0, b"", "")


@pytest.mark.parametrize("kind", [Child, TableChild])
def test_a_timer_may_use_a_thread(tmp_path: Path, kind: Kind) -> None:
    source = f"""{TABLE if kind is TableChild else FILTER}
    @every(0.02)
    def tick(self):
        return Offload(self.work)
    def work(self):
        import threading
        if not hasattr(self, "ticked"):
            self.ticked = True
            log("work", main=threading.current_thread() is threading.main_thread())
"""
    with kind(tmp_path, source) as child:
        child.hello()
        assert child.log() == "work main=False"
        serves(child)
        assert child.end() == (0, b"", "")


def test_a_subclass_may_take_the_timer_away(tmp_path: Path) -> None:
    source = f"""
class Base(Filter):
    @every(0.01)
    def tick(self):
        log("of the base")
    @every(0.01)
    def tock(self):
        if not hasattr(self, "tocked"):
            self.tocked = True
            log("tock")
{FILTER.replace("(Filter)", "(Base)")}
    def tick(self):
        log("of the subclass")
"""
    with Child(tmp_path, source) as child:
        child.hello()
        assert child.log() == "tock"
        serves(child)
        assert child.end() == (0, b"", "")


# --- the limit of the log -------------------------------------------------------------------------

TALKS = """watchdog.STALL = 0.4
log_module.LINES_MAX = 10
class Some(Filter):
    def __init__(self):
        self.talk("made", 15)
    def talk(self, event, count):
        for number in range(count):
            log(event, number=number)
    def on_noop(self, session, request):
        self.talk("asked", 40)
        return PROCEED
    def stop(self):
        self.talk("stop", 15)
"""


def test_clients_cannot_fill_the_log(tmp_path: Path) -> None:
    with Child(tmp_path, TALKS) as child:
        child.hello()
        assert [child.log() for _ in range(15)][-1] == "made number=14"
        child.send(request(b"noop"))
        seen, left_out = 0, 0
        while seen + left_out < 40:  # the count of the last second comes though nothing does
            event, _, number = child.log().partition("=")
            if event == "log-limited lines":
                left_out += int(number)
            else:
                assert event == "asked number"
                seen += 1
        assert seen >= 10
        status, _, log = child.end()
        assert (status, log.count("\n"), log.splitlines()[-1]) == (0, 15, "stop number=14")


def test_the_check_and_last_words_have_no_limit(tmp_path: Path) -> None:
    with Child(tmp_path, TALKS, "-n") as child:
        status, _, log = child.wait()
        assert (status, log.count("\n")) == (0, 15)
    source = TALKS.replace('self.talk("stop", 15)', "self.talk('x', 1); raise ValueError")
    with Child(tmp_path, source) as child:
        child.hello()
        child.send(request(b"noop"))
        status, _, log = child.end()
        assert status == 0
        assert "\nhandler-failed handler=stop error=ValueError " in log
        assert "log-limited lines=" in log
