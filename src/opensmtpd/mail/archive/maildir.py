"""The folder of copies, a Maildir: spooled in ``tmp``, accepted ones in ``new``.

A copy that is not complete has ``.part`` behind its name: its message has not come to smtpd.

Each step may be taken twice, for the process that takes it may be killed before it has said so. A
process has a lock for as long as it lives, on a file whose name stands in those of its copies: what
a dead one has left is known by that.
"""

import errno
import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from opensmtpd.errors import ConfigError
from opensmtpd.log import log
from opensmtpd.mail.archive.envelope import ACCEPTED, STATUS

FOLDERS = ("tmp", "new", "cur")
LOCK = ".lock-"
"""The beginning of the names of locks; a process's own name follows. They stand beside the folders:
other programs remove what is old in ``tmp``."""
_REMEDY = "make it a folder that the filter's user may write to"
_HANDING_ON = ".handing-on"
"""The lock of who hands copies on."""
_PART = ".part"
_COPY = re.compile(r"([0-9]+\.M[0-9a-f]+N[0-9]+\.([0-9a-f]+))(?:\.part)?")
"""The name of a copy: the time, smtpd's id of the message and a number, and the process."""
_BLOCK = 1 << 18
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


class ArchiveMaildir:
    """The folder, for one process. Methods raise OSError."""

    def __init__(self, path: str, owner: str) -> None:
        """``owner`` is the name of the process, which no other one has."""
        self.path, self._owner = path, owner
        self._lock = -1

    def prepare(self) -> None:
        """Make the folders. Raises ConfigError where they cannot be used."""
        for each in self._folders():
            try:
                os.mkdir(each, 0o700)
            except FileExistsError:
                continue
            except OSError as error:
                raise ConfigError(error.strerror or "", path=each, remedy=_REMEDY) from None
        self.check()

    def check(self) -> None:
        """Raise ConfigError for folders that cannot be used, or made."""
        if not os.path.lexists(self.path):
            if not os.access(os.path.dirname(self.path), os.W_OK | os.X_OK):
                raise ConfigError("it cannot be made", path=self.path, remedy=_REMEDY)
            return
        for each in self._folders():
            usable = os.path.isdir(each) and os.access(each, os.R_OK | os.W_OK | os.X_OK)
            if os.path.lexists(each) and not usable:
                raise ConfigError("no folder for copies", path=each, remedy=_REMEDY)

    def _folders(self) -> list[str]:
        return [self.path, *map(self._folder, FOLDERS)]

    def lock(self) -> None:
        """Lock the name of this process, until it ends and all that it has forked."""
        made = os.path.join(self.path, f".new-{self._owner}")
        self._lock = os.open(made, _WRITE, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.rename(made, self._lock_of(self._owner))  # nobody has seen it without the lock

    # --- copies -------------------------------------------------------------------------------

    def write(self, name: str, at: int, data: bytes, *, last: bool) -> None:
        """Write a part of a copy; behind the last one it is on the disk."""
        path = self._temporary(name)
        flags = _WRITE | os.O_TRUNC if at == 0 else _WRITE & ~os.O_CREAT
        try:
            file = os.open(path + _PART, flags, 0o600)
        except FileNotFoundError:
            if not os.path.lexists(path):
                raise
        else:  # or all of it was written before
            try:
                while data:
                    written = os.pwrite(file, data, at)
                    data, at = data[written:], at + written
                if last:
                    os.fsync(file)
            finally:
                os.close(file)
            if last:
                os.rename(path + _PART, path)
        if last:
            _sync(self._folder("tmp"))

    def accept(self, name: str) -> None:
        """Move a copy to those that are accepted; one that is not there any more has been."""
        with suppress(FileNotFoundError):
            file = os.open(self._temporary(name), os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                os.pwrite(file, ACCEPTED, len(STATUS))
                os.fsync(file)
            finally:
                os.close(file)
        self._to_accepted(name)
        _sync(self._folder("new"))

    def drop(self, name: str) -> None:
        """Remove a copy of a message that was not accepted, complete or not."""
        for each in (name + _PART, name):  # a late process may still complete it
            with suppress(FileNotFoundError):
                os.unlink(self._temporary(each))

    # --- copies that others have left -----------------------------------------------------------

    def recover(self) -> int:
        """Move what dead processes have left to the accepted copies; return the number.

        These stay marked as doubtful, but those that were marked as accepted before the end. Copies
        that are not complete are removed. Others may do the same at the same time. Raises OSError
        when it has tried all of them.
        """
        copies = [match for name in self._names("tmp") if (match := _COPY.fullmatch(name))]
        locks = [name for name in self._names("") if name.startswith(LOCK)]
        owners = {name.removeprefix(LOCK) for name in locks}
        dead = {owner for owner in owners | {each[2] for each in copies} if self._is_dead(owner)}
        count, failed = 0, None
        for left in copies:
            if left[2] not in dead:
                continue
            try:
                if left[0] != left[1]:
                    self.drop(left[0])
                elif self._to_accepted(left[0]):
                    count += 1
                    log("archive-recovered", file=left[0])
            except OSError as error:
                failed = error
        if count:
            _sync(self._folder("new"))
        if failed is not None:
            raise failed
        for owner in dead:
            with suppress(FileNotFoundError):
                os.unlink(self._lock_of(owner))
        return count

    def _to_accepted(self, name: str) -> bool:
        """Move a copy to the accepted ones; return whether it was still to be moved."""
        source = self._temporary(name)
        try:
            _move(source, os.path.join(self._folder("new"), name))
        except FileNotFoundError:
            if os.path.lexists(source):  # it is the other folder that is not there
                raise
            return False
        return True

    def _is_dead(self, owner: str) -> bool:
        """Return whether nobody has the lock of a process."""
        if owner == self._owner:
            return False
        try:
            flags = os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC
            file = os.open(self._lock_of(owner), flags)
        except FileNotFoundError:
            return True
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        finally:
            os.close(file)
        return True

    # --- copies for others ------------------------------------------------------------------------

    @contextmanager
    def alone(self) -> Iterator[bool]:
        """Keep others from handing copies on; yield whether none of them does."""
        file = os.open(os.path.join(self.path, _HANDING_ON), _WRITE, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
        finally:
            os.close(file)

    def accepted(self) -> list[str]:
        """Return the paths of accepted copies, the oldest first."""
        folder = self._folder("new")
        names = sorted(name for name in self._names("new") if name[0] != ".")
        return [os.path.join(folder, name) for name in names]

    def set_aside(self, path: str) -> None:
        """Move an accepted copy to ``cur``: nobody takes it, and it is not to be lost."""
        _move(path, os.path.join(self._folder("cur"), os.path.basename(path) + ":2,F"))

    def _folder(self, name: str) -> str:
        return os.path.join(self.path, name)

    def _lock_of(self, owner: str) -> str:
        return os.path.join(self.path, LOCK + owner)

    def _temporary(self, name: str) -> str:
        return os.path.join(self.path, "tmp", name)

    def _names(self, folder: str) -> list[str]:
        with os.scandir(self._folder(folder)) as entries:
            return [each.name for each in entries if each.is_file(follow_symlinks=False)]


def _move(source: str, target: str) -> None:
    """Move a file to another folder."""
    try:
        os.rename(source, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        # The sandbox of Linux before 5.19 lets no file be moved to another folder.
        folder, name = os.path.split(target)
        hidden = os.path.join(folder, f".{name}")
        with open(source, "rb") as old, open(hidden, "wb", opener=_make) as new:
            while block := old.read(_BLOCK):
                new.write(block)
            new.flush()
            os.fsync(new.fileno())
        os.rename(hidden, target)
        _sync(folder)  # before the other one is gone
        os.unlink(source)


def _make(path: str, flags: int) -> int:
    """Open a file for its user alone, as ``open`` takes it."""
    return os.open(path, flags | os.O_NOFOLLOW, 0o600)


def _sync(folder: str) -> None:
    """Have the names in a folder on the disk."""
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)
