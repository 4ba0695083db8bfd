"""The worker that writes copies: what it is told, and what it says of a disk that fails."""

import errno
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.peers.copies import Copies
from opensmtpd.errors import ConfigError, Unavailable
from opensmtpd.mail.archive.envelope import head
from opensmtpd.mail.archive.maildir import ArchiveMaildir
from opensmtpd.mail.archive.orders import ACCEPT, DROP, RECOVER, WRITE
from opensmtpd.mail.archive.worker import ArchiveWorker
from opensmtpd.needs import Needs

OWNER, DEAD = "a" * 12, "b" * 12
IDENT = f"0000001fN1.{OWNER}"
NAME = f"1700000000.M{IDENT}"
CONTENT = head(IDENT, b"bob@example.net", [b"a@example.com"]) + b"text\n"


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[ArchiveWorker]:
    made = ArchiveWorker()
    assert made.load([str(tmp_path / "archive"), OWNER, True]) == 0
    yield made
    os.close(made._maildir._lock)


@pytest.fixture
def copies(tmp_path: Path) -> Copies:
    return Copies(tmp_path / "archive")


def test_its_orders(worker: ArchiveWorker, copies: Copies) -> None:
    assert worker.handle([WRITE, NAME, 0, CONTENT[:9], False]) is True
    assert worker.handle([WRITE, NAME, 9, CONTENT[9:], True]) is True
    assert copies.names("tmp") == [NAME]
    assert worker.handle([ACCEPT, NAME]) is True
    assert (copies.one().status, copies.names("tmp")) == ("accepted", [])
    assert worker.handle([WRITE, NAME, 0, CONTENT, True]) is True
    assert worker.handle([DROP, NAME]) is True
    assert copies.names("tmp") == []


def test_it_finds_what_was_left_at_its_start_and_later(
    worker: ArchiveWorker, copies: Copies
) -> None:
    ident = f"0000002fN1.{DEAD}"
    left = copies.path / "tmp" / f"1700000000.M{ident}"
    for start in (False, True):
        left.write_bytes(head(ident, b"", []) + b"text\n")
        if start:
            other = ArchiveWorker()
            assert other.load([str(copies.path), "c" * 12, True]) == 1
            os.close(other._maildir._lock)
        else:
            assert worker.handle([RECOVER]) is True
        assert copies.one().status == "doubtful"


def test_its_needs(worker: ArchiveWorker, copies: Copies) -> None:
    assert worker.needs == Needs(writes=(str(copies.path),), locks=True)


@pytest.mark.parametrize("order", [[WRITE, NAME, 0, CONTENT, True], [ACCEPT, NAME], [DROP, NAME]])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EIO])
def test_a_disk_that_fails(
    worker: ArchiveWorker, order: list[Any], code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    worker.handle([WRITE, NAME, 0, CONTENT, True])
    for step in ("pwrite", "unlink"):
        monkeypatch.setattr(os, step, fail)
    with pytest.raises(Unavailable) as raised:
        worker.handle(order)
    assert str(raised.value) == os.strerror(code)


def test_a_disk_that_does_not_say_why(
    worker: ArchiveWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: int) -> None:
        raise OSError

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(Unavailable, match=r"^the disk fails$"):
        worker.handle([WRITE, NAME, 0, CONTENT, True])


def test_a_disk_that_fails_at_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", fail)
    with pytest.raises(ConfigError) as raised:
        ArchiveWorker().load([str(tmp_path), OWNER, True])
    assert str(raised.value) == f"{tmp_path}: No locks available"


def test_a_check(tmp_path: Path) -> None:
    path = tmp_path / "archive"
    assert ArchiveWorker().load([str(path), OWNER, False]) == 0
    assert not path.exists()
    path.write_text("x")
    with pytest.raises(ConfigError, match=r"^\S+/archive: no folder for copies; make it a folder"):
        ArchiveWorker().load([str(path), OWNER, False])
    with pytest.raises(ConfigError):
        ArchiveWorker().load([str(path), OWNER, True])


def test_a_path_from_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sandbox takes paths from the root of the file system alone."""
    monkeypatch.chdir(tmp_path)
    made = ArchiveWorker()
    made.load(["archive", OWNER, True])
    os.close(made._maildir._lock)
    assert made.needs == Needs(writes=(str(tmp_path / "archive"),), locks=True)


def test_a_disk_that_is_full_at_the_start(
    copies: Copies, monkeypatch: pytest.MonkeyPatch, logged: list[str]
) -> None:
    """What others have left is moved later: smtpd must start."""

    def fail(_: ArchiveMaildir) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    worker = ArchiveWorker()
    with monkeypatch.context() as patch:
        patch.setattr(ArchiveMaildir, "recover", fail)
        assert worker.load([str(copies.path), OWNER, True]) == 0
    assert logged == ['archive-late reason="No space left on device"']
    ident = f"0000002fN1.{DEAD}"
    (copies.path / "tmp" / f"1700000000.M{ident}").write_bytes(head(ident, b"", []) + b"text\n")
    assert worker.handle([RECOVER]) is True
    assert copies.one().status == "doubtful"
    os.close(worker._maildir._lock)
