"""A recorder as a process of its own, between a socket of ours and a program."""

import os
import signal
import sys
import time
from contextlib import suppress
from ctypes.util import find_library
from pathlib import Path

import pytest

from opensmtpd.capture.format import CapturedLines, CaptureEnd, Speaker
from opensmtpd.capture.reader import CaptureReader
from unit.support.recorder import Recorded, script, stopped, written

linux = pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
ECHO = """
while data := os.read(0, 65536):
    os.write(1, data.upper())
"""


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    return tmp_path / "capture"


@pytest.fixture
def echo(tmp_path: Path) -> str:
    return script(tmp_path / "filter-echo", ECHO)


def entries(capture: Path) -> list[object]:
    reader = CaptureReader(str(capture))
    found: list[object] = [
        (entry.speaker, entry.data) if isinstance(entry, CapturedLines) else entry
        for entry in reader
    ]
    assert reader.damage == ""
    return found


def test_what_both_say_is_passed_on_and_recorded(capture: Path, echo: str) -> None:
    with Recorded(capture, echo) as program:
        program.say(b"config|ready\n")
        assert program.hear(13) == b"CONFIG|READY\n"
        assert program.end() == (0, "")
    written(capture, b"\x03\x00")
    found = entries(capture)
    assert found[:2] == [(Speaker.SMTPD, b"config|ready\n"), (Speaker.PLUGIN, b"***\n")]
    assert isinstance(found[-1], CaptureEnd)
    header = CaptureReader(str(capture)).header
    assert (header.kind, header.program, header.part) == ("filter", "filter-echo", 1)


def test_arguments_are_passed_on_and_not_recorded(capture: Path, tmp_path: Path) -> None:
    show = script(tmp_path / "filter-show", "os.write(1, repr(sys.argv[1:]).encode())")
    with Recorded(capture, show, "-n", "--", "--files", "a b") as program:
        assert program.hear(100) == b"['-n', '--', '--files', 'a b']"
    assert b"a b" not in written(capture, b"filter-show")


def test_much_in_both_directions_at_once(capture: Path, echo: str) -> None:
    data = (b"x" * 99 + b"\n") * 30_000
    with Recorded(capture, echo) as program:
        program.socket.setblocking(False)
        sent, heard = 0, b""
        while len(heard) < len(data):
            if sent < len(data):
                with suppress(BlockingIOError):
                    sent += program.socket.send(data[sent : sent + 50_000])
            with suppress(BlockingIOError):
                heard += program.socket.recv(1 << 20)
        program.socket.setblocking(True)
        assert heard == data.upper()
        assert program.end() == (0, "")


@pytest.mark.parametrize(
    ("end", "status"),
    [("sys.exit(0)", 0), ("sys.exit(7)", 7), ("os.kill(os.getpid(), 9)", -9),
     ("os.kill(os.getpid(), signal.SIGTERM)", -15), ("os.abort()", -6)],
)  # fmt: skip
def test_the_end_of_the_program_is_ours(
    capture: Path, tmp_path: Path, end: str, status: int
) -> None:
    """What it said last is passed on first."""
    text = f"os.read(0, 1)\nos.write(1, b'last words' * 5000)\n{end}"
    with Recorded(capture, script(tmp_path / "filter-x", text)) as program:
        program.say(b"x")
        assert program.hear(1 << 20) == b"last words" * 5000
        assert program.process.wait(60) == status


def test_smtpd_hangs_up(capture: Path, tmp_path: Path) -> None:
    """The program has all the time that it wants, and is heard."""
    text = "sys.stdin.buffer.read()\nos.write(1, b'bye')\nsys.exit(5)"
    with Recorded(capture, script(tmp_path / "filter-x", text)) as program:
        program.say(b"hello")
        program.socket.shutdown(1)
        assert program.hear(10) == b"bye"
        assert program.process.wait(60) == 5


def test_smtpd_is_gone_and_the_program_writes(capture: Path, tmp_path: Path) -> None:
    """It is told by the next write, as without us."""
    text = """
signal.signal(signal.SIGPIPE, signal.SIG_IGN)
try:
    while True:
        os.write(1, b'x' * 1000)
except BrokenPipeError:
    sys.exit(9)
"""
    with Recorded(capture, script(tmp_path / "filter-x", text)) as program:
        program.hear(1)
        program.socket.close()
        assert program.process.wait(60) == 9


def test_a_program_that_closes_its_socket_and_lives_on(capture: Path, tmp_path: Path) -> None:
    text = "os.close(0); os.close(1)\nsignal.pause()"
    with Recorded(capture, script(tmp_path / "filter-x", text)) as program:
        assert program.hear(1) == b""
        with suppress(BrokenPipeError):
            while True:
                program.say(b"x" * 1000)
        assert program.process.poll() is None
        os.kill(program.child("filter-x"), signal.SIGTERM)
        assert program.process.wait(60) == -15


def test_standard_error_is_passed_on(capture: Path, tmp_path: Path) -> None:
    text = "sys.stderr.write('a line\\n')"
    with Recorded(capture, script(tmp_path / "filter-x", text)) as program:
        assert program.end() == (0, "a line\n")


def test_a_program_that_cannot_be_started(capture: Path, tmp_path: Path) -> None:
    with Recorded(capture, str(tmp_path / "none")) as program:
        fault = f"filter-record: {tmp_path}/none: it cannot be started: No such file or directory\n"
        assert program.end() == (1, fault)


def test_a_capture_that_cannot_be_written(tmp_path: Path, echo: str) -> None:
    with Recorded(tmp_path / "no" / "capture", echo) as program:
        program.say(b"config|ready\n")
        assert program.hear(13) == b"CONFIG|READY\n"
        status, log = program.end()
    assert status == 0
    assert log == (
        f'capture-failed path={tmp_path}/no/capture reason="No such file or directory" remedy="make'
        ' its directory for the user of the program; mail goes on without a capture"\n'
    )


# --- signals ----------------------------------------------------------------------------------


SIGNALS = """
def told(number, _):
    os.write(1, signal.Signals(number).name.encode() + b"\\n")
for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
    assert signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler)
    signal.signal(number, told)
assert signal.getsignal(signal.SIGTSTP) == signal.SIG_DFL
os.write(1, b"ready\\n")
while os.read(0, 1):
    os.write(1, b"read\\n")
"""


def test_only_sighup_is_passed_on(capture: Path, tmp_path: Path) -> None:
    """As for other programs of this suite, no signal of an administrator ends the recorder."""
    with Recorded(capture, script(tmp_path / "filter-x", SIGNALS)) as program:
        assert program.hear(6) == b"ready\n"
        for name in ("TERM", "INT", "USR1", "ALRM", "TSTP"):
            program.signal(signal.Signals[f"SIG{name}"])
        program.say(b"x")
        assert program.hear(5) == b"read\n"
        program.signal(signal.SIGHUP)
        assert program.hear(7) == b"SIGHUP\n"
        assert program.end() == (0, "")


@linux
def test_a_writer_that_stops_holds_nobody_up(capture: Path, echo: str) -> None:
    with Recorded(capture, echo) as program:
        writer = program.child("filter-record: ")
        os.kill(writer, signal.SIGSTOP)
        while not stopped(writer):
            pass
        data = (b"y" * 99 + b"\n") * 200
        for _ in range(1000):  # 20 MB each way
            program.say(data)
            assert program.hear(len(data)) == data.upper()
        os.kill(writer, signal.SIGCONT)
        assert program.end()[0] == 0
    written(capture, b"\x02\xce")


@linux
def test_a_writer_that_is_killed_holds_nobody_up(capture: Path, echo: str) -> None:
    with Recorded(capture, echo) as program:
        writer = int(program.child("filter-record: "))
        os.kill(writer, signal.SIGKILL)
        while writer in program.children():  # until its parent has seen that it is gone
            time.sleep(0.01)
        for _ in range(100):
            program.say(b"config|x\n")
            assert program.hear(9) == b"CONFIG|X\n"
        status, log = program.end()
    assert status == 0
    assert log == 'capture-failed reason="the process that writes it was killed"\n'


@linux
def test_the_writer_is_confined_and_the_front_is_not(capture: Path, echo: str) -> None:
    """The front passes SIGHUP on, to a process that would be outside of its sandbox."""

    def filters(pid: int) -> str:
        status = Path(f"/proc/{pid}/status").read_text()
        return status.partition("\nSeccomp_filters:")[2].split()[0]

    if not find_library("seccomp"):
        pytest.skip("no libseccomp")
    with Recorded(capture, echo) as program:
        program.say(b"config|ready\n")
        written(capture, b"config|ready")
        assert filters(program.process.pid) == filters(os.getpid())
        assert int(filters(program.child("filter-record: "))) > int(filters(os.getpid()))
