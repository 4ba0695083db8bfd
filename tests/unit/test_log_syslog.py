"""The system's log: what is sent to it, and that nothing waits for it."""

import os
import socket
import sys
import syslog
from collections.abc import Iterator
from pathlib import Path

import pytest

from opensmtpd import log as log_module
from opensmtpd.log import log, use_syslog


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have the log be a socket of ours, and this process no user of it afterwards."""
    monkeypatch.setattr(log_module, "_SYSLOG", str(tmp_path / "log"))
    monkeypatch.setattr(log_module, "_send", None)
    return tmp_path / "log"


@pytest.fixture
def daemon(path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
        end.bind(str(path))
        end.setblocking(False)
        yield end


def test_a_line_has_facility_level_program_and_process(daemon: socket.socket) -> None:
    use_syslog("table-sqlite")
    log("database-unavailable", reason="no such\nfile", count=2)
    line = f'<21>table-sqlite[{os.getpid()}]: database-unavailable reason="no such\\nfile" count=2'
    assert daemon.recv(65536).decode() == line  # 21 is mail.notice
    with pytest.raises(BlockingIOError):
        daemon.recv(65536)


def test_openbsd_has_it_from_syslog_3(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[object] = []
    monkeypatch.setattr(sys, "platform", "openbsd7")
    monkeypatch.setattr(syslog, "openlog", lambda *given: calls.append(given))
    monkeypatch.setattr(syslog, "syslog", lambda *given: calls.append(given))
    use_syslog("table-sqlite")
    log("event", key="100 %s")
    assert calls == [
        ("table-sqlite", syslog.LOG_PID | syslog.LOG_NDELAY, syslog.LOG_MAIL),
        (syslog.LOG_NOTICE, 'event key="100 %s"'),
    ]


def test_standard_error_has_it_too(
    daemon: socket.socket, capfd: pytest.CaptureFixture[str]
) -> None:
    use_syslog("x")
    log("event", key=b"\xff")
    assert capfd.readouterr().err == 'event key="\\\\xff"\n'
    assert daemon.recv(65536).decode().endswith(': event key="\\\\xff"')


def test_the_limit_holds_for_it_too(
    daemon: socket.socket, capfd: pytest.CaptureFixture[str]
) -> None:
    use_syslog("x")
    log_module.limit(lambda: 0.0)
    daemon.setblocking(True)
    heard = []
    for number in range(102):
        log("event", number=number)
        if number < 100:
            heard.append(daemon.recv(65536))
    log_module.limit(None)
    assert len(heard) == 100
    assert daemon.recv(65536).decode().endswith(": log-limited lines=2")
    assert capfd.readouterr().err.count("\n") == 101


def test_nobody_who_did_not_ask_for_it_is_in_it(daemon: socket.socket) -> None:
    log("event")
    with pytest.raises(BlockingIOError):
        daemon.recv(65536)


@pytest.mark.parametrize("text", ["x" * 5000, "\U0001f600" * 2000, "\udcff\ud800" * 900])
def test_long_lines_and_odd_ones(text: str, daemon: socket.socket) -> None:
    use_syslog("x")
    log("event", text=text)
    line = daemon.recv(65536)
    assert line.startswith(f"<21>x[{os.getpid()}]: event text=".encode())
    assert len(line) < 8192  # what daemons take


def test_without_a_daemon(path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    use_syslog("x")
    log("event")
    assert capfd.readouterr().err == "event\n"


def test_a_daemon_that_comes_later_and_comes_again(path: Path) -> None:
    use_syslog("x")
    log("unheard")
    for event in ("first", "second"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
            end.bind(str(path))
            log(event)
            assert end.recv(65536).decode().endswith(f": {event}")
        log("unheard")  # nobody reads it any more
        path.unlink()


def test_a_daemon_that_is_stuck(daemon: socket.socket, capfd: pytest.CaptureFixture[str]) -> None:
    use_syslog("x")
    for _ in range(5000):  # more than the socket holds
        log("event")
    taken = 0
    try:
        while daemon.recv(65536):
            taken += 1
    except BlockingIOError:
        assert 0 < taken < 5000
    log("heard again")
    assert daemon.recv(65536).decode().endswith(": heard again")
