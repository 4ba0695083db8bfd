"""The log of a plugin and its end, through ``filter``; and a signal while it is started."""

import os
import select
import signal
import subprocess
import time
from pathlib import Path

import pytest

from opensmtpd_cli.plugin import talk
from opensmtpd_cli.plugin.start import Program, start
from unit.support.processes import PATIENCE, handler_of
from unit.support.small_filters import (
    DIES,
    ECHO,
    WAITS,
    end,
    loops,
    program,
    run_x,
    timeless,
)

pytestmark = pytest.mark.usefixtures("libexec", "patient")


@pytest.mark.usefixtures("graceless", "impatient")
def test_a_flooded_log(libexec: Path) -> None:
    program(libexec, loops("while True: os.write(2, b'x' * 50000 + b'\\n')"))
    began = time.monotonic()
    assert end(run_x())[0] == 3
    assert time.monotonic() - began < PATIENCE


@pytest.mark.usefixtures("graceless", "impatient")
def test_a_log_without_lines(libexec: Path) -> None:
    """smtpd reads no more of it when its buffer is full, and the filter waits for that.

    It fills the buffer before its handshake, which is waited for as long as that takes.
    """
    fill = "os.write(2, b'x' * 65536)\n"
    program(libexec, fill + loops("while True: os.write(2, b'x' * 30000)"))
    result = run_x()
    assert end(result) == (3, ["error: no answer to mail-from within 0.1 s", WAITS])
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("! ")]
    assert 65536 <= line.count("x") <= 131072


def test_a_log_that_stops_in_a_line(libexec: Path, impatient: None) -> None:
    """A whole line is shown when it comes, and the rest when smtpd goes no further."""
    program(libexec, "os.write(2, b'a\\nb')\n" + loops("pass"))
    lines = timeless(run_x().stderr)
    assert (lines[1], lines[2], lines[4]) == ("! a", "# ready after T", "! b")
    assert lines[5] == "error: no answer to mail-from within 0.1 s"


def test_what_dies_leaves_a_child_with_the_socket(libexec: Path) -> None:
    program(libexec, "config()\nif os.fork(): os._exit(1)\ntime.sleep(300)")
    began = time.monotonic()
    result = run_x("--timeout", "600")
    assert end(result) == (3, ["fatal: lost processor: the filter exited with status 1", DIES])
    assert time.monotonic() - began < PATIENCE


def test_silence_ends_what_it_started_too(libexec: Path, impatient: None, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    program(
        libexec,
        f"os.set_inheritable(os.open({str(fifo)!r}, os.O_WRONLY), True)\n"
        "import subprocess\nsubprocess.Popen(['sleep', '300'], close_fds=False)\n" + loops("pass"),
    )
    assert run_x().exit_code == 3
    assert select.select([reader], [], [], PATIENCE)[0]
    assert os.read(reader, 1) == b""  # the end, for nobody has it open any more
    os.close(reader)


@pytest.mark.parametrize(
    ("at_the_end", "remark"),
    [
        ("sys.exit(4)", "# it ended with status 4 when smtpd hung up"),
        ("time.sleep(300)", "# it did not end when smtpd hung up, and was killed"),
    ],
)
def test_how_it_ends_with_smtpd(
    libexec: Path, request: pytest.FixtureRequest, at_the_end: str, remark: str
) -> None:
    if "sleep" in at_the_end:
        request.getfixturevalue("graceless")
    program(libexec, f"{ECHO}\n{at_the_end}")
    result = run_x()
    assert result.exit_code == 0
    assert remark in result.stderr.splitlines()


class Stop(Exception):
    pass


@pytest.mark.usefixtures("graceless")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_at_the_start_leaves_no_process(
    monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """It comes when the program runs, and its id is not known yet."""
    started: list[subprocess.Popen[bytes]] = []

    def interrupted(program: Program, talk: int, log: int) -> "subprocess.Popen[bytes]":
        started.append(start(program, talk, log))
        signal.raise_signal(number)
        return started[0]

    def stop(number: int, frame: object) -> None:
        raise Stop

    monkeypatch.setattr(talk, "start", interrupted)
    with handler_of(number, stop):
        with pytest.raises(Stop):
            talk.Talk(Program("/bin/sleep", ["sleep", "300"]), timeout=60, log=lambda line: None)
        assert signal.getsignal(number) is stop
    assert started[0].returncode == -signal.SIGKILL
