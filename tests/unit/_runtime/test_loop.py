"""The loop under load: handlers that block, offloads, an smtpd that does not read."""

import socket
from pathlib import Path

import pytest

from unit.support.child import Child
from unit.support.talk import TEMPFAIL, S, data, datalines, report, request, result

NOOP = """
class Some(Filter):
    def on_noop(self, session, request):
        return PROCEED
"""
ECHO = """
class Some(Filter):
    def on_noop(self, session, request):
        return PROCEED
    def on_message(self, session):
        return None
"""
OTHER = b"1718c5e887ba5b41"


# --- handlers that block --------------------------------------------------------------------------

BLOCKS = """
watchdog.STALL = 0.2
class Some(Filter):
    def on_connect(self, session, request):
        while True:
            try:
                while True:
                    pass
            except Exception:
                pass
    def on_noop(self, session, request):
        return PROCEED
    def on_message(self, session):
        return Blocked()
class Blocked(HeldMessage):
    def header(self, lines):
        Some.on_connect(None, None, None)
"""
CONNECT = request(b"connect", b"localhost|127.0.0.1")


@pytest.mark.parametrize(
    ("argv", "answer"), [([], TEMPFAIL), (["--on-failure", "pass"], b"proceed")]
)
def test_a_handler_that_blocks_is_interrupted(
    tmp_path: Path, argv: list[str], answer: bytes
) -> None:
    with Child(tmp_path, BLOCKS, *argv) as child:
        child.hello()
        child.send(CONNECT, request(b"noop"), CONNECT)
        assert child.lines(3) == [result(answer), result(b"proceed"), result(answer)]
        for _ in range(2):
            line = child.log()
            assert "handler-failed handler=on_connect error=HandlerTimeout" in line
            assert ' reason="on_connect blocked for 0.2 s in line ' in line
            assert line.endswith('/filter.py"')
        assert child.end() == (0, b"", "")


def test_a_message_handler_that_blocks_is_interrupted(tmp_path: Path) -> None:
    with Child(tmp_path, BLOCKS) as child:
        child.hello()
        child.send(data(b"A: 1", b"."))
        assert child.lines() == [datalines(b".")]
        child.send(request(b"commit"))
        assert child.lines() == [result(TEMPFAIL)]
        assert 'reason="message blocked for 0.2 s in line ' in child.log()


def test_a_sleeping_handler_is_interrupted(tmp_path: Path) -> None:
    source = """
watchdog.STALL = 0.2
class Some(Filter):
    def on_noop(self, session, request):
        time.sleep(3600)
"""
    with Child(tmp_path, source) as child:
        child.hello()
        child.send(request(b"noop"))
        assert child.lines() == [result(TEMPFAIL)]


def test_many_quick_calls_are_not_taken_for_one_that_blocks(tmp_path: Path) -> None:
    source = """
watchdog.STALL = 1.0
class Some(Filter):
    def on_noop(self, session, request):
        time.sleep(0.03)
        return PROCEED
"""
    with Child(tmp_path, source) as child:
        child.hello()
        child.send(request(b"noop") * 50)
        assert child.lines(50) == [result(b"proceed")] * 50
        assert child.end() == (0, b"", "")


# --- offloads -------------------------------------------------------------------------------------


def test_offloads(tmp_path: Path) -> None:
    source = """
class Some(Filter):
    def on_noop(self, session, request):
        return Offload(lambda: Reject(550, session.id))
"""
    with Child(tmp_path, source) as child:
        child.hello()
        sessions = [b"%016x" % number for number in range(200)]
        child.send(*(request(b"noop", session=session) for session in sessions))
        assert sorted(child.lines(200)) == [
            result(b"reject|550 " + session, session=session) for session in sessions
        ]
        assert child.end() == (0, b"", "")


def test_an_offload_that_does_not_end(tmp_path: Path) -> None:
    source = """
class Some(Filter):
    def on_connect(self, session, request):
        return Offload(lambda: time.sleep(3600))
    def on_noop(self, session, request):
        return PROCEED
"""
    with Child(tmp_path, source, "--deadline", "0.2") as child:
        child.hello()
        child.send(CONNECT, request(b"noop"))
        assert child.lines(2) == [result(b"proceed"), result(TEMPFAIL)]
        assert child.log() == (
            "1718c5e591926d28 handler-failed handler=on_connect error=HandlerTimeout"
            ' reason="no answer within 0.2 s"'
        )
        assert child.end() == (0, b"", "")


# --- an smtpd that does not read ------------------------------------------------------------------


@pytest.mark.parametrize("line", [b"x" * 60, b"x" * 65_000])
def test_an_smtpd_that_does_not_read_is_still_read_from(tmp_path: Path, line: bytes) -> None:
    """All 8 MB are taken, more than sockets and the memory for spools hold; then all come back."""
    with Child(tmp_path, ECHO) as child:
        child.hello()
        lines = [line] * (8_000_000 // len(line))
        child.send(data(*lines, b"."))
        assert child.until(datalines(b".")) == datalines(*lines, b".")
        child.send(request(b"noop"))
        assert child.lines() == [result(b"proceed")]
        assert child.end() == (0, b"", "")


def test_output_a_few_bytes_at_a_time(tmp_path: Path) -> None:
    with Child(tmp_path, ECHO) as child:
        child.hello()
        child.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        lines = [b"%d" % number for number in range(20_000)]
        child.send(data(*lines, b"."))
        answer = b""
        while not answer.endswith(datalines(b".")):
            answer += child.socket.recv(977)
        assert answer == datalines(*lines, b".")


def test_a_session_that_streams_does_not_keep_others_waiting(tmp_path: Path) -> None:
    with Child(tmp_path, ECHO) as child:
        child.hello()
        lines = [b"x" * 1000] * 4000
        child.send(data(*lines), request(b"noop", session=OTHER), data(b"."))
        answer = child.until(datalines(b"."))
        assert answer.replace(result(b"proceed", session=OTHER), b"") == datalines(*lines, b".")
        assert answer.index(result(b"proceed", session=OTHER)) < len(answer) // 2


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc")
def test_memory_is_bounded_while_smtpd_does_not_read(tmp_path: Path) -> None:
    source = """
class Some(Filter):
    def on_message(self, session):
        return None
    def on_tx_data(self, session, report):
        status = dict(line.split(":") for line in open("/proc/self/status"))
        log("peak", below_60_megabytes=int(status["VmHWM"].split()[0]) < 60_000)
"""
    with Child(tmp_path, source) as child:
        child.hello()
        lines = data(*[b"x" * 1000] * 1000)
        for _ in range(100):
            child.send(lines)
        child.send(report(b"tx-data", b"018a64ac", b"ok"))
        assert child.log() == "peak below_60_megabytes=True"
        child.send(report(b"link-disconnect"))
        assert S in child.until(b"\n")


# --- bugs of ours ---------------------------------------------------------------------------------

BUGGY = """
from opensmtpd._protocol.dispatch import Dispatcher
from opensmtpd._protocol.filter.connection import FilterConnection
def faulty(name, calls, owner=FilterConnection):
    good, count = getattr(owner, name), [0]
    def method(self, *args):
        count[0] += 1
        if count[0] in calls:
            raise RuntimeError("a secret that an exception's text may hold")
        return good(self, *args)
    setattr(owner, name, method)
class Some(Filter):
    def on_connect(self, session, request):
        return Offload(lambda: PROCEED)
    def on_noop(self, session, request):
        return PROCEED
"""


@pytest.mark.parametrize(
    ("method", "calls", "answers"),
    [("_request", (1,), [TEMPFAIL]), ("receive", (2,), []), ("data_to_send", (3, 4), [])],
)
def test_a_bug_of_ours_does_not_end_the_mail_server(
    tmp_path: Path, method: str, calls: tuple[int, ...], answers: list[bytes]
) -> None:
    with Child(tmp_path, f"{BUGGY}faulty({method!r}, {calls})\n") as child:
        child.hello()
        child.send(request(b"noop"))
        line = child.log()
        assert line.startswith("internal-error error=RuntimeError at=filter.py:")
        assert "secret" not in line
        for answer in answers:
            assert child.lines() == [result(answer)]
        child.send(CONNECT)
        assert result(b"proceed") in child.lines()


def test_a_bug_of_ours_behind_a_thread(tmp_path: Path) -> None:
    with Child(tmp_path, BUGGY + "faulty('resolve', (1,), Dispatcher)\n") as child:
        child.hello()
        child.send(CONNECT)
        assert child.log().startswith("internal-error error=RuntimeError at=filter.py:")
        child.send(request(b"noop"))
        assert child.lines() == [result(b"proceed")]


# --- what else a plugin may do --------------------------------------------------------------------

TALKS = """
import subprocess
class Some(Filter):
    def on_connect(self, session, request):
        print("debug", flush=True)
        return PROCEED
    def on_noop(self, session, request):
        subprocess.run(["sh", "-c", "cat; echo from a child"])
        return PROCEED
"""


def test_what_a_plugin_prints_goes_to_the_log_and_never_to_smtpd(tmp_path: Path) -> None:
    with Child(tmp_path, TALKS) as child:
        child.hello()
        child.send(CONNECT)
        assert child.lines() == [result(b"proceed")]
        assert child.log() == "debug"
        child.send(request(b"noop"))
        assert child.lines() == [result(b"proceed")]
        assert child.log() == "from a child"


STUBBORN = """
watchdog.STALL = 0.2
class Some(Filter):
    def on_connect(self, session, request):
        for _ in range(3):
            try:
                while True:
                    pass
            except:
                pass
        return PROCEED
"""


def test_a_handler_that_swallows_the_interruption_is_interrupted_again(tmp_path: Path) -> None:
    with Child(tmp_path, STUBBORN) as child:
        child.hello()
        child.send(CONNECT)
        assert child.lines() == [result(b"proceed")]


SLOW_START = """
watchdog.STALL = 0.2
class Some(Filter):
    def on_message(self, session):
        while True:
            pass
"""


def test_a_message_that_nobody_has_seen_passes_where_failures_pass(tmp_path: Path) -> None:
    with Child(tmp_path, SLOW_START, "--on-failure", "pass") as child:
        child.hello()
        child.send(data(b"A: 1", b"."))
        assert child.lines(2) == [datalines(b"A: 1"), datalines(b".")]


def test_a_deadline_too_long_for_poll(tmp_path: Path) -> None:
    source = """
class Some(Filter):
    def on_connect(self, session, request):
        return Offload(lambda: PROCEED)
"""
    with Child(tmp_path, source, "--deadline", "99999999") as child:
        child.send(b"config|ready\n")
        while child.lines() != [b"register|ready\n"]:
            pass
        child.send(CONNECT)
        assert child.lines() == [result(b"proceed")]


def test_a_hangup_before_we_listen_for_it(tmp_path: Path) -> None:
    import signal
    import subprocess
    import sys

    script = tmp_path / "early.py"
    script.write_text(
        "import os, signal, sys\n"
        "from opensmtpd import options, run\n"
        "from opensmtpd.filter import Filter\n"
        "def make(options):\n"
        "    os.kill(os.getpid(), signal.SIGHUP)\n"
        "    return Filter()\n"
        "run.filter(make, options.filter_parser('x', 'x'))\n"
    )
    ours, theirs = socket.socketpair()
    with ours, theirs:
        process = subprocess.Popen(
            [sys.executable, str(script)], stdin=theirs.fileno(), stdout=theirs.fileno()
        )
        theirs.close()
        ours.settimeout(20)
        ours.sendall(b"config|ready\n")
        assert ours.recv(4096).startswith(b"register|")
    assert process.wait(20) == 0 != -signal.SIGHUP
