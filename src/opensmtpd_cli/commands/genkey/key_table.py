"""The file of a key table, changed in one step while others look on.

They may be able to write there, too. So its directory is opened once, and everything is done in
that one: nothing is led elsewhere by a link that somebody puts into the path meanwhile.
"""

import fcntl
import os
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from opensmtpd.errors import ConfigError
from opensmtpd.mail.dkim.keys import key_table
from opensmtpd_cli.system import folders
from opensmtpd_cli.system.folders import naming

WAIT = 5.0
"""Seconds in which another run may end."""


class KeyTableFile:
    """A key table, read once. ``locked`` makes it."""

    def __init__(self, path: str, place: str, folder: int) -> None:
        """Read what is at ``place``, in the open directory ``folder``; ``path`` leads there.

        Raises ConfigError.
        """
        self._path, self._place, self._folder = path, place, folder
        self._name = os.path.basename(place)
        self.replaced = False
        self.text = key_table.read(path, self._open)

    def _open(self, _path: str, flags: int) -> int:
        file = os.open(self._name, flags | os.O_NOFOLLOW, dir_fd=self._folder)
        self._old = os.fstat(file)
        return file

    def replace(self, text: str) -> None:
        """Put a new file in its place, with its owner, group and mode. Raises ConfigError, OSError.

        Then it is as it was, unless it is ``replaced``.
        """
        here = self._folder
        new = f".{self._name[:100]}.{secrets.token_hex(8)}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        with naming(self._place):
            file = os.open(new, flags, 0o600, dir_fd=here)
        try:
            with naming(self._place), open(file, "wb") as stream:
                os.fchown(file, self._old.st_uid, self._old.st_gid)
                os.fchmod(file, stat.S_IMODE(self._old.st_mode))
                stream.write(text.encode())
                stream.flush()
                os.fsync(file)
                now = os.stat(self._name, dir_fd=here, follow_symlinks=False)
            if (now.st_ino, now.st_mtime_ns) != (self._old.st_ino, self._old.st_mtime_ns):
                raise ConfigError("was changed meanwhile", path=self._place, remedy="try again")
            with naming(self._place):
                os.replace(new, self._name, src_dir_fd=here, dst_dir_fd=here)
        finally:
            try:
                os.unlink(new, dir_fd=here)
            except FileNotFoundError:  # it has its name, even if an interrupt came behind that
                self.replaced = True
        with suppress(OSError):  # it is done; have it outlast a crash, too
            os.fsync(here)


@contextmanager
def locked(path: str) -> Iterator[KeyTableFile]:
    """Open a table, and keep other runs off: its directory is locked, for it is replaced itself.

    ``path`` is a full path. Of a symbolic link, it is the file behind. Raises ConfigError, also
    where another run does not end in time, OSError.
    """
    place = path
    try:
        place = folders.behind(path)
        folder = folders.opened(os.path.dirname(place))
        try:
            end = time.monotonic() + WAIT
            while not _lock(folder):
                if time.monotonic() > end:
                    raise ConfigError("another run is changing it", path=path, remedy="try again")
                time.sleep(0.05)
            yield KeyTableFile(path, place, folder)
        finally:
            os.close(folder)
    except PermissionError as error:
        remedy = "run it as root"
        raise ConfigError(str(error.strerror), path=place, remedy=remedy) from None


def _lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
