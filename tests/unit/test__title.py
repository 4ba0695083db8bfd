"""What ps(1) shows of a process."""

import sys
from pathlib import Path

import pytest

from opensmtpd._title import set_title
from unit.support.in_child import in_child

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@LINUX
def test_the_title_shows_in_ps() -> None:
    def titled() -> object:
        set_title("filter-some: keys (stem)")
        return Path("/proc/self/cmdline").read_bytes().rstrip(b"\0"), Path(
            "/proc/self/comm"
        ).read_text()

    assert in_child(titled) == repr((b"filter-some: keys (stem)", "filter-some: ke\n"))


@LINUX
def test_a_title_that_is_too_long_is_cut() -> None:
    def titled() -> object:
        room = len(Path("/proc/self/cmdline").read_bytes())
        set_title("x" * 100_000)
        return Path("/proc/self/cmdline").read_bytes() == b"x" * (room - 1) + b"\0"

    assert in_child(titled) == "True"
