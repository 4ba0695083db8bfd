"""Mail that waits."""

import os
import time
from pathlib import Path

import pytest

from opensmtpd_cli.commands.check.finding import Finding
from opensmtpd_cli.commands.check.rules import queue
from unit.support.checked import server
from unit.support.swap import smtpd_conf

ENVELOPE = b"version: 3\ndispatcher: out\nerrorline: 451 4.7.1 Greylisted\x1b[31m, come again\n"


@pytest.fixture
def spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A queue without mail."""
    for name in ("queue", "offline"):
        (tmp_path / "spool" / name).mkdir(parents=True)
    monkeypatch.setattr(queue, "SPOOL", tmp_path / "spool")
    return tmp_path / "spool"


def put(spool: Path, number: int, hours: float, envelope: bytes = ENVELOPE) -> None:
    folder = spool / "queue" / "ab" / f"{number:08x}"
    folder.mkdir(parents=True)
    (folder / "message").write_text("Subject: x\n\n")
    (folder / f"{number:08x}00000001").write_bytes(envelope)
    _aged(folder / "message", hours)


def _aged(path: Path, hours: float) -> None:
    then = time.time() - hours * 3600
    os.utime(path, (then, then))


def found(folder: Path, *, root: bool = True) -> list[Finding]:
    here = server(smtpd_conf(folder, "listen on lo0\n"))
    return list(queue.queue(here._replace(root=root)))


def test_an_empty_queue(tmp_path: Path, spool: Path) -> None:
    assert spool.is_dir()
    assert found(tmp_path) == []


def test_fresh_mail(tmp_path: Path, spool: Path) -> None:
    put(spool, 1, 3.5)
    assert found(tmp_path) == []


def test_old_mail(tmp_path: Path, spool: Path) -> None:
    put(spool, 1, 5)
    put(spool, 2, 50)
    put(spool, 3, 50, b"\x00\xff no text")
    put(spool, 4, 1)
    [finding] = found(tmp_path)
    assert (finding.severity, finding.code) == ("warning", "queue-stuck")
    assert finding.fault == "3 messages wait in the queue for more than 4 hours"
    assert finding.why == ("The servers or smtpd say: 451 4.7.1 Greylisted?[31m, come again (2).")


def test_root_waits_for_no_fifo_in_the_queue(tmp_path: Path, spool: Path) -> None:
    put(spool, 1, hours=5)
    (envelope,) = (each for each in spool.glob("queue/*/*/*") if each.name != "message")
    envelope.unlink()
    os.mkfifo(envelope)
    [finding] = found(tmp_path)
    assert (finding.code, finding.why) == ("queue-stuck", "")


def test_mail_that_was_written_while_smtpd_was_down(tmp_path: Path, spool: Path) -> None:
    (spool / "offline" / "1").write_text("x")
    assert found(tmp_path) == []
    _aged(spool / "offline" / "1", 5)
    assert [each.code for each in found(tmp_path)] == ["offline-stuck"]


def test_without_root(tmp_path: Path, spool: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(spool, 1, 50)
    assert [each.severity for each in found(tmp_path, root=False)] == ["unseen"]
    monkeypatch.setattr(queue, "SPOOL", tmp_path / "nowhere")
    assert found(tmp_path, root=False) == []
