"""The folder of copies: each step taken once, twice, by others, and after a process has died."""

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab.peers.copies import Copies, until
from opensmtpd.errors import ConfigError
from opensmtpd.mail.archive import maildir as module
from opensmtpd.mail.archive.envelope import head
from opensmtpd.mail.archive.maildir import ArchiveMaildir

OWNER, OTHER = "a" * 12, "b" * 12
AGAIN = pytest.mark.parametrize("times", [1, 2])
"""A worker that dies may have taken its last step, and another takes it again."""


def name(number: int = 1, owner: str = OWNER) -> str:
    return f"17000000{number:02}.M{number:08x}N{number}.{owner}"


def content(number: int = 1, owner: str = OWNER) -> bytes:
    ident = name(number, owner).partition(".M")[2]
    return head(ident, b"bob@example.net", [b"a@example.com"]) + b"Subject: x\n\ntext\n"


def made(path: Path, owner: str = OWNER) -> ArchiveMaildir:
    """Return the folder for a process that has just begun."""
    found = ArchiveMaildir(str(path), owner)
    found.prepare()
    found.lock()
    return found


def end(maildir: ArchiveMaildir) -> None:
    """Have the process be dead, as far as others see."""
    os.close(maildir._lock)


@contextmanager
def filled(path: Path, *copies: int) -> Iterator[ArchiveMaildir]:
    """Have a process that has written copies."""
    found = made(path)
    for number in copies:
        found.write(name(number), 0, content(number), last=True)
    yield found
    end(found)


@pytest.fixture
def maildir(tmp_path: Path) -> Iterator[ArchiveMaildir]:
    with filled(tmp_path) as found:
        yield found


@pytest.fixture
def copies(tmp_path: Path) -> Copies:
    return Copies(tmp_path)


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what has been brought to the disk, by its name, and what was renamed."""
    found: list[str] = []
    rename, fsync = os.rename, os.fsync

    def noted(source: str, target: str) -> None:
        found.append("rename")
        rename(source, target)

    def note(fd: int) -> None:
        found.append(os.path.basename(os.readlink(f"/proc/self/fd/{fd}")))
        fsync(fd)

    monkeypatch.setattr(os, "rename", noted)
    monkeypatch.setattr(os, "fsync", note)
    return found


# --- folders --------------------------------------------------------------------------------------


def test_the_folders_are_made_for_their_user_alone(tmp_path: Path) -> None:
    path = tmp_path / "archive"
    ArchiveMaildir(str(path), OWNER).prepare()
    for each in (path, path / "tmp", path / "new", path / "cur"):
        assert stat.S_IMODE(each.stat().st_mode) == 0o700
    ArchiveMaildir(str(path), OWNER).prepare()


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    path = tmp_path / "none" / "archive"
    with pytest.raises(ConfigError) as raised:
        ArchiveMaildir(str(path), OWNER).prepare()
    assert str(raised.value) == (
        f"{path}: No such file or directory; make it a folder that the filter's user may write to"
    )


@pytest.mark.parametrize("part", ["", "tmp", "new", "cur"])
def test_a_file_in_the_place_of_a_folder(tmp_path: Path, part: str) -> None:
    path = tmp_path / "archive"
    if part:
        path.mkdir()
    (path / part).write_text("x")
    maildir = ArchiveMaildir(str(path), OWNER)
    with pytest.raises(ConfigError, match=r": no folder for copies; make it a folder"):
        maildir.check()
    with pytest.raises(ConfigError, match=r"; make it a folder"):
        maildir.prepare()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
@pytest.mark.parametrize("part", [".", "tmp", "new", "cur"])
def test_a_folder_of_somebody_else(maildir: ArchiveMaildir, tmp_path: Path, part: str) -> None:
    (tmp_path / part).chmod(0o500)
    try:
        with pytest.raises(ConfigError, match=r"no folder for copies"):
            maildir.check()
    finally:
        (tmp_path / part).chmod(0o700)


def test_a_check_makes_nothing(tmp_path: Path) -> None:
    ArchiveMaildir(str(tmp_path / "archive"), OWNER).check()
    assert list(tmp_path.iterdir()) == []


def test_a_check_of_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for place in ("none", "file"):
        with pytest.raises(ConfigError, match=r"/archive: it cannot be made; make it a folder"):
            ArchiveMaildir(str(tmp_path / place / "archive"), OWNER).check()


# --- copies ---------------------------------------------------------------------------------------


@AGAIN
def test_a_copy_is_written(maildir: ArchiveMaildir, copies: Copies, times: int) -> None:
    for _ in range(times):
        maildir.write(name(), 0, content(), last=True)
    assert (copies.names("tmp"), copies.names("new")) == ([name()], [])
    path = copies.path / "tmp" / name()
    assert path.read_bytes() == content()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_copy_is_on_the_disk_before_it_has_its_name(
    maildir: ArchiveMaildir, synced: list[str]
) -> None:
    maildir.write(name(), 0, content(), last=True)
    assert synced == [f"{name()}.part", "rename", "tmp"]


@AGAIN
@pytest.mark.parametrize("size", [1, 7, 40])
def test_a_copy_in_parts(maildir: ArchiveMaildir, copies: Copies, times: int, size: int) -> None:
    whole = content()
    for at in range(0, len(whole), size):
        assert at == 0 or copies.names("tmp") == [f"{name()}.part"]
        for _ in range(times):
            maildir.write(name(), at, whole[at : at + size], last=at + size >= len(whole))
    assert copies.names("tmp") == [name()]
    assert (copies.path / "tmp" / name()).read_bytes() == whole


def test_an_empty_last_part(maildir: ArchiveMaildir, copies: Copies) -> None:
    maildir.write(name(), 0, content(), last=False)
    maildir.write(name(), len(content()), b"", last=True)
    assert (copies.path / "tmp" / name()).read_bytes() == content()


def test_a_part_whose_beginning_is_gone(maildir: ArchiveMaildir, copies: Copies) -> None:
    with pytest.raises(FileNotFoundError):
        maildir.write(name(), 10, b"x", last=True)
    assert copies.names("tmp") == []


def test_a_beginning_takes_the_place_of_another(maildir: ArchiveMaildir, copies: Copies) -> None:
    maildir.write(name(), 0, b"x" * 1000, last=False)
    maildir.write(name(), 0, content(), last=True)
    assert (copies.path / "tmp" / name()).read_bytes() == content()


def test_a_disk_that_takes_a_byte_at_a_time(
    maildir: ArchiveMaildir, copies: Copies, monkeypatch: pytest.MonkeyPatch
) -> None:
    pwrite = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda fd, data, at: pwrite(fd, data[:1], at))
    maildir.write(name(), 0, content(), last=True)
    assert (copies.path / "tmp" / name()).read_bytes() == content()


@AGAIN
def test_a_copy_is_accepted(maildir: ArchiveMaildir, copies: Copies, times: int) -> None:
    maildir.write(name(), 0, content(), last=True)
    for _ in range(times):
        maildir.accept(name())
    copy = copies.one()
    assert (copy.path.name, copy.status, copy.msgid) == (name(), "accepted", "00000001")
    assert copy.message == b"Subject: x\n\ntext\n"


def test_a_copy_is_marked_on_the_disk_before_it_is_moved(
    maildir: ArchiveMaildir, synced: list[str]
) -> None:
    maildir.write(name(), 0, content(), last=True)
    synced.clear()
    maildir.accept(name())
    assert synced == [name(), "rename", "new"]


def test_a_copy_that_somebody_has_taken_is_not_made_anew(
    maildir: ArchiveMaildir, copies: Copies
) -> None:
    maildir.write(name(), 0, content(), last=True)
    maildir.accept(name())
    copies.one()
    maildir.accept(name())
    assert (copies.names("tmp"), copies.names("new")) == ([], [])


@AGAIN
@pytest.mark.parametrize("last", [True, False])
def test_a_copy_is_dropped(maildir: ArchiveMaildir, copies: Copies, times: int, last: bool) -> None:
    maildir.write(name(), 0, content(), last=last)
    for _ in range(times):
        maildir.drop(name())
    assert (copies.names("tmp"), copies.names("new")) == ([], [])


def test_a_link_in_the_place_of_a_copy_leads_nowhere(
    maildir: ArchiveMaildir, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.write_text("untouched")
    for part in ("", ".part"):
        (tmp_path / "tmp" / (name() + part)).symlink_to(other)
    with pytest.raises(OSError, match="symbolic links"):
        maildir.write(name(), 0, content(), last=True)
    with pytest.raises(OSError, match="symbolic links"):
        maildir.accept(name())
    assert other.read_text() == "untouched"


# --- where no file may be moved to another folder -------------------------------------------------


@pytest.fixture
def old_linux(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have renames to another folder fail, as Landlock does before Linux 5.19."""
    rename = os.rename

    def refuse(source: str, target: str) -> None:
        if os.path.dirname(source) != os.path.dirname(target):
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        rename(source, target)

    monkeypatch.setattr(os, "rename", refuse)
    monkeypatch.setattr(module, "_BLOCK", 10)


@pytest.mark.usefixtures("old_linux")
def test_copies_are_moved_by_another_way(maildir: ArchiveMaildir, copies: Copies) -> None:
    for number in (1, 2):
        maildir.write(name(number), 0, content(number), last=True)
        maildir.accept(name(number))
        maildir.accept(name(number))
    maildir.set_aside(maildir.accepted()[0])
    assert (copies.names("tmp"), copies.names("cur")) == ([], [f"{name(1)}:2,F"])
    assert copies.one().message == b"Subject: x\n\ntext\n"
    assert list((copies.path / "new").iterdir()) == []


@pytest.mark.usefixtures("old_linux")
def test_a_copy_that_is_moved_by_another_way_is_safe(
    maildir: ArchiveMaildir, copies: Copies, monkeypatch: pytest.MonkeyPatch, synced: list[str]
) -> None:
    """It is as secret as before, and its name is on the disk when the other one goes."""
    unlink = os.unlink

    def note(path: str) -> None:
        synced.append("unlink")
        unlink(path)

    monkeypatch.setattr(os, "unlink", note)
    mask = os.umask(0o022)
    try:
        maildir.write(name(), 0, content(), last=True)
        synced.clear()
        maildir.accept(name())
    finally:
        os.umask(mask)
    assert synced[1:] == ["rename", f".{name()}", "rename", "new", "unlink", "new"]
    (path,) = (copies.path / "new").iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.usefixtures("old_linux")
def test_a_copy_that_is_half_moved_is_no_copy(maildir: ArchiveMaildir, copies: Copies) -> None:
    (copies.path / "new" / f".{name()}").write_text("half of it")
    assert maildir.accepted() == []
    maildir.write(name(), 0, content(), last=True)
    maildir.accept(name())
    assert maildir.accepted() == [str(copies.path / "new" / name())]
    assert copies.one().message == b"Subject: x\n\ntext\n"


# --- copies that others have left -----------------------------------------------------------------


def test_what_a_dead_process_has_left(
    maildir: ArchiveMaildir, copies: Copies, logged: list[str]
) -> None:
    dead = made(copies.path, OTHER)
    for number in (1, 2):
        dead.write(name(number, OTHER), 0, content(number, OTHER), last=True)
    dead.write(name(3, OTHER), 0, content(3, OTHER), last=False)
    maildir.write(name(4), 0, content(4), last=True)
    end(dead)
    assert maildir.recover() == 2
    assert [each.status for each in copies.all()] == ["doubtful", "doubtful"]
    assert [each.path.name for each in copies.all()] == [name(1, OTHER), name(2, OTHER)]
    assert sorted(logged) == [f"archive-recovered file={name(n, OTHER)}" for n in (1, 2)]
    assert copies.names("tmp") == [name(4)]
    assert not (copies.path / f".lock-{OTHER}").exists()
    assert maildir.recover() == 0


def test_one_that_cannot_be_moved_keeps_no_others(
    maildir: ArchiveMaildir, copies: Copies, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        (copies.path / "tmp" / name(number, OTHER)).write_bytes(content(number, OTHER))
    real, failed = module._move, list[str]()

    def fail(source: str, target: str) -> None:
        failed.append(target)
        if len(failed) == 1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(source, target)

    monkeypatch.setattr(module, "_move", fail)
    with pytest.raises(OSError, match="No space left"):
        maildir.recover()
    assert len(copies.all()) == 3
    assert maildir.recover() == 1


def test_a_copy_that_was_marked_before_the_end(maildir: ArchiveMaildir, copies: Copies) -> None:
    dead = made(copies.path, OTHER)
    dead.write(name(1, OTHER), 0, content(1, OTHER), last=True)
    real = module._move
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_move", lambda source, target: None)
        dead.accept(name(1, OTHER))
    assert module._move is real
    end(dead)
    assert maildir.recover() == 1
    assert copies.one().status == "accepted"


def test_what_a_process_has_that_lives(maildir: ArchiveMaildir, copies: Copies) -> None:
    other = made(copies.path, OTHER)
    other.write(name(1, OTHER), 0, content(1, OTHER), last=True)
    other.write(name(2, OTHER), 0, content(2, OTHER), last=False)
    assert maildir.recover() == 0
    other.write(name(2, OTHER), len(content(2)), b"", last=True)
    for number in (1, 2):
        other.accept(name(number, OTHER))
    assert [each.status for each in copies.all()] == ["accepted", "accepted"]
    end(other)


def test_its_own_copies_are_not_those_of_a_dead_one(
    maildir: ArchiveMaildir, copies: Copies
) -> None:
    maildir.write(name(), 0, content(), last=True)
    assert maildir.recover() == 0
    assert copies.names("tmp") == [name()]


def test_copies_whose_lock_is_gone(maildir: ArchiveMaildir, copies: Copies) -> None:
    (copies.path / "tmp" / name(1, OTHER)).write_bytes(content(1, OTHER))
    assert maildir.recover() == 1
    assert copies.one().status == "doubtful"


@pytest.mark.parametrize(
    "file", ["notes", "1700.M1N2", ".new", "1700.Mxyz.N1.aa", f"{'c' * 12}.new", "x.part"]
)
def test_files_that_are_no_copies_stay(maildir: ArchiveMaildir, copies: Copies, file: str) -> None:
    (copies.path / "tmp" / file).write_text("x")
    assert maildir.recover() == 0
    assert (copies.path / "tmp" / file).read_text() == "x"


def test_two_recover_at_once(
    maildir: ArchiveMaildir, copies: Copies, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each copy is moved once, whoever does it."""
    for number in range(6):
        (copies.path / "tmp" / name(number, "c" * 12)).write_bytes(content(number, "c" * 12))
        (copies.path / "tmp" / f"{name(number, 'd' * 12)}.part").write_bytes(b"x")
    second = made(copies.path, OTHER)
    moves: list[int] = []
    real: Callable[[str, str], None] = module._move

    def amid(source: str, target: str) -> None:
        real(source, target)
        if len(moves) == 0:
            moves.append(0)
            moves.append(second.recover())

    monkeypatch.setattr(module, "_move", amid)
    assert (maildir.recover(), moves) == (1, [0, 5])
    assert len(copies.all()) == 6
    assert copies.names("tmp") == []
    end(second)


def test_the_lock_outlives_its_process_in_a_child(maildir: ArchiveMaildir, copies: Copies) -> None:
    """A stem locks, and its workers write: while one of them lives, nobody takes its copies."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            other = made(copies.path, OTHER)
            other.write(name(1, OTHER), 0, content(1, OTHER), last=True)
            if os.fork() == 0:
                os.close(writing)
                os.read(reading, 1)
        finally:
            os._exit(0)
    os.close(reading)
    os.waitpid(child, 0)
    assert maildir.recover() == 0
    os.close(writing)
    until(lambda: maildir.recover() == 1)
    assert copies.one().status == "doubtful"


# --- copies for others ----------------------------------------------------------------------------


def test_the_oldest_ones_are_first(maildir: ArchiveMaildir, copies: Copies) -> None:
    for number in (3, 1, 2):
        maildir.write(name(number), 0, content(number), last=True)
        maildir.accept(name(number))
    paths = [str(copies.path / "new" / name(number)) for number in (1, 2, 3)]
    assert maildir.accepted() == paths


def test_a_copy_is_set_aside(maildir: ArchiveMaildir, copies: Copies) -> None:
    maildir.write(name(), 0, content(), last=True)
    maildir.accept(name())
    (path,) = maildir.accepted()
    maildir.set_aside(path)
    assert (copies.names("new"), copies.names("cur")) == ([], [f"{name()}:2,F"])


def test_one_at_a_time_hands_copies_on(maildir: ArchiveMaildir, tmp_path: Path) -> None:
    other = ArchiveMaildir(str(tmp_path), "")
    for _ in range(2):
        with maildir.alone() as first, other.alone() as second:
            assert (first, second) == (True, False)
    with other.alone() as alone:
        assert alone
