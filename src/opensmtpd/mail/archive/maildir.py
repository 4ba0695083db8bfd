"""The folder of copies, a Maildir: spooled in ``tmp``, accepted ones in ``new``.

Each step may be taken twice, for the process that takes it may be killed before it has said so. A
process has a lock for as long as it lives, on a file whose name stands in those of its copies: what
a dead one has left is known by that.
"""

import fcntl
import os
import re
from contextlib import suppress

from opensmtpd.errors import ConfigError
from opensmtpd.log import log
from opensmtpd.mail.archive.envelope import ACCEPTED, STATUS

FOLDERS = ("tmp", "new", "cur")
LOCK = ".lock-"
"""The beginning of the names of locks, in ``tmp``; a process's own name follows."""
_REMEDY = "make it a folder that the filter's user may write to"
_COPY = re.compile(r"[0-9]+\.M[0-9a-f]+N[0-9]+\.([0-9a-f]+)")
"""The name of a copy: the time, smtpd's id of the message and a number, and the process."""
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
        """Raise ConfigError for folders that cannot be used; those to be made are not looked at."""
        for each in self._folders():
            usable = os.path.isdir(each) and os.access(each, os.R_OK | os.W_OK | os.X_OK)
            if os.path.lexists(each) and not usable:
                raise ConfigError("no folder for copies", path=each, remedy=_REMEDY)

    def _folders(self) -> list[str]:
        return [self.path, *map(self._folder, FOLDERS)]

    def lock(self) -> None:
        """Lock the name of this process, until it ends and all that it has forked."""
        made = self._temporary(f"{self._owner}.new")
        self._lock = os.open(made, _WRITE, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.rename(made, self._temporary(LOCK + self._owner))  # nobody has seen it without the lock

    # --- copies -------------------------------------------------------------------------------

    def write(self, name: str, at: int, data: bytes, *, last: bool) -> None:
        """Write a part of a copy; behind the last one it is on the disk."""
        file = os.open(self._temporary(name), _WRITE, 0o600)
        try:
            if at == 0:
                os.ftruncate(file, 0)
            while data:
                written = os.pwrite(file, data, at)
                data, at = data[written:], at + written
            if last:
                os.fsync(file)
        finally:
            os.close(file)
        if last:
            _sync(self._folder("tmp"))

    def accept(self, name: str) -> None:
        """Move a copy to those that are accepted; one that is not there any more has been."""
        source = self._temporary(name)
        with suppress(FileNotFoundError):
            file = os.open(source, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                os.pwrite(file, ACCEPTED, len(STATUS))
                os.fsync(file)
            finally:
                os.close(file)
            os.rename(source, os.path.join(self._folder("new"), name))
            _sync(self._folder("new"))

    def drop(self, name: str) -> None:
        """Remove a copy of a message that was not accepted."""
        with suppress(FileNotFoundError):
            os.unlink(self._temporary(name))

    # --- copies that others have left -----------------------------------------------------------

    def recover(self) -> int:
        """Move what dead processes have left to the accepted copies; return the number.

        These stay marked as doubtful, but those that were marked as accepted before the end.
        """
        names = self._names("tmp")
        copies = [(name, match[1]) for name in names if (match := _COPY.fullmatch(name))]
        owners = {name.removeprefix(LOCK) for name in names if name.startswith(LOCK)}
        dead = {owner for owner in owners | {owner for _, owner in copies} if self._is_dead(owner)}
        left = [name for name, owner in copies if owner in dead]
        for name in left:
            os.rename(self._temporary(name), os.path.join(self._folder("new"), name))
            log("archive-recovered", file=name)
        _sync(self._folder("new"))
        for owner in dead:
            self.drop(LOCK + owner)
        return len(left)

    def _is_dead(self, owner: str) -> bool:
        """Return whether nobody has the lock of a process."""
        if owner == self._owner:
            return False
        try:
            flags = os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC
            file = os.open(self._temporary(LOCK + owner), flags)
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

    def accepted(self, most: int) -> list[str]:
        """Return the paths of accepted copies, the oldest first, and ``most`` of them at most."""
        folder = self._folder("new")
        return [os.path.join(folder, name) for name in sorted(self._names("new"))[:most]]

    def set_aside(self, path: str) -> None:
        """Move an accepted copy to ``cur``: nobody takes it, and it is not to be lost."""
        os.rename(path, os.path.join(self._folder("cur"), os.path.basename(path) + ":2,F"))

    def _folder(self, name: str) -> str:
        return os.path.join(self.path, name)

    def _temporary(self, name: str) -> str:
        return os.path.join(self.path, "tmp", name)

    def _names(self, folder: str) -> list[str]:
        with os.scandir(self._folder(folder)) as entries:
            return [each.name for each in entries if each.is_file(follow_symlinks=False)]


def _sync(folder: str) -> None:
    """Have the names in a folder on the disk."""
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)
