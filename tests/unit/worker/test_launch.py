import os
import socket

import pytest

from opensmtpd import answer
from opensmtpd.errors import ConfigError
from opensmtpd.worker import Loading, launch
from unit.support.workers import ECHO


def test_a_stem_is_started_and_ends_with_its_socket() -> None:
    stem = launch.launch(ECHO)
    assert Loading(stem).load("x") == ["loaded", "x"]
    stem.close()
    assert os.waitstatus_to_exitcode(os.waitpid(stem.pid, 0)[1]) == 0


def test_a_system_without_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "posix_spawn", refuse)
    before = list(answer.sources())
    with pytest.raises(ConfigError, match="no worker can be started: Resource temporarily"):
        launch.launch(ECHO)
    assert answer.sources() == before


def test_it_inherits_the_control_socket_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        stem = launch.launch(ECHO)
        loading = Loading(stem)  # forgotten, it would end the stem
        loading.load("x")
        links = [os.readlink(f"/proc/{stem.pid}/fd/{fd}") for fd in (0, 1)]
        count = len(os.listdir(f"/proc/{stem.pid}/fd"))
        loading.close()
        os.waitpid(stem.pid, 0)
    assert links == ["/dev/null"] * 2
    assert count == 4
