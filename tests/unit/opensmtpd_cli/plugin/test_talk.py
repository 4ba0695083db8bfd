"""The log of a plugin, and its end: seen through ``filter``."""

import os
import select
import time
from pathlib import Path

import pytest

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

pytestmark = pytest.mark.usefixtures("libexec")


def test_a_flooded_log(libexec: Path, impatient: None) -> None:
    program(libexec, loops("while True: os.write(2, b'x' * 50000 + b'\\n')"))
    began = time.monotonic()
    assert end(run_x())[0] == 3
    assert time.monotonic() - began < 15


def test_a_log_without_lines(libexec: Path, impatient: None) -> None:
    """smtpd reads no more of it when its buffer is full, and the filter waits for that."""
    program(libexec, loops("while True: os.write(2, b'x' * 30000)"))
    result = run_x()
    assert end(result) == (3, ["error: no answer to mail-from within 0.1 s", WAITS])
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("! ")]
    assert 65536 <= line.count("x") <= 131072


def test_a_log_that_stops_in_a_line(libexec: Path, impatient: None) -> None:
    program(libexec, loops("os.write(2, b'a\\nb')"))
    assert timeless(run_x().stderr)[3:5] == ["! a", "! b"]


def test_what_dies_leaves_a_child_with_the_socket(libexec: Path) -> None:
    program(libexec, "config()\nif os.fork(): os._exit(1)\ntime.sleep(300)")
    began = time.monotonic()
    assert end(run_x()) == (3, ["fatal: lost processor: the filter exited with status 1", DIES])
    assert time.monotonic() - began < 10


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
    assert select.select([reader], [], [], 10)[0]
    assert os.read(reader, 1) == b""  # the end, for nobody has it open any more
    os.close(reader)


@pytest.mark.parametrize(
    ("at_the_end", "remark"),
    [
        ("sys.exit(4)", "# it ended with status 4 when smtpd hung up"),
        ("time.sleep(300)", "# it did not end when smtpd hung up, and was killed"),
    ],
)
def test_how_it_ends_with_smtpd(libexec: Path, at_the_end: str, remark: str) -> None:
    program(libexec, f"{ECHO}\n{at_the_end}")
    result = run_x()
    assert result.exit_code == 0
    assert remark in result.stderr.splitlines()
