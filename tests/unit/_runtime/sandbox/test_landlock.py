"""What Landlock is asked for, in each version of it; test_linux has what it does."""

import ctypes
import os
import struct
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from opensmtpd._runtime.sandbox import landlock
from opensmtpd.needs import Needs

RULESET = 99


class Kernel:
    """Stands in for syscall(2): notes the rulesets and rules that a version is given."""

    def __init__(self, version: int) -> None:
        self.version = version
        self.rulesets: list[tuple[int, ...]] = []
        self.rights: list[int] = []
        self.restricted = 0

    def syscall(self, number: ctypes.c_long, *arguments: object) -> int:
        values = [getattr(each, "value", each) for each in arguments]
        if number.value == landlock.CREATE and values[-1] == landlock.VERSION:
            return self.version
        if number.value == landlock.CREATE:
            attributes, size = values[0], values[1]
            assert isinstance(attributes, bytes)
            assert isinstance(size, int)
            self.rulesets.append(struct.unpack(f"={size // 8}Q", attributes[:size]))
            return RULESET
        if number.value == landlock.ADD:
            rule = values[2]
            assert isinstance(rule, bytes)
            self.rights.append(struct.unpack("=Qi", rule)[0])
        else:
            self.restricted += 1
        return 0


def asked(monkeypatch: pytest.MonkeyPatch, version: int, needs: Needs) -> Kernel:
    kernel = Kernel(version)
    monkeypatch.setattr(landlock, "library", lambda: SimpleNamespace(syscall=kernel.syscall))
    monkeypatch.setattr(landlock, "_threads", lambda: 1)  # the process of the tests may have more
    real_close = os.close
    monkeypatch.setattr(os, "close", lambda fd: fd == RULESET or real_close(fd))
    landlock.prepared(needs)()
    assert kernel.restricted == 1
    return kernel


@pytest.mark.parametrize(
    ("version", "ruleset"),
    [
        (1, (0x1FFF,)),
        (2, (0x3FFF,)),
        (3, (0x7FFF,)),
        (4, (0x7FFF, 3)),
        (5, (0xFFFF, 3)),
        (6, (0xFFFF, 3, 3)),
        (7, (0xFFFF, 3, 3)),
        (99, (0xFFFF, 3, 3)),
    ],
)
def test_all_that_a_version_knows_is_taken(
    monkeypatch: pytest.MonkeyPatch, version: int, ruleset: tuple[int, ...]
) -> None:
    kernel = asked(monkeypatch, version, Needs())
    assert kernel.rulesets == [ruleset]
    assert kernel.rights == []


def test_needs_leave_some_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked(monkeypatch, 7, Needs(network=True)).rulesets == [(0xFFFF, 1, 3)]
    assert asked(monkeypatch, 7, Needs(passes=True)).rulesets == [(0xFFFF, 3, 1)]
    assert asked(monkeypatch, 7, Needs(passes=True, forks=True)).rulesets == [(0xFFFF, 3, 3)]


@pytest.mark.parametrize(("version", "write"), [(1, 0x12E), (2, 0x212E), (3, 0x612E)])
def test_the_rights_of_rules(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, version: int, write: int
) -> None:
    """A rule on a file may have no right of folders, nor any that the version does not know."""
    needs = Needs(reads=(str(tmp_path / "key"), "/dev/null"), writes=(str(tmp_path),))
    assert asked(monkeypatch, version, needs).rights == [0xC, 0x4, write]


def test_a_thread_that_is_about_to_leave_the_kernels_list_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lists = [["1", "2"], ["1", "2"], ["1"]]
    monkeypatch.setattr(os, "listdir", lambda _: lists.pop(0))
    monkeypatch.setattr(threading, "active_count", lambda: 1)
    assert landlock._threads() == 1
    assert lists == []


def test_a_thread_that_stays_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(landlock, "LINGERING", 0.01)
    monkeypatch.setattr(os, "listdir", lambda _: ["1", "2"])
    monkeypatch.setattr(threading, "active_count", lambda: 1)
    assert landlock._threads() == 2
