import errno
import gc
import importlib
import os
import socket
from pathlib import Path
from typing import NoReturn

import pytest

from opensmtpd.errors import ConfigError
from opensmtpd.worker.frames import FrameBuffer
from opensmtpd.worker.stem import Stem, worker_class
from opensmtpd.worker.stem_orders import KILL, LOAD, WORKER
from opensmtpd.worker.worker import FORKED, KILLED, VALUE, Worker
from unit.support.workers import ECHO, Echo


def test_a_class_by_the_name_of_its_module() -> None:
    assert worker_class(ECHO) is Echo


def test_a_class_by_the_name_of_its_file(tmp_path: Path) -> None:
    path = tmp_path / "own.py"
    path.write_text("from opensmtpd.worker import Worker\nclass Own(Worker): title = 'own'\n")
    assert worker_class(f"{path}:Own").title == "own"


@pytest.mark.parametrize("name", ["unit.support.workers:ECHO", "unit.support.workers:Absent"])
def test_what_is_no_worker(name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name} is no worker: derive a class from"):
        worker_class(name)


def test_one_process_is_killed_and_no_group_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = socket.socketpair()
    killed: list[int] = []
    monkeypatch.setattr(os, "kill", lambda pid, _: killed.append(pid))
    with ours, theirs:
        stem = Stem(theirs)
        for pid in (-1, 0, 4711):
            stem.obey(KILL, [pid])
        assert list(FrameBuffer().feed(ours.recv(1024))) == [
            [KILLED, 0, pid] for pid in (-1, 0, 4711)
        ]
    assert killed == [4711]


def test_what_only_requests_need_is_imported_behind_the_answer(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A module that is missing, or broken, leaves the stem as it is."""
    ours, theirs = socket.socketpair()
    seen: list[tuple[str, object]] = []

    class Late(Worker):
        later = ("absent", "broken", "late")

    def imported(name: str) -> None:
        ours.setblocking(False)
        seen.append((name, list(FrameBuffer().feed(ours.recv(1024))) if not seen else None))
        if name != "late":
            raise SyntaxError("a secret") if name == "broken" else ImportError

    monkeypatch.setattr(importlib, "import_module", imported)
    monkeypatch.setattr(gc, "freeze", lambda: None)
    with ours, theirs:
        stem = Stem(theirs)
        stem._confined, stem._worker = True, Late()
        stem.obey(LOAD, [None])
    assert seen == [("absent", [[VALUE, 0, [True, None]]]), ("broken", None), ("late", None)]
    assert capfd.readouterr().err == (
        "import-failed module=absent error=ImportError\n"
        "import-failed module=broken error=SyntaxError\n"
    )


@pytest.mark.parametrize("call", ["pipe", "fork"])
def test_a_system_that_gives_no_process(
    call: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The stem says so, and goes on."""

    def refuse() -> NoReturn:
        raise OSError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(os, call, refuse)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        stem = Stem(theirs)
        stem._descriptors.append(ours.dup().detach())
        stem.obey(WORKER, [])
        assert list(FrameBuffer().feed(ours.recv(1024))) == [[FORKED, 0, 0]]
    assert "fork-failed" in capfd.readouterr().err
