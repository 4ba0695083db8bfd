"""Signals to plugins: those of an administrator end none whose standard input is a socket."""

import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from opensmtpd._runtime.signals import KEPT, outlive
from unit.support.child import MAIN, PREAMBLE, Child
from unit.support.lookups import answer, lookup
from unit.support.processes import PATIENCE, default_action
from unit.support.table_child import TableChild
from unit.support.talk import request, result

FILTER = """
class Some(Filter):
    def on_noop(self, session, request):
        return PROCEED
    async def on_help(self, session, request):
        return PROCEED
    def on_quit(self, session, request):
        import subprocess
        with subprocess.Popen(["sleep", "3600"]) as child:
            child.terminate()
        return Reject(550, str(child.returncode))
"""
TABLE = """
class Some(Table):
    services = (Service.ALIAS,)
    def lookup(self, service, key):
        return key
"""
SENT = [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGQUIT]
SENT += [signal.SIGPIPE, signal.SIGALRM, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU]
SENT += [signal.SIGVTALRM, signal.SIGPROF, signal.SIGXCPU, signal.SIGXFSZ, signal.SIGIO]
SENT += [signal.SIGCHLD, signal.SIGCONT, signal.SIGURG, signal.SIGWINCH]
each_signal = pytest.mark.parametrize("number", SENT)


def test_all_signals_are_thought_of() -> None:
    hard = {each for each in KEPT if each not in SENT} - {signal.SIGHUP}
    known = {each for each in signal.valid_signals() if isinstance(each, signal.Signals)}
    names = {each.name for each in known - hard - set(SENT) - {signal.SIGHUP}}
    assert names <= {"SIGPWR", "SIGSTKFLT", "SIGRTMIN", "SIGRTMAX", "SIGEMT", "SIGINFO"}


@each_signal
def test_a_filter_lives_on(tmp_path: Path, number: int) -> None:
    with default_action(number), Child(tmp_path, FILTER) as child:
        child.hello()
        for phase in (b"noop", b"help", b"noop"):  # on the plain loop, then on asyncio
            os.kill(child.process.pid, number)
            child.send(request(phase))
            assert child.lines() == [result(b"proceed")]
        assert child.end() == (0, b"", "")


@pytest.mark.parametrize("number", [*SENT, signal.SIGHUP])
def test_a_table_lives_on(tmp_path: Path, number: int) -> None:
    with default_action(number), TableChild(tmp_path, TABLE) as child:
        child.hello()
        for _ in range(2):
            os.kill(child.process.pid, number)
            child.send(lookup())
            assert child.lines() == [answer(b"found|alice")]
        assert child.end() == (0, b"", "")


@pytest.mark.parametrize("number", SENT[:5])
def test_it_lives_while_it_is_made_and_before_the_handshake(tmp_path: Path, number: int) -> None:
    source = f"{FILTER}\n    def __init__(self):\n        os.kill(os.getpid(), {int(number)})\n"
    with default_action(number), Child(tmp_path, source) as child:
        os.kill(child.process.pid, 0)
        child.hello()
        child.send(request(b"noop"))
        assert child.lines() == [result(b"proceed")]


def test_programs_that_it_starts_can_be_ended(tmp_path: Path) -> None:
    with default_action(signal.SIGTERM), Child(tmp_path, FILTER) as child:
        child.hello()
        child.send(request(b"quit"))
        assert child.lines() == [result(b"reject|550 -15")]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_behind_a_pipe_it_can_be_ended(tmp_path: Path, number: int) -> None:
    (tmp_path / "filter.py").write_text(PREAMBLE + FILTER + READY + MAIN)
    with default_action(number):
        child = subprocess.Popen(
            [sys.executable, str(tmp_path / "filter.py")],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
    assert child.stderr is not None
    assert child.stderr.readline() == b"started\n"
    child.send_signal(number)
    assert (child.wait(PATIENCE), child.stderr.read()) == (-number, b"")
    child.communicate()


READY = '    def start(self):\n        log("started")\n'


def test_in_a_terminal_ctrl_c_ends_it(tmp_path: Path) -> None:
    (tmp_path / "filter.py").write_text(PREAMBLE + FILTER + READY + MAIN)
    with default_action(signal.SIGINT):
        pid, terminal = pty.fork()
        if pid == 0:
            os.execv(sys.executable, [sys.executable, str(tmp_path / "filter.py")])
    said = b""
    while b"started" not in said:
        said += os.read(terminal, 1000)
    os.write(terminal, b"\x03")
    end = time.monotonic() + PATIENCE
    while (status := os.waitpid(pid, os.WNOHANG)) == (0, 0):
        assert time.monotonic() < end
        time.sleep(0.01)
    os.close(terminal)
    assert os.WTERMSIG(status[1]) == signal.SIGINT


def test_a_descriptor_that_is_closed_is_no_socket() -> None:
    before = signal.getsignal(signal.SIGINT)
    try:
        outlive(1 << 20)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGINT, before)
