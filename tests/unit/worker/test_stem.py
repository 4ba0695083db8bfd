import os
import socket
from pathlib import Path

import pytest

from opensmtpd.errors import ConfigError
from opensmtpd.worker.frames import FrameBuffer
from opensmtpd.worker.stem import Stem, worker_class
from opensmtpd.worker.stem_orders import KILL
from opensmtpd.worker.worker import KILLED
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
