"""Freed memory: a process keeps it for the next block, where its C library can be told so."""

import platform
import subprocess
import sys
from types import SimpleNamespace

import pytest

from opensmtpd._runtime import memory

PROGRAM = """\
import resource, sys
from opensmtpd._runtime import memory
if sys.argv[1] == "kept":
    memory.keep_freed()
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
def blocks():
    return [bytes(200_000) for _ in range(8)]
blocks()
before = faults()
for _ in range(50):
    blocks()
print(faults() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has mallopt(3)")
def test_blocks_are_made_of_memory_that_was_freed() -> None:
    run = [sys.executable, "-c", PROGRAM]
    kept, plain = (int(subprocess.check_output([*run, how])) for how in ("kept", "plain"))
    assert kept * 5 < plain  # pages that the system had to give


@pytest.mark.skipif(sys.platform != "linux", reason="nothing is done elsewhere")
@pytest.mark.parametrize(
    ("taken", "calls"), [(1, [(-3, 4 << 20), (-1, 8 << 20)]), (0, [(-3, 4 << 20)])]
)
def test_both_thresholds_are_set_or_none(taken: int, calls: list[tuple[int, int]]) -> None:
    called: list[tuple[int, int]] = []

    def mallopt(parameter: int, value: int) -> int:
        called.append((parameter, value))
        return taken

    memory.keep_freed(SimpleNamespace(mallopt=mallopt))
    assert called == calls


def test_a_c_library_without_them_is_left_as_it_is() -> None:
    memory.keep_freed(SimpleNamespace())
