"""A file that comes into being whole, whatever others do in its directory meanwhile.

They may be able to write there, and to put anything in the place of any name. So the directory is
open, the new file is made in it under a name that nothing has (O_EXCL, O_NOFOLLOW), its owner, mode
and content are set through its descriptor, and it gets its own name within that directory.
"""

import os
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO

from opensmtpd.errors import ConfigError
from opensmtpd_cli.system.folders import naming

_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class NewFile:
    """One file. ``NewFiles`` places it, or takes it back."""

    def __init__(self, path: str, folder: int, *, force: bool | None) -> None:
        """``folder`` is the open directory of ``path``; ``force`` as that of ``NewFiles``.

        Raises ConfigError, OSError.
        """
        self.path = path
        self._folder = folder
        self._name = os.path.basename(path)
        short = os.fsdecode(os.fsencode(self._name)[:100])
        self._temporary = f".{short}.{secrets.token_hex(8)}"
        self._kept = f"{self._temporary}.old"
        self._made: os.stat_result | None = None
        self._linked = self._replacing = False
        self._old = self._stat(self._name)
        if self._old is not None:
            self._may_replace(self._old, force)

    def _may_replace(self, old: os.stat_result, force: bool | None) -> None:
        if not force:
            remedy = "remove it, choose another place, or replace it with --force"
            if force is None:
                remedy = "remove it, or rename it"
            raise ConfigError("is there already", path=self.path, remedy=remedy)
        if not stat.S_ISREG(old.st_mode):
            remedy = "remove it, or choose another place"
            fault = "is no regular file, and is not replaced"
            raise ConfigError(fault, path=self.path, remedy=remedy)

    @contextmanager
    def writing(self, give: Callable[[int], None], *, secret: bool = False) -> Iterator[BinaryIO]:
        """Yield the new file. At the end it is on the disk, with its owner, group and mode.

        They are those of the file that it replaces, or else ``give`` sets them on the descriptor.
        It does so, too, for a ``secret`` in the place of a file that was for all. Raises OSError.
        """
        with naming(self.path):
            file = os.open(self._temporary, _FLAGS, 0o600, dir_fd=self._folder)
            self._made = os.fstat(file)
        with naming(self.path), open(file, "wb") as stream:
            yield stream
            stream.flush()
            if self._old is not None:
                os.fchown(file, self._old.st_uid, self._old.st_gid)
                os.fchmod(file, self._old.st_mode & (0o770 if secret else 0o777))
            if self._old is None or (secret and self._old.st_mode & stat.S_IRWXO):
                give(file)
            os.fsync(file)

    def keep(self) -> None:
        """Give the file that is replaced a second name. Raises ConfigError, OSError."""
        if self._old is not None:
            if not _same(self._stat(self._name), self._old):
                raise ConfigError("was changed meanwhile", path=self.path, remedy="try again")
            self._link(self._name, self._kept)
            self._replacing = True

    def place(self) -> None:
        """Give the new file its name. Raises ConfigError, OSError."""
        if not _same(self._stat(self._temporary), self._made):
            remedy = "let nobody else write to its directory"
            raise ConfigError("somebody exchanged it meanwhile", path=self.path, remedy=remedy)
        if self._replacing:
            with naming(self.path):
                os.replace(
                    self._temporary, self._name, src_dir_fd=self._folder, dst_dir_fd=self._folder
                )
        else:
            self._link(self._temporary, self._name)  # fails where somebody else made it meanwhile
            self._linked = True

    def undo(self) -> None:
        """Have it as it was before. Raises OSError."""
        if self._linked:
            self._unlink(self._name)
        if self._replacing:
            with naming(self.path):
                os.replace(self._kept, self._name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
            self._unlink(self._kept)  # rename(2) leaves both names of the same file
        self._linked = self._replacing = False

    def settle(self) -> None:
        """Remove what was replaced: all went well."""
        if self._replacing:
            self._unlink(self._kept)

    def clear(self) -> None:
        """Remove the name that it had on the way, if it still has it."""
        self._unlink(self._temporary)

    def _stat(self, name: str) -> os.stat_result | None:
        with naming(self.path):
            try:
                return os.stat(name, dir_fd=self._folder, follow_symlinks=False)
            except FileNotFoundError:
                return None

    def _link(self, old: str, new: str) -> None:
        here = self._folder
        with naming(self.path):  # of a link that somebody put there, the link itself
            os.link(old, new, src_dir_fd=here, dst_dir_fd=here, follow_symlinks=False)

    def _unlink(self, name: str) -> None:
        with suppress(OSError):  # it is gone, or no file any more
            os.unlink(name, dir_fd=self._folder)


def _same(one: os.stat_result | None, other: os.stat_result | None) -> bool:
    """Return whether two looks found the same file."""
    return one is not None and other is not None and os.path.samestat(one, other)
